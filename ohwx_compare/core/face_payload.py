"""ADetailer's API payload of one tab (`{"ad_model": ...}`) as our face settings.

Source: Bing-su/adetailer 25.3.0, `adetailer/args.py`, whose defaults hold for what is left out; `ad_mask_k_largest` is
the name that `ad_mask_k` had until 24.9.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ohwx_compare.errors import ExperimentError

__all__ = ["from_payload"]

_NAMES: Mapping[str, str] = MappingProxyType({
    "ad_confidence": "confidence", "ad_denoising_strength": "denoise", "ad_dilate_erode": "dilate",
    "ad_inpaint_only_masked": "only_masked", "ad_inpaint_only_masked_padding": "padding", "ad_mask_blur": "blur",
    "ad_mask_filter_method": "top_k_by", "ad_mask_k": "top_k", "ad_mask_k_largest": "top_k",
    "ad_mask_max_ratio": "max_ratio", "ad_mask_merge_invert": "merge", "ad_mask_min_ratio": "min_ratio",
    "ad_model": "model", "ad_model_classes": "classes", "ad_negative_prompt": "negative", "ad_prompt": "prompt",
    "ad_restore_face": "restore_face", "ad_x_offset": "x_offset", "ad_y_offset": "y_offset",
})  # fmt: skip
_SWITCHED: Mapping[str, Mapping[str, tuple[str, Any]]] = MappingProxyType({
    "ad_use_cfg_scale": {"ad_cfg_scale": ("cfg", 7.0)},
    "ad_use_checkpoint": {"ad_checkpoint": ("checkpoint", None)},
    "ad_use_clip_skip": {"ad_clip_skip": ("clip_skip", 1)},
    "ad_use_inpaint_width_height": {"ad_inpaint_width": ("width", 512), "ad_inpaint_height": ("height", 512)},
    "ad_use_noise_multiplier": {"ad_noise_multiplier": ("noise_multiplier", 1.0)},
    "ad_use_sampler": {"ad_sampler": ("sampler", "DPM++ 2M Karras"), "ad_scheduler": ("schedule", None)},
    "ad_use_steps": {"ad_steps": ("steps", 28)},
    "ad_use_vae": {"ad_vae": ("vae", None)},
})  # fmt: skip
_SAME = (None, "None", "Use same checkpoint", "Use same VAE", "Use same sampler", "Use same scheduler")
_IGNORED = ("ad_tab_enable", "is_api")


def from_payload(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """The tab's settings under the names of `FaceSettings`; None for a tab that is off.

    A value behind a switch that is off does not count, as there. Raises ExperimentError naming a key that is unknown.
    """
    known = {*_NAMES, *_SWITCHED, *_IGNORED, *(key for group in _SWITCHED.values() for key in group)}
    if unknown := [key for key in payload if key not in known]:
        raise ExperimentError(f"ADetailer has no {', '.join(map(repr, unknown))} that is drawn here; leave it out.")
    if payload.get("ad_tab_enable") is False or payload.get("ad_model") == "None":
        return None
    settings = {name: payload[key] for key, name in _NAMES.items() if key in payload}
    for switch, values in _SWITCHED.items():
        if payload.get(switch):
            chosen = {name: payload.get(key, default) for key, (name, default) in values.items()}
            settings |= {name: value for name, value in chosen.items() if value not in _SAME}
    return settings
