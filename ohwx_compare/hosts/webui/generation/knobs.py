"""Settings of a job that are options or fields of the webui: each is set where the job asks for more than the default.

What stands at its default is the user's own setting, as always. Names: `modules/shared_options.py` and
`modules/processing.py` at 82a973c.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.request.job import Job

__all__ = ["fields_of", "options_of"]

_OPTIONS: Mapping[str, str] = MappingProxyType({
    "eta": "eta_ancestral", "eta_ddim": "eta_ddim", "s_churn": "s_churn", "s_tmin": "s_tmin", "s_tmax": "s_tmax",
    "s_noise": "s_noise", "ensd": "eta_noise_seed_delta", "sigma_min": "sigma_min", "sigma_max": "sigma_max",
    "rho": "rho", "beta_alpha": "beta_dist_alpha", "beta_beta": "beta_dist_beta",
    "discard_penultimate": "always_discard_next_to_last_sigma", "sgm_noise": "sgm_noise_multiplier",
    "unipc_variant": "uni_pc_variant", "unipc_skip_type": "uni_pc_skip_type", "unipc_order": "uni_pc_order",
    "unipc_lower_order_final": "uni_pc_lower_order_final", "ngms": "s_min_uncond", "ngms_all": "s_min_uncond_all",
    "skip_early_cfg": "skip_early_cond", "emphasis": "emphasis", "comma_backtrack": "comma_padding_backtrack",
    "clip_l_skip": "sdxl_clip_l_skip", "fix_steps": "img2img_fix_steps",
})  # fmt: skip
_FIELDS: Mapping[str, str] = MappingProxyType({
    "tiling": "tiling", "seed_resize_width": "seed_resize_from_w", "seed_resize_height": "seed_resize_from_h",
    "ngms": "s_min_uncond",  # read from the option when the processing object is made
})  # fmt: skip
_HIRES: Mapping[str, str] = MappingProxyType({
    "hires_upscaler": "hr_upscaler", "hires_scale": "hr_scale", "hires_width": "hr_resize_x",
    "hires_height": "hr_resize_y", "hires_steps": "hr_second_pass_steps", "hires_denoise": "denoising_strength",
    "hires_sampler": "hr_sampler_name", "hires_schedule": "hr_scheduler", "hires_prompt": "hr_prompt",
    "hires_negative": "hr_negative_prompt",
})  # fmt: skip


def options_of(job: Job) -> dict[str, Any]:
    """The webui's options that a job sets, by their names there."""
    asked: dict[str, Any] = {_OPTIONS[name]: value for name, value in _beyond(job) if name in _OPTIONS}
    if job.vae is not None:
        asked["sd_vae"] = job.vae
    if job.zero_snr:
        asked["sd_noise_schedule"] = "Zero Terminal SNR"
    return asked


def fields_of(job: Job) -> dict[str, Any]:
    """The fields of a txt2img processing object that a job sets; all of hires fix where it has a second pass."""
    asked = {_FIELDS[name]: value for name, value in _beyond(job) if name in _FIELDS}
    if job.hires_upscaler is None:
        return asked
    return {**asked, "enable_hr": True, **{theirs: getattr(job, ours) for ours, theirs in _HIRES.items()}}


def _beyond(job: Job) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(job).items() if value != getattr(Job, name, None))
