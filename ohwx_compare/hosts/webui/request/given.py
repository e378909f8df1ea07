"""What the webui's tab holds besides the picture it would generate: its styles, and ADetailer's panel."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from modules import processing, shared

from ohwx_compare.core.experiment.kind import PicturePart
from ohwx_compare.core.infotext.face_payload import PASSTHROUGH, from_arguments
from ohwx_compare.core.prompt.styles import Style, known
from ohwx_compare.errors import ExperimentError
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.request.context import TabContext

__all__ = ["given_by", "style_library", "tabs_of"]

CONTROLNET_SCRIPT = "controlnet"
_SORTS: Mapping[str, str] = MappingProxyType({
    "Position (left to right)": "Left to right",
    "Position (center to edge)": "Center to edge",
    "Area (large to small)": "Large to small",
})  # fmt: skip
_SAME = (None, "", "Use same sampler", "Use same scheduler")
_MATCHES: Mapping[str, str] = MappingProxyType({"Strict (SDXL only)": "Strict", "Free": "Free"})


def given_by(p: processing.StableDiffusionProcessing) -> TabContext:
    """What `p` holds. Raises ExperimentError for a style that the webui does not know."""
    library = style_library()
    return TabContext(
        styles=known((Style(name) for name in p.styles or [] if name != "None"), library),
        known_styles=library,
        adetailer=lambda: tabs_of(features.adetailer_arguments(p.scripts, p.script_args)),
        has_comments=features.has_prompt_comments(),
        is_before_schedules=features.schedules() is None,
        part=lambda part: _part_of(p, part),
    )


def _part_of(p: processing.StableDiffusionProcessing, part: PicturePart) -> dict[str, Any]:
    """What a job needs to tell of a part of `p`, so that an axis can vary it; {} where it is off."""
    if part is PicturePart.VARIATION:
        return {"subseed": int(processing.get_fixed_seed(p.subseed)), "subseed_strength": float(p.subseed_strength)}
    if part is PicturePart.REFINER:
        return _refiner_of(p)
    return _second_pass_of(p) if features.field_of(p, "enable_hr") else {}


def _refiner_of(p: processing.StableDiffusionProcessing) -> dict[str, Any]:
    share = features.field_of(p, "refiner_switch_at")
    return {
        "refiner": features.refiner_of(p),
        "refiner_at": 0.0 if share is None else float(share),
        "refiner_by_steps": bool(features.option("refiner_switch_by_sample_steps", False)),
        "refiner_passes": str(features.option("hires_fix_refiner_pass", "second pass")),
    }


def _second_pass_of(p: Any) -> dict[str, Any]:
    sampler, schedule = (features.field_of(p, name) for name in ("hr_sampler_name", "hr_scheduler"))
    return {
        "hires_upscaler": p.hr_upscaler or "Latent",
        "hires_scale": float(p.hr_scale),
        "hires_width": int(p.hr_resize_x or 0),
        "hires_height": int(p.hr_resize_y or 0),
        "hires_steps": int(p.hr_second_pass_steps or 0),
        "hires_denoise": float(p.denoising_strength),
        "hires_sampler": None if sampler in _SAME else sampler,
        "hires_schedule": None if schedule in _SAME else schedule,
        "hires_prompt": features.field_of(p, "hr_prompt") or "",
        "hires_negative": features.field_of(p, "hr_negative_prompt") or "",
    }


def style_library() -> dict[str, Style]:
    """The webui's styles by name, without the headings between its files."""
    styles = shared.prompt_styles.styles.values()
    return {s.name: Style(s.name, s.prompt, s.negative_prompt or "") for s in styles if s.prompt is not None}


def tabs_of(arguments: Sequence[Any]) -> list[dict[str, Any]]:
    """The face settings that ADetailer's arguments and settings ask for; [] where it is off.

    Raises ExperimentError for what is not supported here.
    """
    tabs = from_arguments(arguments)
    models = [tab.get("ad_controlnet_model") for tab in arguments if isinstance(tab, Mapping)]
    if tabs and PASSTHROUGH in models and any(path.stem == CONTROLNET_SCRIPT for path in features.script_files()):
        raise ExperimentError(
            "ADetailer's ControlNet model is Passthrough, and ControlNet is installed: its units do not reach the face "
            "pass here; choose None for that model."
        )
    chosen = shared.opts.data
    own = {
        "sort": _SORTS.get(chosen.get("ad_bbox_sortby", ""), "None"),
        "same_seed": bool(chosen.get("ad_same_seed_for_each_tab") or chosen.get("ad_same_seed_for_each_tap")),
        "denoise_power": float(chosen.get("ad_dynamic_denoise_power") or 0),
        "match_size": _MATCHES.get(chosen.get("ad_match_inpaint_bbox_size", ""), "Off"),
    }
    return [{**tab, **own} for tab in tabs]
