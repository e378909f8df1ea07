"""Hires fix: the first pass, what makes it larger, and the second pass on that, with a checkpoint of its own or not.

https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/modules/processing.py: `sample_hr_pass`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ohwx_compare.core.prompt.parts import strip_tags
from ohwx_compare.core.request.hires import LATENT_UPSCALERS, Enlarged, enlarged, first_pass, second_pass
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import render
from ohwx_compare.engine.autoencode import decode_all, encode_all
from ohwx_compare.engine.render import DrawnLatents, ModelOf, NotedImage, Start
from ohwx_compare.engine.running import Counter
from ohwx_compare.engine.samplers import find_solver
from ohwx_compare.engine.tiling import tiled
from ohwx_compare.engine.weights import Model
from ohwx_compare.files.masks import Resize, stretch

__all__ = ["draw_passes"]

_MODES = MappingProxyType(dict(zip(LATENT_UPSCALERS, (
    ("bilinear", False), ("bilinear", True), ("bicubic", False), ("bicubic", True), ("nearest", False),
    ("nearest-exact", False),
), strict=True)))  # fmt: skip


@torch.inference_mode()
def draw_passes(
    model_of: ModelOf, jobs: Sequence[Job], resize_of: Callable[[Job], Resize], on_step: Counter | None = None
) -> list[NotedImage]:
    """One batch of equal jobs from noise, with its second pass where they have one; else like `render.txt2img`.

    resize_of: finds what makes a job's picture larger.
    """
    if jobs[0].hires_upscaler is None:
        return render.draw_batch(model_of(jobs[0]), jobs, None, on_step, model_of=model_of)
    name, size = jobs[0].hires_upscaler, enlarged(jobs[0])
    model = model_of(jobs[0])
    resize = stretch if name in LATENT_UPSCALERS else resize_of(jobs[0])  # where missing: before all work
    second = [second_pass(job) for job in jobs]
    before = render.Before(find_solver(jobs[0].sampler).calls(jobs[0].steps), size.width, size.height)
    is_early = jobs[0].hires_first_loras and jobs[0].hires_checkpoint is None
    early = [_in_the_loras_of(job, own) for job, own in zip(jobs, second, strict=True)] if is_early else []
    encoded = render.conditionings(model, early, before) if early else None
    first = render.draw_latents(model, [first_pass(job) for job in jobs], None, on_step, model_of=model_of)
    if name in LATENT_UPSCALERS:
        mode, smooth = _MODES[name]
        z = F.interpolate(first.latents, (size.height // 8, size.width // 8), mode=mode, antialias=smooth)
        model, start = model_of(second[0]), Start(z, None, first.notes)
        second = _tiled_as_before(second, first, model)
    else:
        images, notes = _enlarged(first, jobs[0], size, resize)
        model = model_of(second[0])
        second = _tiled_as_before(second, first, model)
        start = _encoded(model, second, images, notes)
    start = replace(start, latents=_cut(start.latents, size))
    return render.draw_batch(model, second, start, on_step, after=before, model_of=model_of, encoded=encoded)


def _tiled_as_before(second: list[Job], first: DrawnLatents, model: Model) -> list[Job]:
    """The second pass's jobs; in the webui a checkpoint that is loaded between the passes is not tiled."""
    return second if model.path == first.model.path else [replace(job, tiling=False) for job in second]


def _in_the_loras_of(first: Job, job: Job) -> Job:
    """`job` with the LoRAs of the first pass in place of its own."""
    return replace(job, prompt=strip_tags(job.prompt)[0] + "".join(strip_tags(first.prompt)[1]))


def _enlarged(
    first: DrawnLatents, job: Job, size: Enlarged, resize: Resize
) -> tuple[list[Image.Image], list[tuple[str, ...]]]:
    """The pictures of the first pass, made larger, and their notes."""
    with tiled(first.model, first.tiling):
        decoded = list(decode_all(first.model, first.latents))
    images = [resize(image, (size.width, size.height)) for image, _ in decoded]
    return images, [(*said, *more) for said, (_, more) in zip(first.notes, decoded, strict=True)]


def _encoded(
    model: Model, jobs: Sequence[Job], images: Sequence[Image.Image], notes: Sequence[tuple[str, ...]]
) -> Start:
    """Pictures, each with its job's seed, as the start of the second pass."""
    with tiled(model, jobs[0].tiling):
        encoded = encode_all(model, images, [job.seed for job in jobs])
    latents, more = zip(*encoded, strict=True)
    return Start(torch.cat(latents), None, tuple((*said, *own) for said, own in zip(notes, more, strict=True)))


def _cut(z: Tensor, size: Enlarged) -> Tensor:
    height, width = z.shape[-2:]
    return z[
        ..., size.cut_y // 2 : height - (size.cut_y + 1) // 2, size.cut_x // 2 : width - (size.cut_x + 1) // 2
    ].contiguous()
