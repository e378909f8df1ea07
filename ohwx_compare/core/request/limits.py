"""What values the settings of a picture and of its face pass may have, whichever host generates it."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.hires import LATENT_UPSCALERS, REFINED_PASSES, second_pass
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.named_values import (
    EMPHASIS_MODES,
    MATCHES,
    MERGES,
    RESIZE_MODES,
    SORTS,
    TOP_K_BY,
    UNIPC_SKIP_TYPES,
    UNIPC_VARIANTS,
)
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import quoted

__all__ = ["MOST_SEED", "is_unicode", "require_valid"]

MOST_SEED = 2**53 - 1  # what a browser, and so the webui's own page, holds exactly; torch takes more
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")

Rules = Mapping[str, tuple[Callable[[Any], bool], str]]  # field: what holds for its values, in code and in words


def is_unicode(text: str) -> bool:
    """Whether `text` can be written in UTF-8; half a surrogate pair (JSON's \\ud800, a file name's odd byte) cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def require_valid(settings: Job | FaceSettings) -> None:
    """Raise ExperimentError for the first field whose value no host accepts; None is always fine."""
    what, rules = ("job", _JOB) if isinstance(settings, Job) else ("faces", _FACE)
    for field in fields(settings):
        value = getattr(settings, field.name)
        good, expected = rules.get(field.name, _ANY)
        if isinstance(value, float) and not math.isfinite(value):
            good, expected = _never, "a finite number"
        if isinstance(value, str) and not is_unicode(value):
            good, expected = _never, "valid Unicode text"
        if value is not None and not good(value):
            raise ExperimentError(f"{what}: {field.name} is {quoted(value)}, expected {expected}.")
    if isinstance(settings, Job) and settings.sde_drawn_seed and settings.rng == "NV":
        raise ExperimentError(
            "job: sde_drawn_seed does not go with rng NV, where the webui draws another picture each time; take one of "
            "both out."
        )
    if isinstance(settings, Job) and settings.hires_upscaler is not None:
        second = second_pass(settings)
        if not all(8 <= side <= _WIDEST for side in (second.width, second.height)):
            raise ExperimentError(
                f"job: hires fix would draw {second.width}x{second.height} px, expected sides of 8 to {_WIDEST}; "
                "change hires_scale, hires_width or hires_height."
            )


def _one_of(*known: str) -> tuple[Callable[[str], bool], str]:
    return known.__contains__, f"one of {', '.join(known)}"


def _never(value: object) -> bool:
    return False


def _at_least_0(value: float) -> bool:
    return value >= 0


_ANY = (lambda value: True, "")
_SEED = (lambda value: value != -1 and abs(value) <= MOST_SEED, f"a fixed seed from 0 to {MOST_SEED}, or below -1")
_WIDEST = 16_384
_SIDE = (lambda value: 8 <= value <= _WIDEST, f"8 to {_WIDEST}")
_STEPS = (lambda value: 1 <= value <= 10_000, "1 to 10000")
_SHARE = (lambda value: 0 <= value <= 1, "0 to 1")
_JOB: Rules = {
    "seed": _SEED, "steps": _STEPS, "width": _SIDE, "height": _SIDE, "subseed_strength": _SHARE,
    "denoise": _SHARE, "eta_ddim": _SHARE, "skip_early_cfg": _SHARE,
    "eta": (_at_least_0, "0 or more"),
    "s_churn": (_at_least_0, "0 or more"),
    "s_tmin": (_at_least_0, "0 or more"),
    "s_tmax": (_at_least_0, "0 or more"),
    "s_noise": (_at_least_0, "0 or more"),
    "sigma_min": (_at_least_0, "0 or more"),
    "sigma_max": (_at_least_0, "0 or more"),
    "rho": (_at_least_0, "0 or more"),
    "ngms": (_at_least_0, "0 or more"),
    "beta_alpha": (lambda value: 0 < value <= 100, "above 0, up to 100"),
    "beta_beta": (lambda value: 0 < value <= 100, "above 0, up to 100"),
    "ensd": (lambda value: abs(value) < 2**32, "-4294967295 to 4294967295"),
    "unipc_order": (lambda value: 1 <= value <= 50, "1 to 50"),
    "unipc_variant": _one_of(*UNIPC_VARIANTS),
    "unipc_skip_type": _one_of(*UNIPC_SKIP_TYPES),
    "emphasis": _one_of(*EMPHASIS_MODES),
    "comma_backtrack": (lambda value: 0 <= value <= 74, "0 to 74"),
    "noise_multiplier": (lambda value: 0 <= value <= 2, "0 to 2"),
    "extra_noise": _SHARE,
    "resize_mode": _one_of(*RESIZE_MODES),
    "checkpoint": (_never, "none: the axis of checkpoints names them"),
    "refiner_at": _SHARE, "mask_weight": _SHARE,
    "token_merging": (lambda value: 0 <= value <= 0.9, "0 to 0.9"),
    "token_merging_hires": (lambda value: 0 <= value <= 0.9, "0 to 0.9"),
    "refiner_passes": _one_of(*REFINED_PASSES),
    "hires_scale": (lambda value: 0 < value <= 64, "above 0, up to 64"),
    "hires_width": (lambda value: 0 <= value <= 16_384, "0 to 16384"),
    "hires_height": (lambda value: 0 <= value <= 16_384, "0 to 16384"),
    "hires_steps": (lambda value: 0 <= value <= 10_000, "0 to 10000"),
    "background": (lambda value: bool(_COLOUR.fullmatch(value)), "a colour such as #ffffff"),
    "img2img_upscaler": (
        lambda value: value and value not in LATENT_UPSCALERS, "the name of an upscaler that makes pictures larger"
    ),
    "upscaler_tile": (lambda value: -1 <= value <= 16_384, "-1 to 16384"),
    "upscaler_overlap": (lambda value: 0 <= value <= 48, "0 to 48"),
    "hires_denoise": _SHARE,
    "seed_resize_width": (lambda value: 0 <= value <= 16_384, "0 to 16384"),
    "seed_resize_height": (lambda value: 0 <= value <= 16_384, "0 to 16384"),
}  # fmt: skip


_FACE: Rules = {
    "confidence": _SHARE, "min_ratio": _SHARE, "max_ratio": _SHARE, "denoise": _SHARE, "steps": _STEPS,
    "width": _SIDE, "height": _SIDE,
    "top_k": (_at_least_0, "0 or more"),
    "padding": (_at_least_0, "0 or more"),
    "blur": (_at_least_0, "0 or more"),
    "top_k_by": _one_of(*TOP_K_BY),
    "merge": _one_of(*MERGES),
    "sort": _one_of(*SORTS),
    "denoise_power": (lambda value: -10 <= value <= 10, "-10 to 10"),
    "match_size": _one_of(*MATCHES),
}  # fmt: skip
