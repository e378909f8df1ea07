"""Settings of kohya_ss and arguments of sd-scripts' sdxl_train.py as a recipe.

The recipe repeats sd-scripts, faults included (`compat` "kohya"). Each setting is honoured, named as without influence,
or refused (kohya_keys.py). What the script itself ignores or changes is said.
Defaults: https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py (add_*_arguments).
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe import kohya_parts as parts
from ohwx_compare.train.recipe.dataset_config import dataset_concepts
from ohwx_compare.train.recipe.gui import gui_arguments
from ohwx_compare.train.recipe.kohya_keys import CHANGING, HONOURED, OTHERS, QUIET, family, is_unset
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.recipe.settings import GivenSettings, Imported

__all__ = ["WITHOUT", "Imported", "from_kohya", "from_sd_scripts"]

WITHOUT = "ohwx_without"  # in a configuration: the settings that are given up

_DEFAULTS = {  # sd-scripts', where a file leaves a setting out
    "bucket_reso_steps": 64, "caption_extension": ".caption", "enable_bucket": False, "gradient_accumulation_steps": 1,
    "learning_rate": 2e-6, "lr_scheduler": "constant", "max_bucket_reso": 1024, "max_grad_norm": 1.0,
    "min_bucket_reso": 256, "mixed_precision": "no", "multires_noise_discount": 0.3, "output_name": "last",
    "train_batch_size": 1,
}  # fmt: skip


def from_kohya(values: Mapping[str, Any], without: Collection[str] = (), folder: Path = Path()) -> Imported:
    """A recipe that repeats what kohya_ss does with these settings of its own.

    without: settings that may be left out although they change the training.
    Raises ExperimentError for what cannot be trained here.
    """
    _require_full_sdxl(values)
    given_up = [*without, *_listed(values.get(WITHOUT))]
    arguments, notes = gui_arguments({key: value for key, value in values.items() if key != WITHOUT})
    return from_sd_scripts(arguments, given_up, notes, folder)


def from_sd_scripts(
    values: Mapping[str, Any],
    without: Collection[str] = (),
    notes: Collection[str] = (),
    folder: Path = Path(),
) -> Imported:
    """A recipe that repeats sdxl_train.py with these arguments.

    folder: where a dataset_config is looked for that does not lie where it says. Raises ExperimentError as
    `from_kohya` does.
    """
    _require_full_sdxl(values)
    settings = GivenSettings(values, list(notes), _DEFAULTS)
    given_up = {*without, *_listed(settings.left.pop(WITHOUT, None))}
    if "dataset_config" in given_up and settings.left.get("dataset_config"):
        settings.note(f"Given up, though set: dataset_config = {_shown(settings.left.pop('dataset_config'))}.")
    _require_paths(settings.left)
    concepts, needs = dataset_concepts(settings, folder) if settings.left.get("dataset_config") else ([], [])
    has_resolution = "resolution" in settings.left
    rates = parts.rates(settings)
    _give_up(settings, given_up)
    settings.left.setdefault("caption_extension", settings.left.pop("caption_extention", None) or ".caption")
    recipe = {
        "base": settings.text("pretrained_model_name_or_path"),
        "train": settings.text("train_data_dir"),
        "reg": settings.text("reg_data_dir"),
        "output": settings.text("output_dir"),
        "name": settings.text("output_name") or "last",
        "caption_extensions": [settings.text("caption_extension") or ".caption"],
        "batch": settings.number("train_batch_size") or 1,
        "accumulation": settings.number("gradient_accumulation_steps") or 1,
        "vae": settings.text("vae"),
        "save_precision": parts.save_precision(settings),
        "checkpointing": settings.flag("gradient_checkpointing"),
        "prediction": "v" if settings.flag("v_parameterization") else "eps",
        "seed": settings.number("seed") or 42,
        **rates,
        **parts.captions(settings),
        **parts.buckets(settings),
        **parts.length(settings),
        **parts.saves(settings),
        **parts.schedule(settings),
        **parts.optimizer(settings),
        **parts.loss(settings),
        **parts.noise(settings),
    }
    recipe |= {"concepts": concepts} if concepts else {}
    recipe["compat"] += [one for one in needs if one not in recipe["compat"]]
    _account(settings)
    if not has_resolution:
        settings.note("resolution is missing, which sd-scripts refuses; 1024 is taken.")
    return Imported(Recipe.from_dict(recipe), tuple(settings.notes))


def _listed(value: Any) -> list[str]:
    """Names in a list, or in a text between commas and blanks."""
    texts = value if isinstance(value, list) else [value or ""]
    return [name for text in texts for name in re.split(r"[\s,]+", str(text)) if name]


def _require_full_sdxl(values: Mapping[str, Any]) -> None:
    other = family(values)
    if other:
        raise ExperimentError(
            f"This configuration trains {other}; only full SDXL trainings are read here."
            + (' A recipe with "network": "lora" trains a LoRA.' if "LoRA" in other else "")
        )


def _require_paths(values: Mapping[str, Any]) -> None:
    needed = {"base": "pretrained_model_name_or_path", "train": "train_data_dir", "output": "output_dir"}
    if values.get("dataset_config"):
        del needed["train"]
    missing = [f"{name} ({key})" for name, key in needed.items() if not values.get(key)]
    if missing:
        raise ExperimentError(f"This configuration of Kohya's trainer lacks {', '.join(missing)}; add them.")


def _give_up(settings: GivenSettings, given_up: Collection[str]) -> None:
    """Refuse what would change the training, but for what is given up."""
    left = settings.left
    if not is_unset("min_snr_gamma", left) and not is_unset("debiased_estimation_loss", left):
        settings.beyond["debiased_estimation_loss"] = "multiplied with min_snr_gamma"
    if not is_unset("zero_terminal_snr", left) and is_unset("v_parameterization", left):
        settings.beyond["zero_terminal_snr"] = (
            "pure noise, which holds no noise to predict; it needs v_parameterization"
        )
    reasons = {**CHANGING, **settings.beyond}
    known = (HONOURED | QUIET | OTHERS) - settings.beyond.keys()
    changing = sorted(key for key in left.keys() - known if not is_unset(key, left))
    refused = [key for key in changing if key not in given_up]
    if refused:
        named = "; ".join(f"{key} = {_shown(left[key])} ({reasons.get(key, 'not known here')})" for key in refused)
        raise ExperimentError(
            f"These settings change the training and are not supported: {named}. Take them out, or give them up by "
            f"name: set {WITHOUT} to {','.join(refused)}."
        )
    if changing:
        settings.note("Given up, though set: " + ", ".join(f"{key} = {_shown(left[key])}" for key in changing) + ".")
    if "full_fp16" in changing:
        left["full_bf16"] = True
    for key in changing:
        left.pop(key)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _account(settings: GivenSettings) -> None:
    """Name every setting that was not used."""
    left = settings.left
    quiet = sorted(key for key in left if key in QUIET and not is_unset(key, left))
    unset = sorted(left.keys() - set(quiet))
    sd1 = [key for key in quiet if key in ("learning_rate_te", "text_encoder_lr")]
    if sd1:
        settings.note(f"sdxl_train.py itself ignores {', '.join(sd1)}.")
    if quiet:
        settings.note(f"Ignored, without influence on the weights: {', '.join(quiet)}.")
    if unset:
        settings.note(f"Ignored, unset: {', '.join(unset)}.")
