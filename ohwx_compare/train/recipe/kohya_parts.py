"""sd-scripts' arguments as fields of a recipe, part by part; each part notes what the script itself ignores."""

import re
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.presets import CHOICES, COMPAT, FREE_SIDES, OPTIMIZER_ARGS
from ohwx_compare.train.recipe.settings import GivenSettings

__all__ = [
    "buckets",
    "captions",
    "length",
    "loss",
    "noise",
    "optimizer",
    "rates",
    "save_precision",
    "saves",
    "schedule",
]

_OPTIMIZERS = {
    "adafactor": "adafactor", "adamw": "adamw", "adamw8bit": "adamw8bit", "pagedadamw8bit": "adamw8bit",
    "prodigy": "prodigy", "came_pytorch.came": "came",
}  # fmt: skip
_BLOCKS = 23  # that `block_lr` names


def buckets(settings: GivenSettings) -> dict[str, Any]:
    """Resolution and buckets."""
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


def captions(settings: GivenSettings) -> dict[str, Any]:
    """How a picture and its caption vary from time to time."""
    return {
        "flip": settings.flag("flip_aug"),
        "caption_dropout": settings.number("caption_dropout_rate", float) or 0.0,
        "shuffle": settings.flag("shuffle_caption"),
        "keep_tokens": settings.number("keep_tokens") or 0,
        "keep_tokens_separator": settings.text("keep_tokens_separator"),
        "tag_dropout": settings.number("caption_tag_dropout_rate", float) or 0.0,
        "caption_prefix": settings.text("caption_prefix") or "",
        "caption_suffix": settings.text("caption_suffix") or "",
    }


def length(settings: GivenSettings) -> dict[str, Any]:
    """Epochs or steps."""
    if settings.left.pop("epoch", None):
        settings.note("sdxl_train.py itself ignores epoch; max_train_epochs is its name there.")
    epochs, steps = settings.number("max_train_epochs"), settings.number("max_train_steps")
    if epochs and steps:
        settings.note("sd-scripts itself ignores max_train_steps where max_train_epochs is set.")
    return {"epochs": epochs, "steps": None if epochs else steps or 1600}


def saves(settings: GivenSettings) -> dict[str, Any]:
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


def rates(settings: GivenSettings) -> dict[str, Any]:
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
            named = [float(text) for text in re.findall(r"[\d.]+(?:[eE][+-]?\d+)?", str(blocks))]
            rates["lr_blocks"] = named
    return {"lr_unet": rate, **rates}


def schedule(settings: GivenSettings) -> dict[str, Any]:
    """The course of the learning rate."""
    schedule, warmup = settings.text("lr_scheduler") or "constant", _warmup(settings)
    cycles = settings.number("lr_scheduler_num_cycles") or 1
    power = settings.number("lr_scheduler_power", float) or 1.0
    if schedule == "constant" and warmup:
        settings.note("sd-scripts itself refuses lr_warmup_steps where lr_scheduler is constant; it is left out.")
        warmup = 0
    schedule = schedule.removesuffix("_with_warmup").replace("cosine_with_restarts", "cosine-restarts")
    if schedule not in CHOICES["schedule"]:
        raise ExperimentError(
            f"lr_scheduler {schedule!r} is not supported; expected constant, constant_with_warmup, linear, cosine, "
            "cosine_with_restarts or polynomial."
        )
    if schedule == "cosine-restarts" and cycles == 1:
        schedule = "cosine"  # the same curve
    return {"schedule": schedule, "warmup": warmup, "schedule_cycles": cycles, "schedule_power": power}


def _warmup(settings: GivenSettings) -> int | float:
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


def optimizer(settings: GivenSettings) -> dict[str, Any]:
    """The optimiser, its clipping and precision."""
    asked = "AdamW8bit" if settings.flag("use_8bit_adam") else "AdamW"
    name = settings.text("optimizer_type") or asked
    kind = _OPTIMIZERS.get(name.lower())
    if kind is None:
        raise ExperimentError(
            f"The optimizer {name!r} is not supported; expected Adafactor, AdamW, AdamW8bit, Prodigy or "
            "came_pytorch.CAME."
        )
    if name.lower() == "pagedadamw8bit":
        settings.note(f"{name} is taken as AdamW8bit: its state stays on the device.")
    given = settings.left.pop("optimizer_args", None) or []
    if not isinstance(given, str | list):
        raise ExperimentError(f"optimizer_args is {given!r}, expected a text or a list of texts.")
    text = given if isinstance(given, str) else " ".join(map(str, given))
    pairs = dict(re.findall(r"(?<!\w)(\w+)=(\([^()]*\)|\S+)", text))
    if kind == "adafactor":
        pairs = _fixed_rate(pairs)
    if kind == "prodigy" and pairs.pop("decouple", "True").lower() != "true":
        raise ExperimentError("Prodigy with decouple=False is not supported; take it out of optimizer_args.")
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
    if isinstance(OPTIMIZER_ARGS[kind].get(key), bool) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    parts = value.strip("()[]").split(",")
    try:
        numbers = [float(part) for part in parts if part]
    except ValueError:
        numbers = []
    if not numbers:
        raise ExperimentError(f"optimizer_args {key}={value} is not a number.")
    return numbers if isinstance(OPTIMIZER_ARGS[kind].get(key), tuple) else numbers[0]


