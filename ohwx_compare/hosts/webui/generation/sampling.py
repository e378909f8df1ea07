"""A job's settings of sampling as the webui's: those that are not at their defaults; the others stay the user's."""

from typing import Any

from modules import processing

from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import RESIZE_MODES
from ohwx_compare.hosts import overrides
from ohwx_compare.hosts.webui import features

__all__ = ["hires_fields", "sampling_overrides", "set_sampling"]


def sampling_overrides(job: Job) -> dict[str, Any]:
    """Settings for one picture. Raises HostError for one that this webui does not have."""
    return overrides.setting_overrides(job, features.has_option)


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
    return overrides.hires_overrides(job, has_cfg=features.has_hires_cfg())
