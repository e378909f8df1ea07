"""kohya_ss settings (JSON) and sd-scripts' own (TOML) as a recipe; every key that has no place in it is named.

The recipe repeats sd-scripts, faults included (`compat` "kohya"). Of TOML the flat subset that kohya_ss writes is read:
`key = value` on one line each, tables' names passed over (Python 3.10 has no reader of its own).
Keys and defaults: https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py (add_*_arguments).
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.regular import read_text
from ohwx_compare.train.recipe.recipe import OPTIMIZER_ARGS, Recipe, read_recipe
from ohwx_compare.words import quoted

__all__ = ["Imported", "from_kohya", "parse_toml", "read_any"]

_QUIET = frozenset((  # without influence on what is learnt, or done here anyway
    "cache_latents", "cache_latents_to_disk", "log_with", "logging_dir", "lowram", "max_data_loader_n_workers",
    "mem_eff_attn", "metadata_author", "metadata_description", "metadata_license", "metadata_tags", "metadata_title",
    "model_list", "num_cpu_threads_per_process", "num_machines", "num_processes", "persistent_data_loader_workers",
    "sample_every_n_epochs", "sample_every_n_steps", "sample_prompts", "sample_sampler", "save_as_bool",
    "save_model_as", "save_state", "save_state_on_train_end", "sdpa", "sdxl", "sdxl_cache_text_encoder_outputs",
    "sdxl_checkbox", "sdxl_no_half_vae", "use_wandb", "vae_batch_size", "wandb_api_key", "xformers",
))  # fmt: skip
_UNSET: tuple[object, ...] = ("", None, 0, "0", False, "none", "None", [])
_HARMLESS = {  # what these are where nobody touched them
    "clip_skip": 1, "huber_c": 0.1, "huber_scale": 1, "huber_schedule": "snr", "loss_type": "l2",
    "lr_scheduler_num_cycles": 1, "lr_scheduler_power": 1, "max_timestep": 1000, "multires_noise_discount": 0.3,
    "noise_offset_type": "Original",
}  # fmt: skip
_DEFAULTS = {  # sd-scripts', where a file leaves a key out
    "bucket_reso_steps": 64, "caption_extension": ".caption", "enable_bucket": False, "gradient_accumulation_steps": 1,
    "learning_rate": 2e-6, "lr_scheduler": "constant", "max_bucket_reso": 1024, "max_grad_norm": 1.0,
    "min_bucket_reso": 256, "mixed_precision": "no", "optimizer": "AdamW", "output_name": "last",
    "train_batch_size": 1,
}  # fmt: skip
_RENAMED = {"optimizer_type": "optimizer", "resolution": "max_resolution", "no_half_vae": "sdxl_no_half_vae"}


@dataclass(frozen=True)
class Imported:
    """A recipe and what to know about where it came from."""

    recipe: Recipe
    notes: tuple[str, ...] = ()


class _Settings:
    """kohya_ss' keys, used up one by one; what is left at the end was not used."""

    def __init__(self, values: Mapping[str, Any]):
        self.left = {_RENAMED.get(key, key): value for key, value in values.items()}
        self.notes: list[str] = []

    def text(self, key: str) -> str | None:
        """The value as text; None where it is empty."""
        value = self.left.pop(key, _DEFAULTS.get(key))
        return str(value).strip() if value not in ("", None) else None

    def number(self, key: str, kind: Callable[[Any], Any] = int) -> Any:
        """The value as a number; None where it is empty or 0, which mean unset in kohya_ss."""
        value = self.text(key)
        try:
            return (kind(float(value)) or None) if value is not None else None
        except (ValueError, OverflowError) as error:
            raise ExperimentError(f"{key} is {quoted(value)}, expected a number.") from error

    def flag(self, key: str) -> bool:
        """The value as yes or no."""
        return str(self.left.pop(key, _DEFAULTS.get(key, False))).lower() in ("true", "1")

    def note(self, text: str) -> None:
        """Something the user should know."""
        self.notes.append(text)


