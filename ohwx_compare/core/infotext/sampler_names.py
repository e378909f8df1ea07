"""What a sampler's name in an infotext means, which depends on the webui that wrote it.

Up to 1.8 the schedule is part of the name ("DPM++ 2M SDE Karras") and a bare name draws with the model's own schedule.
From 1.9 it is a key of its own, and Automatic stands for the sampler's own schedule (`modules/sd_samplers.py`,
`modules/sd_schedulers.py` at 82a973c; `modules/sd_samplers_kdiffusion.py` at v1.8.0).
"""

import re

__all__ = ["SAMPLERS", "SCHEDULE_NAMES", "Version", "one_name", "read_version", "split_sampler"]

Version = tuple[int, ...]

SAMPLERS = (  # what our engine supports
    "DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 2S a", "DPM++ 3M SDE", "Euler a", "Euler",
    "LMS", "Heun", "DPM2", "DPM2 a", "DPM fast", "DPM adaptive", "Restart", "DDIM", "DDIM CFG++", "PLMS", "UniPC",
    "LCM",
)  # fmt: skip
SCHEDULE_NAMES = (
    "Automatic", "Uniform", "Karras", "Exponential", "Polyexponential", "SGM Uniform", "KL Optimal",
    "Align Your Steps", "Simple", "Normal", "DDIM", "Beta",
)  # fmt: skip

_LABELS = (*SCHEDULE_NAMES, "Align Your Steps 11", "Align Your Steps 32", "Align Your Steps GITS", "Turbo")
_SPLIT_SINCE = (1, 9)
_AUTOMATIC = {  # what 1.10 draws with (`samplers_k_diffusion` at 82a973c); all others: the model's schedule
    "DPM++ 2M": "Karras",
    "DPM++ 2M SDE": "Exponential",
    "DPM++ 2M SDE Heun": "Exponential",
    "DPM++ 2S a": "Karras",
    "DPM++ 3M SDE": "Exponential",
    "DPM++ SDE": "Karras",
    "DPM2": "Karras",
    "DPM2 a": "Karras",
}
_OLD_DEFAULTS = {  # all others: the model's schedule
    "DDIM": "Automatic",
    "LCM": "Automatic",
    "PLMS": "Automatic",
    "Restart": "Karras",
    "UniPC": "Automatic",
}


def read_version(text: str | None) -> Version | None:
    """(1, 7, 0) of "v1.7.0-133-gde03882d"; a fork's text counts as the webui it names ("f2.0.1v1.10.1-...").

    None where there is no version, for texts without a number, and for numbers below 1: no webui had those.
    """
    if text is None:
        return None
    if text.strip() == "classic":  # Forge Classic kept the samplers of 1.8
        return (1, 8, 0)
    found = re.search(r"v(\d{1,9}(?:\.\d{1,9})+)", text) or re.match(r"\s*(\d{1,9}(?:\.\d{1,9})+)", text)
    numbers = tuple(int(part) for part in found[1].split(".")) if found else (0,)
    return numbers if numbers[0] else None


def split_sampler(name: str, schedule: str | None, version: Version | None) -> tuple[str, str]:
    """Sampler and schedule as 1.10 names them, from the keys `Sampler` and `Schedule type`.

    A text without version has the modern meaning: a bare name is "Automatic", which is kept for the engine to resolve.
    """
    sampler, own = _suffix(" ".join(name.split()))
    label = _label(" ".join(schedule.split())) if schedule is not None else None
    if (
        version is not None and version < _SPLIT_SINCE
    ):  # there the key overrides, and Automatic is written by 1.9's own dev builds
        return sampler, label or own or _OLD_DEFAULTS.get(sampler, "Uniform")
    return sampler, own or label or "Automatic"


def one_name(sampler: str, schedule: str) -> str:
    """Sampler and schedule in one name, as up to 1.8; the reverse of `split_sampler`."""
    bare = _OLD_DEFAULTS.get(sampler, "Uniform")
    own = _AUTOMATIC.get(sampler, bare) if schedule == "Automatic" else schedule
    return sampler if own == bare else f"{sampler} {own}"


def _suffix(name: str) -> tuple[str, str | None]:
    for label in sorted(_LABELS, key=len, reverse=True):  # "SGM Uniform" before "Uniform"
        if name.lower().endswith(" " + label.lower()):
            return _called(name[: -len(label) - 1].rstrip()), label
    return _called(name), None


def _called(name: str) -> str:
    """A sampler by the webui's own name, however its letters are written."""
    return next((known for known in SAMPLERS if known.lower() == name.lower()), name)


def _label(schedule: str) -> str:
    return next((label for label in _LABELS if _letters(label) == _letters(schedule)), schedule)


def _letters(schedule: str) -> str:
    """Without case and blanks: the webui's own names are "sgm_uniform" and "SGMUniform" too."""
    return schedule.lower().replace("_", "").replace(" ", "")
