"""ADetailer's arguments, as its panel and its API give them (`{"ad_model": ...}` a tab), as our face settings.

Source: Bing-su/adetailer 25.3.0, `adetailer/args.py`, whose defaults hold for what is left out; `ad_mask_k_largest` is
the name that `ad_mask_k` had until 24.9.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.infotext.sampler_names import split_sampler
from ohwx_compare.errors import ExperimentError

__all__ = ["PASSTHROUGH", "from_arguments", "from_payload"]

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
PASSTHROUGH = "Passthrough"
"""The ControlNet model that leaves ControlNet to the picture: by itself it does nothing."""
_SAME = (None, "None", "Use same checkpoint", "Use same VAE", "Use same sampler", "Use same scheduler")
_IGNORED = frozenset({
    "ad_controlnet_guidance_end", "ad_controlnet_guidance_start", "ad_controlnet_model", "ad_controlnet_module",
    "ad_controlnet_weight", "ad_tab_enable", "is_api",
})  # fmt: skip


def from_arguments(arguments: Sequence[Any]) -> list[dict[str, Any]]:
    """The tabs that ADetailer would run for its script's arguments; [] where it is off.

    Two switches may come before the tabs: enabled, and skip img2img. Raises what `from_payload` raises.
    """
    switches = [argument for argument in arguments[:2] if isinstance(argument, bool)]
    if switches[:1] == [False]:
        return []
    if switches[1:] == [True]:
        raise ExperimentError(
            "ADetailer's 'skip img2img' is not supported here; switch it off, or give the picture to `ohwx face`, "
            "which inpaints its faces alone."
        )
    tabs = (from_payload(tab) for tab in arguments if isinstance(tab, Mapping) and "ad_model" in tab)
    return [tab for tab in tabs if tab is not None]


def from_payload(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """The tab's settings under the names of `FaceSettings`; None for a tab that is off. Without `ad_model` it is on.

    As in ADetailer, a value whose switch is off does not count. Raises ExperimentError naming a key that is unknown.
    """
    known = {*_NAMES, *_SWITCHED, *_IGNORED, *(key for group in _SWITCHED.values() for key in group)}
    if unknown := [key for key in payload if key not in known]:
        raise ExperimentError(f"Of ADetailer, {', '.join(map(repr, unknown))} is not supported here; leave it out.")
    if payload.get("ad_tab_enable") is False or payload.get("ad_model") == "None":
        return None
    if payload.get("ad_controlnet_model", "None") not in (*_SAME, PASSTHROUGH):
        raise ExperimentError("ADetailer's ControlNet is not supported here; choose None for its ControlNet model.")
    settings = {name: payload[key] for key, name in _NAMES.items() if key in payload}
    for switch, values in _SWITCHED.items():
        if payload.get(switch):
            chosen = {name: payload.get(key, default) for key, (name, default) in values.items()}
            settings |= {name: value for name, value in chosen.items() if value not in _SAME}
    if "sampler" in settings:  # until 1.8 its name holds the schedule
        sampler, schedule = split_sampler(settings["sampler"], settings.get("schedule"), None)
        settings |= {"sampler": sampler} | ({} if schedule == "Automatic" else {"schedule": schedule})
    return settings
