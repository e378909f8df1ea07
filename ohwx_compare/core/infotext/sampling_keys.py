"""The keys by which an infotext tells the settings of sampling that are not at their defaults: one table of them.

Source: `modules/shared_options.py` (`infotext=`), `modules/sd_samplers_*.py` and `modules/processing.py` of the webui
at 82a973c. The webui takes UniPC's keys from a text, but writes none of them.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from ohwx_compare.core.infotext.pairs import Infotext, read_real, read_whole
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.named_values import EMPHASIS_MODES, UNIPC_SKIP_TYPES, UNIPC_VARIANTS
from ohwx_compare.errors import InfotextError

__all__ = ["UNTOLD", "is_sampling_key", "keys_of", "sampling_pairs", "sampling_settings"]

UNTOLD = (
    "comma_backtrack", "clip_l_skip", "fix_steps", "resize_mode", "color_correction", "overlay", "hires_first_loras",
    "upscaler_tile", "upscaler_overlap", "img2img_upscaler", "background", "sde_drawn_seed",
)  # fmt: skip
"""Settings that no key of the webui's tells; ours does."""

_RESIZED, _NOISE = "Seed resize from", "Noise Schedule"
_SIZE = re.compile(r"\s*(-?\d{1,6})x(-?\d{1,6})\s*")
_SCHEDULES = {"Default": False, "Zero Terminal SNR": True}
_ZEROS = re.compile(r"\.0*\s*\Z")  # other programs write whole numbers as 20.0


def _whole(text: str, key: str) -> int:
    return read_whole(_ZEROS.sub("", text), key)


def _one_of(*known: str) -> Callable[[str, str], str]:
    def read(text: str, key: str) -> str:
        if text.strip() not in known:
            raise InfotextError(f"{key} is {text[:40]!r}, expected one of {', '.join(known)}.")
        return text.strip()

    return read


def _switch(text: str, key: str) -> bool:
    return _one_of("True", "False")(text.strip().capitalize(), key) == "True"


@dataclass(frozen=True)
class _Key:
    """A key, the job's field it tells, and how its value is read."""

    name: str
    field: str
    read: Callable[[str, str], Any]
    also: str = ""  # what some versions call it where they take it from a text


_KEYS = (  # in the webui's order
    _Key("ENSD", "ensd", _whole),
    _Key("Tiling", "tiling", _switch),
    _Key("Emphasis", "emphasis", _one_of(*EMPHASIS_MODES)),
    _Key("Old prompt editing timelines", "old_timelines", _switch),
    _Key("Downcast alphas_cumprod", "half_levels", _switch),
    _Key("Discard penultimate sigma", "discard_penultimate", _switch),
    _Key("Schedule min sigma", "sigma_min", read_real),
    _Key("Schedule max sigma", "sigma_max", read_real),
    _Key("Schedule rho", "rho", read_real),
    _Key("Beta schedule alpha", "beta_alpha", read_real, "Beta scheduler alpha"),
    _Key("Beta schedule beta", "beta_beta", read_real, "Beta scheduler beta"),
    _Key("SGM noise multiplier", "sgm_noise", _switch, "SGM noise multplier"),
    _Key("Eta", "eta", read_real),
    _Key("Eta DDIM", "eta_ddim", read_real),
    _Key("Sigma churn", "s_churn", read_real),
    _Key("Sigma tmin", "s_tmin", read_real),
    _Key("Sigma tmax", "s_tmax", read_real),
    _Key("Sigma noise", "s_noise", read_real),
    _Key("UniPC variant", "unipc_variant", _one_of(*UNIPC_VARIANTS)),
    _Key("UniPC skip type", "unipc_skip_type", _one_of(*UNIPC_SKIP_TYPES)),
    _Key("UniPC order", "unipc_order", _whole),
    _Key("UniPC lower order final", "unipc_lower_order_final", _switch),
    _Key("Pad conds", "pad_texts", _switch),
    _Key("Pad conds v0", "pad_negative", _switch),
    _Key("Skip Early CFG", "skip_early_cfg", read_real),
    _Key("NGMS", "ngms", read_real),
    _Key("NGMS all steps", "ngms_all", _switch),
    _Key("Noise multiplier", "noise_multiplier", read_real),
    _Key("Extra noise", "extra_noise", read_real),
)
_NAMES = frozenset(name for key in _KEYS for name in (key.name, key.also) if name) | {_RESIZED, _NOISE}
_PLAIN = Job(prompt="", seed=0)


def is_sampling_key(key: str) -> bool:
    """Whether `key` tells one of these settings."""
    return key in _NAMES


def keys_of(fields: Container[str]) -> tuple[str, ...]:
    """The keys that tell these fields of a job."""
    told = {name: key.field for key in _KEYS for name in (key.name, key.also) if name}
    others = {_NOISE: "zero_snr", _RESIZED: "seed_resize_width"}
    return tuple(key for key, field in {**told, **others}.items() if field in fields)


def sampling_settings(infotext: Infotext) -> dict[str, Any]:
    """Fields of `Job` and what the text says of them. Raises InfotextError for a value that the key cannot have."""
    said: dict[str, Any] = {
        key.field: key.read(text, name)
        for key in _KEYS
        for name in (key.also, key.name)
        if name and (text := infotext.get(name)) is not None
    }
    if (text := infotext.get(_NOISE)) is not None:
        said["zero_snr"] = _SCHEDULES[_one_of(*_SCHEDULES)(text, _NOISE)]
    if (text := infotext.get(_RESIZED)) is not None:
        said["seed_resize_width"], said["seed_resize_height"] = _size(text)
    return said


def sampling_pairs(job: Job) -> dict[str, object]:
    """Keys and values of what is not at its default, in the order in which the webui writes them."""
    pairs: dict[str, object] = {}
    if job.seed_resize_width > 0 and job.seed_resize_height > 0:
        pairs[_RESIZED] = f"{job.seed_resize_width}x{job.seed_resize_height}"
    if job.zero_snr:
        pairs[_NOISE] = "Zero Terminal SNR"
    for key in _KEYS:
        value = getattr(job, key.field)
        is_shape = key.field in ("beta_alpha", "beta_beta") and job.schedule == "Beta"
        if is_shape or value != getattr(_PLAIN, key.field):
            pairs[key.name] = value
    return pairs


def _size(text: str) -> tuple[int, int]:
    """Width and height; older webuis wrote -1x-1 for none."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise InfotextError(f"{_RESIZED} is {text[:40]!r}, expected width x height like 512x768.")
    width, height = int(found[1]), int(found[2])
    return (width, height) if width > 0 and height > 0 else (0, 0)
