"""A job's settings as the webui's: those that are not at their defaults; the others stay what they are there."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import HostError

__all__ = ["PINNED", "READ_BEFORE", "REFINER", "hires_overrides", "job_field", "replaced_names", "setting_overrides"]

PINNED: Mapping[str, Any] = MappingProxyType({
    "face_restoration": False,
    "img2img_color_correction": False,
    "img2img_extra_noise": 0.0,
    "img2img_fix_steps": False,
    "inpainting_mask_weight": 1.0,
    "overlay_inpaint": True,  # False answers with the crop alone
    "return_mask": False,
    "return_mask_composite": False,
    "save_init_img": False,
    "save_mask": False,
    "save_mask_composite": False,
    "sd_vae_encode_method": "Full",
    "upscaler_for_img2img": None,
})  # fmt: skip
"""The settings of a face pass, whatever the user's are; a webui that lacks one is not asked for it."""

_SETTINGS: Mapping[str, str] = MappingProxyType({  # fields of a job: the webui's settings
    "eta": "eta_ancestral", "eta_ddim": "eta_ddim", "s_churn": "s_churn", "s_tmin": "s_tmin", "s_tmax": "s_tmax",
    "s_noise": "s_noise", "ensd": "eta_noise_seed_delta",
    "sde_drawn_seed": "no_dpmpp_sde_batch_determinism", "sigma_min": "sigma_min", "sigma_max": "sigma_max",
    "rho": "rho", "beta_alpha": "beta_dist_alpha", "beta_beta": "beta_dist_beta",
    "discard_penultimate": "always_discard_next_to_last_sigma", "zero_snr": "sd_noise_schedule",
    "half_levels": "use_downcasted_alpha_bar", "pad_texts": "pad_cond_uncond", "pad_negative": "pad_cond_uncond_v0",
    "old_timelines": "use_old_scheduling", "sgm_noise": "sgm_noise_multiplier",
    "unipc_variant": "uni_pc_variant", "unipc_skip_type": "uni_pc_skip_type",
    "unipc_order": "uni_pc_order", "unipc_lower_order_final": "uni_pc_lower_order_final", "ngms": "s_min_uncond",
    "ngms_all": "s_min_uncond_all", "skip_early_cfg": "skip_early_cond", "emphasis": "emphasis",
    "comma_backtrack": "comma_padding_backtrack", "clip_l_skip": "sdxl_clip_l_skip",
    "extra_noise": "img2img_extra_noise", "fix_steps": "img2img_fix_steps",
    "overlay": "overlay_inpaint", "hires_first_loras": "hires_fix_use_firstpass_conds", "upscaler_tile": "ESRGAN_tile",
    "upscaler_overlap": "ESRGAN_tile_overlap", "img2img_upscaler": "upscaler_for_img2img",
    "background": "img2img_background_color", "color_correction": "img2img_color_correction",
    "mask_weight": "inpainting_mask_weight",
    "token_merging": "token_merging_ratio", "token_merging_hires": "token_merging_ratio_hr",
})  # fmt: skip
READ_BEFORE: Mapping[str, str] = MappingProxyType({  # fields of a job: those of a processing object that go first
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
REFINER: Mapping[str, str] = MappingProxyType({  # fields of a job: fields of a processing object, then settings
    "refiner": "refiner_checkpoint", "refiner_at": "refiner_switch_at",
    "refiner_by_steps": "refiner_switch_by_sample_steps", "refiner_passes": "hires_fix_refiner_pass",
})  # fmt: skip


def job_field(option: str) -> str | None:
    """The field of a job that one of the webui's settings is."""
    return next((ours for ours, theirs in _SETTINGS.items() if theirs == option), None)


def replaced_names(told: Collection[str]) -> frozenset[str]:
    """The webui's settings and fields whose values are a job's, not the user's, where an axis sets `told`."""
    tables = (_SETTINGS, READ_BEFORE, _HIRES, REFINER)
    return frozenset(table[name] for table in tables for name in told if name in table)


def setting_overrides(job: Job, has_option: Callable[[str], bool], told: Collection[str] = ()) -> dict[str, Any]:
    """Settings for one picture. told: fields that count at their defaults too.

    Raises HostError for one that this webui does not have.
    """
    asked = {name: getattr(job, name) for name in _SETTINGS if name in told or getattr(job, name) != getattr(Job, name)}
    if lacking := [name for name in asked if not has_option(_SETTINGS[name])]:
        raise HostError(f"This webui has no setting for {', '.join(lacking)}; leave it out.")
    if "zero_snr" in asked:
        asked["zero_snr"] = "Zero Terminal SNR" if job.zero_snr else "Default"
    return {_SETTINGS[name]: value for name, value in asked.items()}


def hires_overrides(job: Job, *, has_cfg: bool) -> dict[str, Any]:
    """The fields of a txt2img for a job's second pass; {} without one. Raises HostError, as above."""
    if job.hires_upscaler is None:
        return {}
    if job.hires_cfg not in (None, job.cfg) and not has_cfg:
        raise HostError("This webui has no CFG scale of hires fix's own; leave hires_cfg out.")
    if job.hires_vae not in (None, job.vae):
        raise HostError("A webui is not told a VAE of hires fix's own; leave hires_vae out.")
    own = {} if job.hires_cfg is None else {"hr_cfg": job.hires_cfg}
    return {"enable_hr": True, **own, **{theirs: getattr(job, ours) for ours, theirs in _HIRES.items()}}
