"""A job's settings of sampling as the webui's: those that are not at their defaults, and those that an axis varies.

The others stay the user's.
"""

import math
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from modules import processing

from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import RESIZE_MODES
from ohwx_compare.errors import HostError
from ohwx_compare.hosts.webui import features

__all__ = [
    "hires_fields", "refiner_fields", "refiner_overrides", "replaced_names", "sampling_overrides", "set_sampling",
]  # fmt: skip

_SETTINGS: Mapping[str, str] = MappingProxyType({  # fields of a job: the webui's settings
    "eta": "eta_ancestral", "eta_ddim": "eta_ddim", "s_churn": "s_churn", "s_tmin": "s_tmin", "s_tmax": "s_tmax",
    "s_noise": "s_noise", "ensd": "eta_noise_seed_delta", "sigma_min": "sigma_min", "sigma_max": "sigma_max",
    "rho": "rho", "beta_alpha": "beta_dist_alpha", "beta_beta": "beta_dist_beta",
    "discard_penultimate": "always_discard_next_to_last_sigma", "zero_snr": "sd_noise_schedule",
    "sgm_noise": "sgm_noise_multiplier", "unipc_variant": "uni_pc_variant", "unipc_skip_type": "uni_pc_skip_type",
    "unipc_order": "uni_pc_order", "unipc_lower_order_final": "uni_pc_lower_order_final", "ngms": "s_min_uncond",
    "ngms_all": "s_min_uncond_all", "skip_early_cfg": "skip_early_cond", "emphasis": "emphasis",
    "comma_backtrack": "comma_padding_backtrack", "clip_l_skip": "sdxl_clip_l_skip",
    "extra_noise": "img2img_extra_noise", "fix_steps": "img2img_fix_steps",
    "color_correction": "img2img_color_correction", "mask_weight": "inpainting_mask_weight",
    "token_merging": "token_merging_ratio", "token_merging_hires": "token_merging_ratio_hr",
})  # fmt: skip
_READ_BEFORE: Mapping[str, str] = MappingProxyType({  # fields of a job: those of a processing object that go first
    "s_churn": "s_churn", "s_tmin": "s_tmin", "s_tmax": "s_tmax", "s_noise": "s_noise", "ngms": "s_min_uncond",
    "noise_multiplier": "initial_noise_multiplier", "mask_weight": "inpainting_mask_weight",
    "token_merging": "token_merging_ratio", "token_merging_hires": "token_merging_ratio_hr",
})  # fmt: skip
_HIRES: Mapping[str, str] = MappingProxyType({  # fields of a job: those of a processing object
    "hires_upscaler": "hr_upscaler", "hires_scale": "hr_scale", "hires_width": "hr_resize_x",
    "hires_height": "hr_resize_y", "hires_steps": "hr_second_pass_steps", "hires_denoise": "denoising_strength",
    "hires_sampler": "hr_sampler_name", "hires_schedule": "hr_scheduler", "hires_prompt": "hr_prompt",
    "hires_negative": "hr_negative_prompt",
})  # fmt: skip
_REFINER: Mapping[str, str] = MappingProxyType({
    "refiner": "refiner_checkpoint", "refiner_at": "refiner_switch_at",
    "refiner_by_steps": "refiner_switch_by_sample_steps", "refiner_passes": "hires_fix_refiner_pass",
})  # fmt: skip


def replaced_names(told: Collection[str]) -> frozenset[str]:
    """The webui's settings and fields whose values are a job's, not the user's, where an axis sets `told`."""
    tables = (_SETTINGS, _READ_BEFORE, _HIRES, _REFINER)
    return frozenset(table[name] for table in tables for name in told if name in table)


def sampling_overrides(job: Job, told: Collection[str] = ()) -> dict[str, Any]:
    """Settings for one picture. told: fields that an axis sets, which count at their defaults too.

    Raises HostError for one that this webui does not have.
    """
    asked = {name: getattr(job, name) for name in _SETTINGS if name in told or getattr(job, name) != getattr(Job, name)}
    if lacking := [name for name in asked if not features.has_option(_SETTINGS[name])]:
        raise HostError(f"This webui has no setting for {', '.join(lacking)}; leave it out.")
    if "zero_snr" in asked:
        asked["zero_snr"] = "Zero Terminal SNR" if job.zero_snr else "Default"
    return {_SETTINGS[name]: value for name, value in asked.items()}


def set_sampling(p: processing.StableDiffusionProcessing, job: Job, told: Collection[str] = ()) -> None:
    """What the webui keeps in the processing object instead, or reads into it before settings are overridden."""
    if job.tiling:
        p.tiling = True
    for name, theirs in _READ_BEFORE.items():
        value = getattr(job, name)
        if (name in told or value != getattr(Job, name)) and hasattr(p, theirs):
            setattr(p, theirs, math.inf if name == "s_tmax" and not value else value)
    if "eta" in told:
        p.eta = job.eta_ddim if job.sampler.startswith("DDIM") else job.eta
    if job.resize_mode != Job.resize_mode:
        p.resize_mode = RESIZE_MODES.index(job.resize_mode)
    if job.seed_resize_width and job.seed_resize_height:
        p.seed_resize_from_w, p.seed_resize_from_h = job.seed_resize_width, job.seed_resize_height


def hires_fields(job: Job, alias: Callable[[str], str]) -> dict[str, Any]:
    """The fields of a txt2img processing object for a job's second pass; {} without one, which leaves the user's.

    alias: the webui's own name of a checkpoint.
    """
    if job.hires_upscaler is None:
        return {}
    if job.hires_cfg not in (None, job.cfg) and not features.has_hires_cfg():
        raise HostError("This webui has no CFG scale of hires fix's own; leave hires_cfg out.")
    own: dict[str, Any] = {} if job.hires_cfg is None else {"hr_cfg": job.hires_cfg}
    own["hr_checkpoint_name"] = alias(job.hires_checkpoint) if job.hires_checkpoint else None
    return {"enable_hr": True, **own, **{theirs: getattr(job, ours) for ours, theirs in _HIRES.items()}}


def refiner_fields(job: Job, alias: Callable[[str], str], told: Collection[str] = ()) -> dict[str, Any]:
    """The fields for a job's refiner; {} without one, which leaves the user's, but where an axis sets `told`."""
    if not job.refiner:
        return {_REFINER["refiner"]: None} if "refiner" in told else {}
    return {_REFINER["refiner"]: alias(job.refiner), _REFINER["refiner_at"]: job.refiner_at}


def refiner_overrides(job: Job) -> dict[str, Any]:
    """The settings for a job's refiner, of those that this webui has."""
    if not job.refiner:
        return {}
    asked = {_REFINER[name]: getattr(job, name) for name in ("refiner_by_steps", "refiner_passes")}
    return {name: value for name, value in asked.items() if features.has_option(name)}
