"""A job's settings of sampling as the webui's: those that are not at their defaults, and those that an axis varies.

The others stay the user's.
"""

import math
from collections.abc import Callable, Collection
from typing import Any

from modules import processing

from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.named_values import RESIZE_MODES
from ohwx_compare.hosts import overrides
from ohwx_compare.hosts.webui import features

__all__ = ["hires_fields", "refiner_fields", "refiner_overrides", "sampling_overrides", "set_sampling"]


def sampling_overrides(job: Job, told: Collection[str] = ()) -> dict[str, Any]:
    """Settings for one picture. told: fields that an axis sets, which count at their defaults too.

    Raises HostError for one that this webui does not have.
    """
    return overrides.setting_overrides(job, features.has_option, told)


def set_sampling(p: processing.StableDiffusionProcessing, job: Job, told: Collection[str] = ()) -> None:
    """What the webui keeps in the processing object instead, or reads into it before settings are overridden."""
    if job.tiling:
        p.tiling = True
    for name, theirs in overrides.READ_BEFORE.items():
        value = getattr(job, name)
        if name in told or value != getattr(Job, name):
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
    fields = overrides.hires_overrides(job, has_cfg=features.has_hires_cfg())
    own = {"hr_checkpoint_name": alias(job.hires_checkpoint) if job.hires_checkpoint else None}
    return {**fields, **own} if fields else {}


def refiner_fields(job: Job, alias: Callable[[str], str], told: Collection[str] = ()) -> dict[str, Any]:
    """The fields for a job's refiner; {} without one, which leaves the user's, but where an axis sets `told`."""
    if not job.refiner:
        return {overrides.REFINER["refiner"]: None} if "refiner" in told else {}
    return {overrides.REFINER["refiner"]: alias(job.refiner), overrides.REFINER["refiner_at"]: job.refiner_at}


def refiner_overrides(job: Job) -> dict[str, Any]:
    """The settings for a job's refiner, of those that this webui has."""
    if not job.refiner:
        return {}
    asked = {overrides.REFINER[name]: getattr(job, name) for name in ("refiner_by_steps", "refiner_passes")}
    return {name: value for name, value in asked.items() if features.has_option(name)}
