"""kohya_ss' saved settings as the arguments that it would hand to sdxl_train.py.

Source: https://github.com/bmaltais/kohya_ss/blob/45088f04/kohya_gui/dreambooth_gui.py (train_model). Numbers are often
text there, and 0 or nothing mostly means unset.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.command import read_options
from ohwx_compare.words import counted

__all__ = ["gui_arguments"]

_RENAMED = {
    "max_resolution": "resolution", "optimizer": "optimizer_type", "sdxl_no_half_vae": "no_half_vae",
    "sdxl_cache_text_encoder_outputs": "cache_text_encoder_outputs",
}  # fmt: skip
_COUNTED = (".jpg", ".jpeg", ".png", ".webp")  # what kohya_ss counts; sd-scripts reads .bmp too


def gui_arguments(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments, and what to know about them. `additional_parameters` stand over the rest.

    Raises ExperimentError for a number that is none and for parameters that cannot be read.
    """
    notes: list[str] = []
    told = {_RENAMED.get(key, key): value for key, value in values.items()}
    if "sdxl_checkbox" not in told:  # the tab Finetuning alone has a box for it
        told["train_text_encoder"] = any(_number(told, f"learning_rate_{part}") > 0 for part in ("te1", "te2"))
    told["lr_warmup_steps"] = _warmup(told)
    if told.pop("use_8bit_adam", False) and "optimizer_type" not in told:
        told["optimizer_type"] = "AdamW8bit"
    epoch = round(_number(told, "epoch"))
    if told.get("dataset_config"):
        if epoch and not any(_number(told, f"max_train_{unit}") for unit in ("epochs", "steps")):
            notes.append("kohya_ss itself ignores epoch where dataset_config is set; sd-scripts takes 1600 steps then.")
    elif epoch and any(_number(told, f"max_train_{unit}") for unit in ("epochs", "steps")):
        length = "epochs" if _number(told, "max_train_epochs") else "steps"
        notes.append(f"kohya_ss itself ignores epoch where max_train_{length} is set.")
    elif epoch:
        told |= _length(told, epoch, notes)
    told.pop("epoch", None)
    told.pop("lr_warmup", None)
    more = str(told.pop("additional_parameters", "") or "")
    return {**told, **read_options(more)}, notes


def _number(values: Mapping[str, Any], key: str) -> float:
    value = values.get(key)
    try:
        number = float(value) if value not in (None, "") else 0.0
    except (TypeError, ValueError) as error:
        raise ExperimentError(f"{key} is {value!r}, expected a number.") from error
    if not math.isfinite(number):
        raise ExperimentError(f"{key} is {value!r}, expected a number.")
    return number


def _warmup(values: Mapping[str, Any]) -> int | float:
    """Steps, or a share of all steps made from the percent of `lr_warmup`."""
    return int(_number(values, "lr_warmup_steps")) or _number(values, "lr_warmup") / 100


def _length(values: Mapping[str, Any], epoch: int, notes: list[str]) -> dict[str, Any]:
    """kohya_ss turns epochs into steps, by its own count of the pictures."""
    shown = _shown(Path(str(values.get("train_data_dir", "")).strip()))
    if not shown:
        return {"max_train_epochs": epoch}
    batch = max(1, int(_number(values, "train_batch_size")))
    accumulation = max(1, int(_number(values, "gradient_accumulation_steps")))
    doubled = 2 if str(values.get("reg_data_dir") or "").strip() else 1
    steps = math.ceil(shown / batch / accumulation * epoch * doubled)
    twice = " and twice that with regularization images" if doubled > 1 else ""
    notes.append(
        f"kohya_ss makes {counted(epoch, 'epoch')} into {counted(steps, 'step')}: {counted(shown, 'picture')} an "
        f"epoch, {batch * accumulation} a step{twice}; sd-scripts' own epochs, which count each bucket's short batch, "
        "may be longer."
    )
    return {"max_train_steps": steps}


def _shown(folder: Path) -> int:
    """Pictures times repeats, as kohya_ss counts them."""
    count = 0
    try:
        for inside in folder.iterdir():
            repeats = inside.name.split("_")[0]
            if inside.is_dir() and repeats.isdecimal():
                count += int(repeats) * sum(path.name.lower().endswith(_COUNTED) for path in inside.iterdir())
    except OSError:
        return 0  # the plan says what is wrong with the folder
    return count
