"""A job as the webui's API takes it (`modules/api/models.py` at 82a973c)."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from ohwx_compare.core.infotext.sampler_names import one_name
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.core.request.named_values import RESIZE_MODES
from ohwx_compare.errors import HostError
from ohwx_compare.hosts.overrides import PINNED, hires_overrides, setting_overrides

__all__ = ["Dialect", "face_request", "picture_request"]


@dataclass(frozen=True)
class Dialect:
    """What a webui understands."""

    has_option: Callable[[str], bool]  # a setting, by its name
    has_hires_cfg: bool
    splits_samplers: bool  # schedules are named apart, as since 1.9


def picture_request(jobs: Sequence[Job], dialect: Dialect) -> dict[str, Any]:
    """The body for /sdapi/v1/txt2img: jobs that are the same but for seeds that follow one another.

    Raises HostError for a setting that the webui does not have, and for a job that starts from a picture.
    """
    job = jobs[0]
    if job.denoise is not None:
        raise HostError("A comparison over a webui's API starts from noise; leave the denoise out.")
    hires = hires_overrides(job, has_cfg=dialect.has_hires_cfg)
    return {**_common(job, dialect), **hires, "batch_size": len(jobs), "override_settings": _settings(job, dialect)}


def face_request(asked: InpaintJob, image: Image.Image, mask: Image.Image, dialect: Dialect) -> dict[str, Any]:
    """The body for /sdapi/v1/img2img: the white of `mask` ("L") inpainted in `image` (RGB) as ADetailer does.

    Raises HostError for a setting that the webui does not have.
    """
    job = asked.job
    pinned = {name: value for name, value in PINNED.items() if dialect.has_option(name)}
    return {
        **_common(job, dialect),
        "denoising_strength": job.denoise,
        "init_images": [encoded(image)],
        "mask": encoded(mask),
        "mask_blur": asked.mask_blur,
        "inpainting_fill": 1,
        "inpaint_full_res": asked.only_masked,
        "inpaint_full_res_padding": asked.padding,
        "inpainting_mask_invert": 0,
        "initial_noise_multiplier": job.noise_multiplier,
        "resize_mode": RESIZE_MODES.index(job.resize_mode),
        "override_settings": {**pinned, **_settings(job, dialect)},
    }


def encoded(image: Image.Image) -> str:
    """A picture as base64 of a PNG."""
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _common(job: Job, dialect: Dialect) -> dict[str, Any]:
    named = (
        {"sampler_name": job.sampler, "scheduler": job.schedule}
        if dialect.splits_samplers
        else {"sampler_name": one_name(job.sampler, job.schedule)}
    )
    return {
        **named,
        "prompt": job.prompt,
        "negative_prompt": job.negative,
        "styles": [],
        "seed": job.seed,
        "subseed": job.subseed,
        "subseed_strength": job.subseed_strength,
        "seed_resize_from_w": job.seed_resize_width or -1,
        "seed_resize_from_h": job.seed_resize_height or -1,
        "steps": job.steps,
        "cfg_scale": job.cfg,
        "width": job.width,
        "height": job.height,
        "restore_faces": False,
        "tiling": job.tiling,
        **({"s_min_uncond": job.ngms} if job.ngms else {}),
        "batch_size": 1,
        "n_iter": 1,
        "do_not_save_samples": True,
        "do_not_save_grid": True,
        "save_images": False,
        "send_images": True,
    }


def _settings(job: Job, dialect: Dialect) -> dict[str, Any]:
    wanted: dict[str, Any] = {"randn_source": job.rng, "CLIP_stop_at_last_layers": job.clip_skip}
    if job.vae is not None:
        wanted["sd_vae"] = job.vae
    own = {name: value for name, value in wanted.items() if dialect.has_option(name)}
    return {**own, **setting_overrides(job, dialect.has_option)}