def read_any(path: Path) -> Imported:
    """Read a recipe of ours, kohya_ss' JSON or sd-scripts' TOML, by what the file holds.

    Raises ExperimentError for a file that cannot be read and for settings that cannot be trained here.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"The recipe {path} cannot be read: {error}.") from error
    if path.suffix.lower() == ".toml":
        return from_kohya(parse_toml(text))
    try:
        data = json.loads(text)
    except RecursionError as error:
        raise ExperimentError(f"The recipe {path} nests lists and objects too deep in one another.") from error
    except ValueError as error:
        raise ExperimentError(f"The recipe {path} is not JSON: {error}.") from error
    if isinstance(data, dict) and {"pretrained_model_name_or_path", "train_data_dir"} & data.keys():
        return from_kohya(data)
    return Imported(read_recipe(path))


def from_kohya(values: Mapping[str, Any]) -> Imported:
    """A recipe that repeats these settings. Raises ExperimentError for those that cannot be trained here."""
    settings = _Settings(values)
    recipe = {
        "base": settings.text("pretrained_model_name_or_path"),
        "train": settings.text("train_data_dir"),
        "reg": settings.text("reg_data_dir"),
        "output": settings.text("output_dir"),
        "name": settings.text("output_name") or "last",
        "caption_extensions": [settings.text("caption_extension") or ".caption"],
        "compat": "kohya",
        "batch": settings.number("train_batch_size") or 1,
        "accumulation": settings.number("gradient_accumulation_steps") or 1,
        "noise_offset": settings.number("noise_offset", float) or 0.0,
        "checkpointing": settings.flag("gradient_checkpointing"),
        "prediction": "v" if settings.flag("v_parameterization") else "eps",
        "seed": settings.number("seed") or 42,
        **_buckets(settings),
        **_length(settings),
        **_rates(settings),
        **_optimizer(settings),
        **_loss(settings),
    }
    _account(settings)
    return Imported(Recipe.from_dict(recipe), tuple(settings.notes))


def parse_toml(text: str) -> dict[str, Any]:
    """The flat subset of TOML that kohya_ss writes. Raises ExperimentError, naming the line, for the rest."""
    values: dict[str, Any] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#") or re.fullmatch(r"\[[^\[\]]+\]\s*(#.*)?", line):
            continue
        match = re.fullmatch(r'("?)([\w.-]+)\1\s*=\s*(.+)', line)
        if not match:
            raise ExperimentError(
                f"Line {number} is not `key = value` on one line, and no other TOML is read: {quoted(line)}."
            )
        values[match[2]] = _toml_value(match[3], number)
    return values


def _toml_value(text: str, number: int) -> Any:
    bare = re.sub(r"""^((?:"(?:\\.|[^"\\])*"|'[^']*'|[^"'#])*)#.*$""", r"\1", text).strip()
    if re.fullmatch(r"'[^']*'", bare):
        return bare[1:-1]
    if re.fullmatch(r"\[.*\]", bare):
        bare = re.sub(r"'([^']*)'", lambda found: json.dumps(found[1]), re.sub(r",\s*\]$", "]", bare))
    elif re.fullmatch(r"[+-]?[\d_][\d_.eE+-]*", bare):
        bare = bare.replace("_", "").lstrip("+")
    try:
        return json.loads(bare)
    except (ValueError, RecursionError) as error:
        raise ExperimentError(f"Line {number}: {quoted(text)} is not text, a number, true, false or a list.") from error


def _buckets(settings: _Settings) -> dict[str, Any]:
    numbers = re.findall(r"\d{1,9}", settings.text("max_resolution") or "1024")[:2]
    if not numbers:
        raise ExperimentError("max_resolution has no number; expected one such as 1024,1024.")
    found = {
        "resolution": [int(numbers[0]), int(numbers[-1])],
        "buckets": settings.flag("enable_bucket"),
        "bucket_no_upscale": settings.flag("bucket_no_upscale"),
        "bucket_step": settings.number("bucket_reso_steps") or 64,
    }
    if found["bucket_no_upscale"]:
        limits = [key for key in ("min_bucket_reso", "max_bucket_reso") if settings.left.pop(key, None)]
        if limits:
            settings.note(f"sd-scripts itself ignores {' and '.join(limits)} while bucket_no_upscale is on.")
        return found
    smallest, largest = settings.number("min_bucket_reso") or 256, settings.number("max_bucket_reso") or 1024
    return {**found, "bucket_min": smallest, "bucket_max": largest}


def _length(settings: _Settings) -> dict[str, Any]:
    epochs, steps = settings.number("max_train_epochs"), settings.number("max_train_steps")
    epoch = settings.number("epoch")
    if epochs and steps:
        settings.note("sd-scripts itself ignores max_train_steps where max_train_epochs is set.")
    if epoch and (epochs or steps):
        settings.note(f"kohya_ss itself ignores epoch where max_train_{'epochs' if epochs else 'steps'} is set.")
    if not epochs and not steps and not epoch:
        steps = 1600  # sd-scripts' default
    by_steps = bool(steps and not epochs)
    keep = [settings.number(f"save_last_n_{unit}") for unit in ("epochs", "steps")]
    return {
        "epochs": None if by_steps else epochs or epoch,
        "steps": steps if by_steps else None,
        "save_every_epochs": settings.number("save_every_n_epochs"),
        "save_every_steps": settings.number("save_every_n_steps"),
        "keep_last": keep[0] or keep[1],
    }


