"""Settings of kohya_ss and arguments of sd-scripts' sdxl_train.py as a recipe.

The recipe repeats sd-scripts, faults included (`compat` "kohya"). Each setting is honoured, named as without influence,
or refused (kohya_keys.py). What the script itself ignores or changes is said.
Defaults: https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py (add_*_arguments).
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.gui import gui_arguments
from ohwx_compare.train.recipe.kohya_keys import CHANGING, HONOURED, OTHERS, QUIET, family, is_unset
from ohwx_compare.train.recipe.recipe import COMPAT, FREE_SIDES, OPTIMIZER_ARGS, Recipe

__all__ = ["WITHOUT", "Imported", "from_kohya", "from_sd_scripts"]

WITHOUT = "ohwx_without"  # in a configuration: the settings that are given up

_DEFAULTS = {  # sd-scripts', where a file leaves a setting out
    "bucket_reso_steps": 64, "caption_extension": ".caption", "enable_bucket": False, "gradient_accumulation_steps": 1,
    "learning_rate": 2e-6, "lr_scheduler": "constant", "max_bucket_reso": 1024, "max_grad_norm": 1.0,
    "min_bucket_reso": 256, "mixed_precision": "no", "output_name": "last", "train_batch_size": 1,
}  # fmt: skip
_OPTIMIZERS = {"adafactor": "adafactor", "adamw": "adamw", "adamw8bit": "adamw8bit", "pagedadamw8bit": "adamw8bit"}
_BLOCKS = 23  # that `block_lr` names


@dataclass(frozen=True)
class Imported:
    """A recipe and what to know about where it came from."""

    recipe: Recipe
    notes: tuple[str, ...] = ()


class _Settings:
    """Settings, taken one by one; what is left at the end was not used."""

    def __init__(self, values: Mapping[str, Any], notes: list[str]):
        self.left = dict(values)
        self.notes = notes
        self.beyond: dict[str, str] = {}  # settings that are honoured mostly, but not with these values, and why

    def text(self, key: str) -> str | None:
        """The value as text; None where it is empty."""
        value = self.left.pop(key, None)
        value = _DEFAULTS.get(key) if value in ("", None) else value
        return str(value).strip() if value not in ("", None) else None

    def number(self, key: str, kind: Callable[[Any], Any] = int) -> Any:
        """The value as a number; None where it is empty or 0."""
        value = self.text(key)
        try:
            return (kind(float(value)) or None) if value is not None else None
        except (ValueError, OverflowError) as error:
            raise ExperimentError(f"{key} is {value!r}, expected a number.") from error

    def flag(self, key: str) -> bool:
        """The value as yes or no."""
        return str(self.left.pop(key, _DEFAULTS.get(key, False))).lower() in ("true", "1")

    def note(self, text: str) -> None:
        """Something the user should know."""
        self.notes.append(text)


def from_kohya(values: Mapping[str, Any], without: Collection[str] = ()) -> Imported:
    """A recipe that repeats what kohya_ss does with these settings of its own.

    without: settings that may be left out although they change the training.
    Raises ExperimentError for what cannot be trained here.
    """
    _require_full_sdxl(values)
    given_up = [*without, *_listed(values.get(WITHOUT))]
    arguments, notes = gui_arguments({key: value for key, value in values.items() if key != WITHOUT})
    return from_sd_scripts(arguments, given_up, notes)


def from_sd_scripts(values: Mapping[str, Any], without: Collection[str] = (), notes: Collection[str] = ()) -> Imported:
    """A recipe that repeats sdxl_train.py with these arguments. Raises ExperimentError as `from_kohya` does."""
    _require_full_sdxl(values)
    settings = _Settings(values, list(notes))
    given_up = {*without, *_listed(settings.left.pop(WITHOUT, None))}
    _require_paths(settings.left)
    rates = _rates(settings)
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
        "noise_offset": settings.number("noise_offset", float) or 0.0,
        "checkpointing": settings.flag("gradient_checkpointing"),
        "prediction": "v" if settings.flag("v_parameterization") else "eps",
        "seed": settings.number("seed") or 42,
        **rates,
        **_buckets(settings),
        **_length(settings),
        **_saves(settings),
        **_schedule(settings),
        **_optimizer(settings),
        **_loss(settings),
    }
    _account(settings)
    if "resolution" not in values:
        settings.note("resolution is missing, which sd-scripts refuses; 1024 is taken.")
    return Imported(Recipe.from_dict(recipe), tuple(settings.notes))


def _listed(value: Any) -> list[str]:
    """Names in a list, or in a text between commas and blanks."""
    texts = value if isinstance(value, list) else [value or ""]
    return [name for text in texts for name in re.split(r"[\s,]+", str(text)) if name]


def _require_full_sdxl(values: Mapping[str, Any]) -> None:
    other = family(values)
    if other:
        raise ExperimentError(f"This configuration trains {other}; only full SDXL models are trained here.")


def _require_paths(values: Mapping[str, Any]) -> None:
    if values.get("dataset_config") and not values.get("train_data_dir"):
        raise ExperimentError(
            f"The pictures are listed in dataset_config ({values['dataset_config']}), which is not read; put them into "
            "folders such as img/1_ohwx man (number of repeats, token and class) and set train_data_dir to img."
        )
    needed = {"base": "pretrained_model_name_or_path", "train": "train_data_dir", "output": "output_dir"}
    missing = [f"{name} ({key})" for name, key in needed.items() if not values.get(key)]
    if missing:
        raise ExperimentError(f"This configuration of Kohya's trainer lacks {', '.join(missing)}; add them.")


def _give_up(settings: _Settings, given_up: Collection[str]) -> None:
    """Refuse what would change the training, but for what is given up."""
    left = settings.left
    if not is_unset("min_snr_gamma", left) and not is_unset("debiased_estimation_loss", left):
        settings.beyond["debiased_estimation_loss"] = "multiplied with min_snr_gamma"
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


def _buckets(settings: _Settings) -> dict[str, Any]:
    numbers = re.findall(r"\d{1,9}", settings.text("resolution") or "1024")[:2]
    if not numbers:
        raise ExperimentError("resolution names no number; expected such as 1024,1024.")
    step = settings.number("bucket_reso_steps") or 64
    resolution = [int(numbers[0]), int(numbers[-1])]
    found = {
        "resolution": resolution,
        "compat": [*COMPAT, *([FREE_SIDES] if any(side % 64 for side in resolution) else [])],
        "buckets": settings.flag("enable_bucket"),
        "bucket_no_upscale": settings.flag("bucket_no_upscale"),
        "bucket_step": step,
    }
    if found["bucket_no_upscale"]:
        limits = [key for key in ("min_bucket_reso", "max_bucket_reso") if settings.left.pop(key, None)]
        if limits:
            settings.note(f"sd-scripts itself ignores {' and '.join(limits)} while bucket_no_upscale is on.")
        return found
    smallest, largest = settings.number("min_bucket_reso") or 256, settings.number("max_bucket_reso") or 1024
    return {**found, "bucket_min": smallest - smallest % step, "bucket_max": largest + -largest % step}


def _length(settings: _Settings) -> dict[str, Any]:
    if settings.left.pop("epoch", None):
        settings.note("sdxl_train.py itself ignores epoch; max_train_epochs is its name there.")
    epochs, steps = settings.number("max_train_epochs"), settings.number("max_train_steps")
    if epochs and steps:
        settings.note("sd-scripts itself ignores max_train_steps where max_train_epochs is set.")
    return {"epochs": epochs, "steps": None if epochs else steps or 1600}


def _saves(settings: _Settings) -> dict[str, Any]:
    """Saves, and how many are kept: `save_last_n_steps` is a number of steps, `save_last_n_epochs` of saves."""
    every = {unit: settings.number(f"save_every_n_{unit}") for unit in ("epochs", "steps")}
    last = {unit: settings.number(f"save_last_n_{unit}") for unit in ("epochs", "steps")}
    kept = {unit: last[unit] for unit in every if every[unit] and last[unit]}
    if kept and all(every.values()):
        raise ExperimentError(
            "save_last_n_epochs and save_last_n_steps beside saves of both kinds are not supported; take them out, or "
            "save by epochs or by steps alone."
        )
    if "steps" in kept:
        kept["steps"] = last["steps"] // every["steps"] + 1
    return {
        "save_every_epochs": every["epochs"],
        "save_every_steps": every["steps"],
        "keep_last": next(iter(kept.values()), None),
    }


def _rates(settings: _Settings) -> dict[str, Any]:
    """Learning rates; one of 0 leaves its part frozen, and so does a missing `train_text_encoder` both encoders."""
    rate = settings.number("learning_rate", float)
    asked = settings.flag("train_text_encoder")
    rates: dict[str, Any] = {}
    for part in ("te1", "te2"):
        key = f"learning_rate_{part}"
        given = settings.left.get(key) not in ("", None)
        own = settings.number(key, float) if given else rate
        settings.left.pop(key, None)
        rates[f"lr_{part}"] = own if asked else None
        if own and given and not asked:
            settings.note(f"sdxl_train.py itself ignores {key} without train_text_encoder: that encoder is frozen.")
    blocks = settings.left.pop("block_lr", None)
    if blocks and rate:
        each = {float(text) for text in re.findall(r"[\d.]+(?:[eE][+-]?\d+)?", str(blocks))}
        if len(each) == 1 and str(blocks).count(",") == _BLOCKS - 1:
            (rate,) = each
            settings.note(f"block_lr gives all blocks {rate:g}; it stands for learning_rate.")
        else:
            settings.left["block_lr"], settings.beyond["block_lr"] = blocks, "a rate for each block"
    return {"lr_unet": rate, **rates}


def _schedule(settings: _Settings) -> dict[str, Any]:
    schedule, warmup = settings.text("lr_scheduler") or "constant", _warmup(settings)
    cycles = settings.number("lr_scheduler_num_cycles") or 1
    if schedule == "constant" and warmup:
        settings.note("sd-scripts itself refuses lr_warmup_steps where lr_scheduler is constant; it is left out.")
        warmup = 0
    if schedule == "cosine_with_restarts" and cycles == 1:
        schedule = "cosine"  # the same curve
    schedule = schedule.removesuffix("_with_warmup")
    if schedule not in ("constant", "cosine"):
        raise ExperimentError(
            f"lr_scheduler {schedule!r} is not supported; expected constant, constant_with_warmup or cosine."
        )
    return {"schedule": schedule, "warmup": warmup}


def _warmup(settings: _Settings) -> int | float:
    """Whole steps, or a share of all steps below 1; "10%" is a share too."""
    value = settings.left.get("lr_warmup_steps")
    if isinstance(value, str) and value.strip().endswith("%"):
        settings.left["lr_warmup_steps"] = value.strip()[:-1]
        return (settings.number("lr_warmup_steps", float) or 0) / 100
    number = settings.number("lr_warmup_steps", float) or 0
    if number > 1 and isinstance(value, float):
        raise ExperimentError(
            f"lr_warmup_steps is {value}, which sd-scripts multiplies with all steps; write a whole number."
        )
    return int(number) if number >= 1 and not isinstance(value, float) else number


def _optimizer(settings: _Settings) -> dict[str, Any]:
    asked = "AdamW8bit" if settings.flag("use_8bit_adam") else "AdamW"
    name = settings.text("optimizer_type") or asked
    kind = _OPTIMIZERS.get(name.lower())
    if kind is None:
        raise ExperimentError(f"The optimizer {name!r} is not supported; expected Adafactor, AdamW or AdamW8bit.")
    if name.lower() not in OPTIMIZER_ARGS:
        settings.note(f"{name} is taken as AdamW8bit: its state stays on the device.")
    given = settings.left.pop("optimizer_args", None) or []
    if not isinstance(given, str | list):
        raise ExperimentError(f"optimizer_args is {given!r}, expected a text or a list of texts.")
    text = given if isinstance(given, str) else " ".join(map(str, given))
    pairs = dict(re.findall(r"(?<!\w)(\w+)=(\([^()]*\)|\S+)", text))
    if kind == "adafactor":
        pairs = _fixed_rate(pairs)
    fused, groups = settings.flag("fused_backward_pass"), settings.number("fused_optimizer_groups")
    return {
        "optimizer": kind,
        "optimizer_args": {key: _argument(kind, key, value) for key, value in pairs.items()},
        "fused": fused,
        "clip": settings.number("max_grad_norm", float) or 0.0,
        "clip_by": "tensor" if fused or groups else "global",
        "precision": _precision(settings, fused),
    }


def _fixed_rate(pairs: dict[str, str]) -> dict[str, str]:
    """Adafactor's arguments without the three that must be False here."""
    for key in ("scale_parameter", "relative_step", "warmup_init"):
        value = pairs.pop(key, "False" if key == "warmup_init" else "True")
        if value.lower() != "false":
            raise ExperimentError(f"Adafactor with {key} is not supported; add {key}=False to optimizer_args.")
    return pairs


