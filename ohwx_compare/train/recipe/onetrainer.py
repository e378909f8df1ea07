"""A configuration of OneTrainer (its JSON, as a preset or as it saves it) as a recipe: full fine-tunes of SDXL.

Each setting is honoured, named as without influence, or refused until it is given up by name (onetrainer_keys.py), as
with kohya's trainer. Older files hold the same settings flat; they are brought into the newer form first.
"""

import math
from collections.abc import Collection, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.kohya import WITHOUT
from ohwx_compare.train.recipe.onetrainer_concepts import read_concepts
from ohwx_compare.train.recipe.onetrainer_keys import (
    ONETRAINER_CHANGING,
    ONETRAINER_PARTS,
    ONETRAINER_QUIET,
    ONETRAINER_READ,
    QUIET_BEGINS,
)
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.recipe.settings import Imported
from ohwx_compare.words import quoted

__all__ = ["from_onetrainer"]

_MODEL = "STABLE_DIFFUSION_XL_10_BASE"
_SAVED = {"FLOAT_32": "fp32", "FLOAT_16": "fp16", "BFLOAT_16": "bf16"}
_SCHEDULES = {"CONSTANT": "constant", "LINEAR": "linear", "COSINE_WITH_HARD_RESTARTS": "cosine-restarts"}
_WEIGHTS = {"CONSTANT": "none", "MIN_SNR_GAMMA": "min-snr", "DEBIASED_ESTIMATION": "debiased"}
_OPTIMIZERS = {"ADAFACTOR": "adafactor", "ADAMW": "adamw", "ADAMW_8BIT": "adamw8bit"}
_ARGUMENTS = {"adafactor": ("clip_threshold", "decay_rate", "eps", "weight_decay"), "adamw": ("eps", "weight_decay")}
_NEVER = ("NEVER", 0)
_NUMBERS = frozenset({
    "epochs", "learning_rate", "learning_rate_warmup_steps", "learning_rate_cycles", "mse_strength", "mae_strength",
    "min_noising_strength", "max_noising_strength", "save_every", "stop_training_after",
})  # fmt: skip
_TEXTS = frozenset({
    "training_method", "model_type", "learning_rate_scheduler", "loss_weight_fn", "save_every_unit", "optimizer",
    "stop_training_after_unit", "weight_dtype", "train_dtype", "ema",
})  # fmt: skip


def from_onetrainer(values: Mapping[str, Any], without: Collection[str] = (), folder: Path = Path()) -> Imported:
    """A recipe that does what OneTrainer does with these settings.

    without: settings that may be left out although they change the training. folder: where the concepts' file is looked
    for. Raises ExperimentError for what cannot be trained here.
    """
    told = _newer(values)
    given_up = {*without, *str(told.pop(WITHOUT, "") or "").replace(",", " ").split()}
    _require_kinds(told)
    _require_full_sdxl(told)
    notes: list[str] = []
    changing = _changing(told)
    concepts, more, captions = read_concepts(told, folder, notes)
    recipe = {
        **_places(told, notes), "concepts": concepts, "captions": captions, "compat": ["tokens"],
        "resolution": _resolution(told, changing), "buckets": bool(told.get("aspect_ratio_bucketing", True)),
        "epochs": told.get("epochs", 100), "batch": told.get("batch_size", 1),
        "accumulation": told.get("gradient_accumulation_steps", 1),
        "save_precision": _SAVED.get(str(told.get("output_dtype", "FLOAT_32"))),
        **_rates(told, changing), **_schedule(told, changing), **_optimizer(told, changing, notes),
        **_loss(told, changing), **_saves(told, notes), **_average(told),
    }  # fmt: skip
    _refuse({**changing, **more}, given_up, notes)
    quiet = sorted(key for key in told if key in ONETRAINER_QUIET and told[key] not in (None, "", False, [], {}))
    if quiet:
        notes.append(f"Ignored, without influence on the weights: {', '.join(quiet)}.")
    return Imported(Recipe.from_dict(recipe), tuple(notes))