def _rates(settings: _Settings) -> dict[str, Any]:
    """Learning rates and their schedule; a text encoder's rate of 0 leaves it frozen."""
    rate = settings.number("learning_rate", float)
    asked = settings.flag("train_text_encoder")
    rates = {}
    for part in ("te1", "te2"):
        key = f"learning_rate_{part}"
        rates[f"lr_{part}"] = rate if asked and settings.left.get(key) is None else settings.number(key, float)
        settings.left.pop(key, None)
    schedule, warmup = settings.text("lr_scheduler") or "constant", settings.number("lr_warmup_steps") or 0
    if schedule == "constant" and warmup:
        settings.note("sd-scripts itself ignores lr_warmup_steps where lr_scheduler is constant.")
        warmup = 0
    schedule = schedule.removesuffix("_with_warmup")
    if schedule not in ("constant", "cosine"):
        raise ExperimentError(
            f"lr_scheduler {schedule!r} is not supported; expected constant, constant_with_warmup or cosine."
        )
    return {"lr_unet": rate, **rates, "schedule": schedule, "warmup": warmup}


def _optimizer(settings: _Settings) -> dict[str, Any]:
    name = settings.text("optimizer") or "AdamW"
    kind = {"adafactor": "adafactor", "adamw": "adamw", "adamw8bit": "adamw", "pagedadamw8bit": "adamw"}.get(
        name.lower()
    )
    if kind is None:
        raise ExperimentError(f"The optimizer {name!r} is not supported; expected Adafactor or AdamW.")
    if name.lower() not in OPTIMIZER_ARGS:
        settings.note(f"{name} becomes AdamW: its state is kept in float32, not in 8 bits.")
    given = settings.left.pop("optimizer_args", None) or []
    if not isinstance(given, str | list):
        raise ExperimentError(f"optimizer_args is {quoted(given)}, expected text or a list of texts.")
    given = given if isinstance(given, str) else " ".join(map(str, given))
    pairs = dict(re.findall(r"(?<!\w)(\w+)=(\([^()]*\)|\S+)", given))
    if kind == "adafactor":
        pairs = _fixed_rate(pairs)
    fused = settings.flag("fused_backward_pass")
    return {
        "optimizer": kind,
        "optimizer_args": {key: _argument(kind, key, value) for key, value in pairs.items()},
        "fused": fused,
        "clip": settings.number("max_grad_norm", float) or 0.0,
        "clip_by": "tensor" if fused else "global",
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
    found = re.findall(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?", value)
    try:
        numbers = [float(one) for one in found]
    except ValueError:
        numbers = []
    if not numbers:
        raise ExperimentError(f"optimizer_args has {key}={quoted(value)}, expected a number.")
    return numbers if isinstance(OPTIMIZER_ARGS[kind].get(key), tuple) else numbers[0]


def _precision(settings: _Settings, fused: bool) -> str:
    """sd-scripts rounds stochastically in its fused Adafactor alone; without full_bf16 it keeps float32 weights."""
    mixed = settings.text("mixed_precision")
    if settings.flag("full_fp16"):
        settings.note("full_fp16 becomes full_bf16: fp16 weights are not supported.")
        settings.left.pop("full_bf16", None)
        return "bf16-nearest"
    if settings.flag("full_bf16"):
        return "bf16-stochastic" if fused else "bf16-nearest"
    return "fp32" if mixed in (None, "no") else "fp32-master"


def _loss(settings: _Settings) -> dict[str, Any]:
    gamma, debiased = settings.number("min_snr_gamma", float), settings.flag("debiased_estimation_loss")
    if gamma and debiased:
        settings.note("debiased_estimation_loss is ignored beside min_snr_gamma; both at once are not supported.")
    weight = settings.number("prior_loss_weight", float)
    if weight not in (None, 1.0):
        settings.note('sdxl_train.py itself ignores prior_loss_weight; remove "prior" from compat to make it work.')
    kinds = {"loss_weighting": "min-snr" if gamma else "debiased" if debiased else "none"}
    return {**kinds, "prior_loss_weight": weight or 1.0, **({"min_snr_gamma": gamma} if gamma else {})}


def _account(settings: _Settings) -> None:
    """Name every key that was not used."""
    sd1 = [key for key in ("learning_rate_te", "text_encoder_lr") if settings.left.pop(key, None) not in _UNSET]
    if sd1:
        settings.note(f"sdxl_train.py itself ignores {', '.join(sd1)}.")
    left = settings.left
    quiet = sorted(key for key in left if key in _QUIET)
    unset = sorted(
        key for key, value in left.items()
        if key not in _QUIET and (value in _UNSET or str(value) == str(_HARMLESS.get(key, "?")))
    )  # fmt: skip
    loud = sorted(left.keys() - set(quiet) - set(unset))
    if loud:
        settings.note("Ignored, though set: " + ", ".join(f"{key} = {quoted(left[key])}" for key in loud) + ".")
    if quiet:
        settings.note(f"Ignored, without influence on the weights: {', '.join(quiet)}.")
    if unset:
        settings.note(f"Ignored, unset: {', '.join(unset)}.")