def _argument(kind: str, key: str, value: str) -> Any:
    parts = value.strip("()[]").split(",")
    try:
        numbers = [float(part) for part in parts if part]
    except ValueError:
        numbers = []
    if not numbers:
        raise ExperimentError(f"optimizer_args {key}={value} is not a number.")
    return numbers if isinstance(OPTIMIZER_ARGS[kind].get(key), tuple) else numbers[0]


def _precision(settings: _Settings, fused: bool) -> str:
    """sd-scripts rounds stochastically in its fused Adafactor alone; without full_bf16 it keeps float32 weights."""
    mixed = settings.text("mixed_precision")
    if settings.flag("full_bf16"):
        return "bf16-stochastic" if fused else "bf16-nearest"
    if mixed == "fp16":
        settings.note("mixed_precision fp16 is computed in bf16.")
    return "fp32" if mixed in (None, "no") else "fp32-master"


def _loss(settings: _Settings) -> dict[str, Any]:
    gamma, debiased = settings.number("min_snr_gamma", float), settings.flag("debiased_estimation_loss")
    weight = settings.number("prior_loss_weight", float)
    if weight not in (None, 1.0):
        settings.note('sdxl_train.py itself ignores prior_loss_weight; take "prior" out of compat to make it work.')
    kinds = {"loss_weighting": "min-snr" if gamma else "debiased" if debiased else "none"}
    return {**kinds, "prior_loss_weight": weight or 1.0, **({"min_snr_gamma": gamma} if gamma else {})}


def _account(settings: _Settings) -> None:
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