def _newer(values: Mapping[str, Any]) -> dict[str, Any]:
    """The flat settings of older files as those of newer ones."""
    told = dict(values)
    if not isinstance(told.get("optimizer", {}), Mapping):
        flat = {name.removeprefix("optimizer_"): told.pop(name) for name in list(told) if name.startswith("optimizer_")}
        flat.pop("defaults", None)
        told["optimizer"] = {"weight_decay": told.pop("weight_decay", None), **flat, "optimizer": told["optimizer"]}
    for part in ONETRAINER_PARTS:
        given = told.get(part, {})
        if not isinstance(given, Mapping):
            raise ExperimentError(f"{part} is {quoted(given)}, expected a JSON object.")
        own = dict(given)
        moved = {"train": f"train_{part}", "learning_rate": f"{part}_learning_rate", "model_name": f"{part}_model_name",
                 "weight_dtype": f"{part}_weight_dtype", "stop_training_after": f"train_{part}_epochs"}  # fmt: skip
        for name, old in moved.items():
            if old in told:
                own.setdefault(name, told.pop(old))
                if name == "stop_training_after":
                    own.setdefault("stop_training_after_unit", "EPOCH")
        told[part] = own
    if gamma := told.pop("min_snr_gamma", None):
        told |= {"loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": gamma}
    if not told.get("layer_filter") or told.get("layer_filter_preset") == "full":
        told["layer_filter"] = ""
    if not told.get("masked_training"):  # of masks alone
        for name in ("unmasked_probability", "unmasked_weight"):
            told.pop(name, None)
    return told


def _require_kinds(told: Mapping[str, Any]) -> None:
    """Raise ExperimentError for numbers and words that are none."""
    inside = {
        f"{part}.{name}": value
        for part in (*ONETRAINER_PARTS, "optimizer")
        for name, value in told.get(part, {}).items()
    }
    for name, value in {**told, **inside}.items():
        last = name.rpartition(".")[2]
        if value is None or name == "optimizer":  # an object
            continue
        is_number = isinstance(value, int | float) and math.isfinite(value)
        if last in _NUMBERS and not is_number:
            raise ExperimentError(f"{name} is {quoted(value)}, expected a number.")
        if last in _TEXTS and not isinstance(value, str):
            raise ExperimentError(f"{name} is {quoted(value)}, expected text.")


def _require_full_sdxl(told: Mapping[str, Any]) -> None:
    method, model = told.get("training_method", "FINE_TUNE"), told.get("model_type", "STABLE_DIFFUSION_15")
    if method != "FINE_TUNE":
        lora = ' A recipe with "network": "lora" trains a LoRA.' if method == "LORA" else ""
        raise ExperimentError(f"This configuration of OneTrainer trains by {method}; only FINE_TUNE is read.{lora}")
    if model != _MODEL:
        raise ExperimentError(f"This configuration of OneTrainer trains {model}; only {_MODEL} is read.")


