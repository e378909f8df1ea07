"""Settings as keys, requests and folder names write them: what has its key default is left out.

So a new setting that is off changes no text, and pictures from before it came are still found. The key defaults are
tables of their own, independent of the defaults of `Job` and `FaceSettings`. An entry never changes once a version with
it was released: a changed one would let old texts mean other pictures. A new field gets the value under which
everything is generated as before.

The first version wrote every setting it had, default or not. That form is frozen too, as the lists of its fields, and
comes second wherever it can say everything; so one text of two finds what either version made.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job

__all__ = ["FACE_DEFAULTS", "JOB_DEFAULTS", "Forms", "canonical", "completed", "told", "told_each"]

Forms = tuple[str, ...]
"""One thing as a text, in today's form and then in those of earlier versions that can say it."""

JOB_DEFAULTS: Mapping[str, Any] = MappingProxyType({
    "negative": "", "steps": 20, "sampler": "DPM++ 2M SDE", "schedule": "Automatic", "cfg": 7.0, "width": 1024,
    "height": 1024, "denoise": None, "subseed": 0, "subseed_strength": 0.0, "rng": "GPU", "clip_skip": 1,
    "vae": None,
    "eta": 1.0, "eta_ddim": 0.0, "s_churn": 0.0, "s_tmin": 0.0, "s_tmax": 0.0, "s_noise": 1.0, "ensd": 0,
    "sigma_min": 0.0, "sigma_max": 0.0, "rho": 0.0, "beta_alpha": 0.6, "beta_beta": 0.6, "discard_penultimate": False,
    "zero_snr": False, "sgm_noise": False, "unipc_variant": "bh1", "unipc_skip_type": "time_uniform", "unipc_order": 3,
    "unipc_lower_order_final": True, "ngms": 0.0, "ngms_all": False, "skip_early_cfg": 0.0, "emphasis": "Original",
    "comma_backtrack": 20, "clip_l_skip": False, "tiling": False, "seed_resize_width": 0, "seed_resize_height": 0,
    "fix_steps": False, "noise_multiplier": 1.0, "extra_noise": 0.0, "resize_mode": "stretch",
    "color_correction": False, "hires_upscaler": None, "hires_scale": 2.0, "hires_width": 0, "hires_height": 0,
    "hires_steps": 0, "hires_denoise": 0.7, "hires_cfg": None, "hires_sampler": None,
    "hires_schedule": None, "hires_prompt": "", "hires_negative": "", "checkpoint": None, "refiner": None,
    "refiner_at": 0.8, "refiner_by_steps": False, "refiner_passes": "second pass", "hires_checkpoint": None,
    "mask_weight": 1.0, "token_merging": 0.0, "token_merging_hires": 0.0, "half_levels": False, "pad_texts": False,
    "pad_negative": False, "old_timelines": False, "overlay": True, "hires_first_loras": False, "upscaler_tile": -1,
    "upscaler_overlap": 8, "img2img_upscaler": "None", "background": "#ffffff",
    "sde_drawn_seed": False, "hires_vae": None,
})  # fmt: skip
"""Frozen; prompt and seed are always told, and so is a field that has no entry."""

FACE_DEFAULTS: Mapping[str, Any] = MappingProxyType({
    "model": "face_yolov8n.pt", "classes": "", "prompt": "", "negative": "", "confidence": 0.3, "top_k": 0,
    "top_k_by": "Area", "min_ratio": 0.0, "max_ratio": 1.0, "sort": "None", "x_offset": 0, "y_offset": 0, "dilate": 4,
    "merge": "None", "blur": 4, "denoise": 0.4, "only_masked": True, "padding": 32, "width": None, "height": None,
    "steps": None, "cfg": None, "sampler": None, "schedule": None, "noise_multiplier": None, "clip_skip": None,
    "checkpoint": None, "vae": None, "restore_face": False, "exact_masks": False, "same_seed": False,
    "denoise_power": 0.0, "match_size": "Off",
})  # fmt: skip
"""Frozen."""

_FORMS = 2
_FIRST_JOB = (
    "prompt", "negative", "seed", "steps", "sampler", "schedule", "cfg", "width", "height", "denoise", "subseed",
    "subseed_strength", "rng", "clip_skip",
)  # fmt: skip
_FIRST_FACE = (
    "model", "classes", "prompt", "negative", "confidence", "top_k", "top_k_by", "min_ratio", "max_ratio", "sort",
    "x_offset", "y_offset", "dilate", "merge", "blur", "denoise", "only_masked", "padding", "width", "height", "steps",
    "cfg", "sampler", "schedule", "noise_multiplier", "clip_skip", "checkpoint", "vae", "restore_face",
)  # fmt: skip


def canonical(value: Any) -> str:
    """One JSON text for one meaning: keys sorted, no blanks, 7.0 written as 7."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def told(settings: Job | FaceSettings) -> tuple[dict[str, Any], ...]:
    """What is written of `settings`, in today's form and in the first version's, if that can say everything."""
    is_job = isinstance(settings, Job)
    defaults, first = (JOB_DEFAULTS, _FIRST_JOB) if is_job else (FACE_DEFAULTS, _FIRST_FACE)
    now = {name: value for name, value in vars(settings).items() if name not in defaults or value != defaults[name]}
    return (now, {name: getattr(settings, name) for name in first}) if now.keys() <= set(first) else (now,)


def told_each(settings: Sequence[Job | FaceSettings]) -> tuple[list[dict[str, Any]], ...]:
    """`told` of several, form by form; an earlier form only where it can say all of them."""
    forms = [told(one) for one in settings]
    return tuple([form[i] for form in forms] for i in range(min(map(len, forms), default=_FORMS)))


def completed(experiment: Any) -> Any:
    """An experiment stored as JSON by any version, with the settings that came since at their key defaults.

    Another value is returned as it is: reading it will say what is wrong.
    """
    if not isinstance(experiment, dict):
        return experiment
    job, faces = experiment.get("job"), experiment.get("faces")
    filled = dict(experiment)
    if isinstance(job, dict):
        filled["job"] = {**JOB_DEFAULTS, **job}
    if isinstance(faces, list):
        filled["faces"] = [{**FACE_DEFAULTS, **tab} if isinstance(tab, dict) else tab for tab in faces]
    return filled


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
