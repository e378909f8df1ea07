"""A job's settings of sampling as the webui's: those that are not at their defaults; the others stay the user's."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from modules import processing

from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import RESIZE_MODES
from ohwx_compare.errors import HostError
from ohwx_compare.hosts.webui import features

__all__ = ["hires_fields", "sampling_overrides", "set_sampling"]

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
    "color_correction": "img2img_color_correction",
})  # fmt: skip
_HIRES: Mapping[str, str] = MappingProxyType({  # fields of a job: those of a processing object
    "hires_upscaler": "hr_upscaler", "hires_scale": "hr_scale", "hires_width": "hr_resize_x",
    "hires_height": "hr_resize_y", "hires_steps": "hr_second_pass_steps", "hires_denoise": "denoising_strength",
    "hires_sampler": "hr_sampler_name", "hires_schedule": "hr_scheduler", "hires_prompt": "hr_prompt",
    "hires_negative": "hr_negative_prompt",
})  # fmt: skip


def sampling_overrides(job: Job) -> dict[str, Any]:
    """Settings for one picture. Raises HostError for one that this webui does not have."""
    asked = {name: getattr(job, name) for name in _SETTINGS if getattr(job, name) != getattr(Job, name)}
    if lacking := [name for name in asked if not features.has_option(_SETTINGS[name])]:
        raise HostError(f"This webui has no setting for {', '.join(lacking)}; leave it out.")
    return {_SETTINGS[name]: "Zero Terminal SNR" if name == "zero_snr" else value for name, value in asked.items()}


def set_sampling(p: processing.StableDiffusionProcessing, job: Job) -> None:
    """What the webui keeps in the processing object instead, or reads into it before settings are overridden."""
    if job.tiling:
        p.tiling = True
    if job.ngms:
        p.s_min_uncond = job.ngms
    if job.resize_mode != Job.resize_mode:
        p.resize_mode = RESIZE_MODES.index(job.resize_mode)
    if job.seed_resize_width and job.seed_resize_height:
        p.seed_resize_from_w, p.seed_resize_from_h = job.seed_resize_width, job.seed_resize_height


def hires_fields(job: Job) -> dict[str, Any]:
    """The fields of a txt2img processing object for a job's second pass; {} without one, which leaves the user's."""
    if job.hires_upscaler is None:
        return {}
    if job.hires_cfg not in (None, job.cfg) and not features.has_hires_cfg():
        raise HostError("This webui has no CFG scale of hires fix's own; leave hires_cfg out.")
    own = {} if job.hires_cfg is None else {"hr_cfg": job.hires_cfg}
    return {"enable_hr": True, **own, **{theirs: getattr(job, ours) for ours, theirs in _HIRES.items()}}