def _precision(settings: GivenSettings, fused: bool) -> str:
    """sd-scripts rounds stochastically in its fused Adafactor alone; without full_bf16 it keeps float32 weights."""
    mixed = settings.text("mixed_precision")
    if settings.flag("full_bf16"):
        return "bf16-stochastic" if fused else "bf16-nearest"
    return {None: "fp32", "no": "fp32", "fp16": "fp16"}.get(mixed, "fp32-master")


def loss(settings: GivenSettings) -> dict[str, Any]:
    """The loss, its weights and masks."""
    gamma, debiased = settings.number("min_snr_gamma", float), settings.flag("debiased_estimation_loss")
    scaled, like = settings.flag("scale_v_pred_loss_like_noise_pred"), settings.number("v_pred_like_loss", float)
    weight = settings.number("prior_loss_weight", float)
    if weight not in (None, 1.0):
        settings.note('sdxl_train.py itself ignores prior_loss_weight; take "prior" out of compat to make it work.')
    kind = (settings.text("loss_type") or "l2").replace("smooth_l1", "smooth-l1")
    if kind not in CHOICES["loss"]:
        raise ExperimentError(f"loss_type is {kind!r}, expected l2, l1, huber or smooth_l1.")
    by_sample = bool(gamma or debiased or scaled or like)
    return {
        "loss_weighting": "min-snr" if gamma else "debiased" if debiased else "none",
        "prior_loss_weight": weight or 1.0,
        "loss": kind,
        "huber_schedule": settings.text("huber_schedule") or "snr",
        "huber_c": settings.number("huber_c", float) or 0.1,
        "huber_scale": settings.number("huber_scale", float) or 1.0,
        "scale_v_loss": scaled,
        "v_like_loss": like or 0.0,
        "zero_snr": settings.flag("zero_terminal_snr") or None,
        **_masks(settings, by_sample),
        **({"min_snr_gamma": gamma} if gamma else {}),
    }


def _masks(settings: GivenSettings, by_sample: bool) -> dict[str, Any]:
    """sdxl_train.py looks at masks only where a sample's loss is taken by itself."""
    masked, alpha = settings.flag("masked_loss"), settings.flag("alpha_mask")
    if alpha and not (masked or by_sample):
        settings.note("sdxl_train.py itself ignores alpha_mask without masked_loss; it is left out.")
    if masked and not alpha:
        settings.note("masked_loss does nothing without alpha_mask: sdxl_train.py itself reads no other masks.")
    return {"masks": "alpha" if alpha and (masked or by_sample) else None}


def noise(settings: GivenSettings) -> dict[str, Any]:
    """Noise and the noise levels that are trained."""
    first = settings.number("min_timestep") or 0
    end = settings.number("max_timestep") or 1000
    if first >= end:
        settings.note(f"sd-scripts itself trains timestep {end} alone where min_timestep is not below max_timestep.")
        first, end = end, end + 1
    return {
        "noise_offset": settings.number("noise_offset", float) or 0.0,
        "noise_offset_random": settings.flag("noise_offset_random_strength"),
        "adaptive_noise_scale": settings.number("adaptive_noise_scale", float) or 0.0,
        "multires_iterations": settings.number("multires_noise_iterations") or 0,
        "multires_discount": settings.number("multires_noise_discount", float) or 0.0,
        "ip_noise_gamma": settings.number("ip_noise_gamma", float) or 0.0,
        "ip_noise_gamma_random": settings.flag("ip_noise_gamma_random_strength"),
        "min_timestep": first,
        "max_timestep": end,
    }


def save_precision(settings: GivenSettings) -> str | None:
    """The dtype of the checkpoints; None is the base's."""
    kind = settings.text("save_precision")
    return {"float": "fp32", "fp32": "fp32", "fp16": "fp16", "bf16": "bf16"}.get(kind or "")