def _changing(told: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """What is set, changes the training and is not built: setting -> value, what it does."""
    found = {}
    for key, (neutral, what) in ONETRAINER_CHANGING.items():
        part, _, name = key.rpartition(".")
        value = (told.get(part) or {}).get(name, neutral) if part else told.get(key, neutral)
        # what masks leave over counts 0.1 unless the file says otherwise
        if value != neutral or (key.startswith("unmasked") and told.get("masked_training") and value):
            found[key] = (value, what)
    for key, value in told.items():
        known = (
            key in ONETRAINER_READ
            or key in ONETRAINER_QUIET
            or key in ONETRAINER_CHANGING
            or key.startswith(QUIET_BEGINS)
        )
        if not known and value not in (None, "", False, 0, [], {}):
            found[key] = (value, "not known here")
    return found


def _refuse(changing: Mapping[str, tuple[Any, str]], given_up: Collection[str], notes: list[str]) -> None:
    refused = [key for key in changing if key not in given_up]
    if refused:
        named = "; ".join(f"{key} = {quoted(changing[key][0])} ({changing[key][1]})" for key in refused)
        raise ExperimentError(
            f"These settings change the training and are not supported: {named}. Take them out, or give them up by "
            f"name: set {WITHOUT} to {','.join(refused)}."
        )
    if changing:
        shown = ", ".join(f"{key} = {quoted(value)}" for key, (value, _) in changing.items())
        notes.append(f"Given up, though set: {shown}.")


def _places(told: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    base, target = told.get("base_model_name"), told.get("output_model_destination") or "models/model.safetensors"
    if not isinstance(base, str) or not base or not isinstance(target, str):
        raise ExperimentError("This configuration of OneTrainer lacks base_model_name; add the path of a checkpoint.")
    if not base.lower().endswith((".safetensors", ".ckpt")):
        notes.append(f"base_model_name {quoted(base)} names no single file; give the SDXL checkpoint's path instead.")
    where = PureWindowsPath(target)  # which reads both kinds of separators
    name = where.stem if where.suffix else where.name
    notes.append(f"OneTrainer's captions end after 75 tokens, and so do these; {quoted(name)} is a folder here.")
    return {"base": base, "output": (where.parent / name).as_posix(), "name": name,
            "vae": told["vae"].get("model_name") or None}  # fmt: skip


def _resolution(told: Mapping[str, Any], changing: dict[str, tuple[Any, str]]) -> list[int]:
    """OneTrainer says "1024", 1024 or "1216x832"; "512, 768" is several, of which the first is taken if given up."""
    first, *others = str(told.get("resolution", "512")).split(",")
    if others:
        changing["resolution"] = (told["resolution"], "several sizes; concepts of a recipe may have one each")
    sides = first.lower().split("x")
    try:
        width, height = [int(float(side)) for side in (sides * 2 if len(sides) == 1 else sides)]
    except (ValueError, OverflowError) as error:
        raise ExperimentError(f"resolution is {quoted(told['resolution'])}, expected px such as 1024.") from error
    return [width, height]


def _rates(told: Mapping[str, Any], changing: dict[str, tuple[Any, str]]) -> dict[str, Any]:
    """A part trains unless it says otherwise; the text encoders for 30 epochs then."""
    rates, epochs = {}, told.get("epochs", 100)
    for part, name in zip(ONETRAINER_PARTS, ("lr_unet", "lr_te1", "lr_te2"), strict=False):
        own = told[part]
        trains = own.get("train", True)
        rate = own.get("learning_rate")
        rates[name] = (told.get("learning_rate", 3e-6) if rate is None else rate) if trains else None
        usual = (None, "NEVER") if part == "unet" else (30, "EPOCH")
        after, unit = own.get("stop_training_after", usual[0]), own.get("stop_training_after_unit", usual[1])
        ends = unit not in _NEVER and after and not (unit == "EPOCH" and after >= epochs)
        if trains and ends:
            changing[f"{part}.stop_training_after"] = (after, "it stops learning before the others")
    return rates


def _schedule(told: Mapping[str, Any], changing: dict[str, tuple[Any, str]]) -> dict[str, Any]:
    """OneTrainer's COSINE and COSINE_WITH_RESTARTS are other curves than everybody's: the former ends at half."""
    kind, warmup = told.get("learning_rate_scheduler", "CONSTANT"), told.get("learning_rate_warmup_steps", 200)
    if kind not in _SCHEDULES:
        changing["learning_rate_scheduler"] = (kind, "another curve; given up, it is constant")
    share = isinstance(warmup, int | float) and 0 < warmup < 1
    cycles = told.get("learning_rate_cycles", 1)
    if kind == "COSINE_WITH_HARD_RESTARTS" and cycles != int(cycles):
        changing["learning_rate_cycles"] = (cycles, "no whole number of cycles")
    return {"schedule": _SCHEDULES.get(kind, "constant"), "schedule_cycles": max(1, int(cycles)),
            "warmup": warmup if share else int(warmup)}  # fmt: skip


def _optimizer(told: Mapping[str, Any], changing: dict[str, tuple[Any, str]], notes: list[str]) -> dict[str, Any]:
    own = told.get("optimizer", {})
    name = own.get("optimizer", "ADAMW")
    if name not in _OPTIMIZERS:
        raise ExperimentError(f"The optimizer {quoted(name)} is not supported; expected {', '.join(_OPTIMIZERS)}.")
    kind = _OPTIMIZERS[name]
    said = {key: own.get(key) for key in _ARGUMENTS["adafactor" if kind == "adafactor" else "adamw"]}
    arguments = {key: value for key, value in said.items() if value is not None}
    if kind != "adafactor":
        betas = (own.get("beta1"), own.get("beta2"))
        arguments["betas"] = [usual if one is None else one for one, usual in zip(betas, (0.9, 0.999), strict=True)]
    odd = ("scale_parameter", "relative_step", "warmup_init") if kind == "adafactor" else ("amsgrad", "maximize")
    for key in (*odd, *(["beta1"] if kind == "adafactor" else [])):
        if own.get(key):
            changing[f"optimizer.{key}"] = (own[key], "another optimiser")
    fused = bool(own.get("fused_back_pass", False))
    clip = told.get("clip_grad_norm", 1.0)
    return {
        "optimizer": kind, "optimizer_args": arguments, "fused": fused, "clip": 0.0 if clip is None else clip,
        "clip_by": "tensor" if fused else "global", "checkpointing": _checkpoints(told),
        "precision": _precision(told, bool(own.get("stochastic_rounding", True)), changing, notes),
    }  # fmt: skip


def _checkpoints(told: Mapping[str, Any]) -> bool:
    old = told.get("gradient_checkpointing")
    return bool(told["unet"].get("gradient_checkpointing", True)) if old is None else old not in (False, "OFF")


def _precision(told: Mapping[str, Any], rounds: bool, changing: dict[str, tuple[Any, str]], notes: list[str]) -> str:
    weights = told["unet"].get("weight_dtype", "FLOAT_32")
    weights = told.get("weight_dtype", "FLOAT_32") if weights in (None, "NONE") else weights
    computed = told.get("train_dtype", "FLOAT_16")
    if computed == "FLOAT_16":
        notes.append("train_dtype FLOAT_16 is computed in bf16.")
    if weights == "FLOAT_32":
        return "fp32" if computed == "FLOAT_32" else "fp32-master"
    if weights != "BFLOAT_16":
        changing["unet.weight_dtype"] = (weights, "weights of another kind; bf16 would be taken")
    return "bf16-stochastic" if rounds else "bf16-nearest"


def _loss(told: Mapping[str, Any], changing: dict[str, tuple[Any, str]]) -> dict[str, Any]:
    squared, absolute = told.get("mse_strength", 1.0), told.get("mae_strength", 0.0)
    if (squared, absolute) not in ((1, 0), (0, 1)):
        changing["mse_strength"] = (squared, f"a sum of losses, with mae_strength {absolute}")
    kind, strength = told.get("loss_weight_fn", "CONSTANT"), told.get("loss_weight_strength", 5.0)
    if kind not in _WEIGHTS:
        changing["loss_weight_fn"] = (kind, "another weight of the noise levels")
    is_v, is_eps = told.get("force_v_prediction"), told.get("force_epsilon_prediction")
    low, high = (told.get(f"{end}_noising_strength", usual) for end, usual in (("min", 0.0), ("max", 1.0)))
    return {
        "loss": "l1" if (squared, absolute) == (0, 1) else "l2", "loss_weighting": _WEIGHTS.get(kind, "none"),
        **({"min_snr_gamma": strength} if kind == "MIN_SNR_GAMMA" else {}),
        "prediction": "v" if is_v else "eps" if is_eps else None,
        "zero_snr": bool(told.get("rescale_noise_scheduler_to_zero_terminal_snr")) or None,
        "masks": "beside" if told.get("masked_training") else None,
        "noise_offset": told.get("offset_noise_weight", 0.0),
        "min_timestep": int(1000 * low), "max_timestep": int(1000 * high),
    }  # fmt: skip


def _saves(told: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    every, unit = told.get("save_every", 0), told.get("save_every_unit", "NEVER")
    if every and unit not in ("EPOCH", "STEP", *_NEVER):
        notes.append(f"Saves by {unit} are not supported; the last checkpoint alone is saved.")
    return {
        "save_every_epochs": int(every) if every and unit == "EPOCH" else None,
        "save_every_steps": int(every) if every and unit == "STEP" else None,
    }


def _average(told: Mapping[str, Any]) -> dict[str, Any]:
    if told.get("ema", "OFF") == "OFF":
        return {}
    every = told.get("ema_update_step_interval", 5)
    return {"ema": told.get("ema_decay", 0.999), "ema_ramp": True, "ema_every": every}
