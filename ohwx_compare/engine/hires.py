"""Hires fix with one checkpoint: the first pass, what makes it larger, and the second pass on that.

https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/modules/processing.py: `sample_hr_pass`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from ohwx_compare.core.request.hires import LATENT_UPSCALERS, Enlarged, enlarged, second_pass
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import render
from ohwx_compare.engine.render import NotedImage, Start
from ohwx_compare.engine.running import Counter
from ohwx_compare.engine.samplers import find_solver
from ohwx_compare.engine.tiling import tiled
from ohwx_compare.engine.upscale import Enlarge, resized
from ohwx_compare.engine.weights import Model

__all__ = ["ModelOf", "draw_passes"]

ModelOf = Callable[[Job], Model]
"""The model in use with what a job's prompt and VAE ask for; one that was given before may be used up by it."""

_MODES = MappingProxyType(dict(zip(LATENT_UPSCALERS, (
    ("bilinear", False), ("bilinear", True), ("bicubic", False), ("bicubic", True), ("nearest", False),
    ("nearest-exact", False),
), strict=True)))  # fmt: skip


@torch.inference_mode()
def draw_passes(
    model_of: ModelOf, jobs: Sequence[Job], upscaler: Callable[[str], Enlarge | None], on_step: Counter | None = None
) -> list[NotedImage]:
    """One batch of equal jobs from noise, with its second pass where they have one; else like `render.txt2img`.

    upscaler: finds what makes a picture larger, by name; None is a plain resize.
    """
    if jobs[0].hires_upscaler is None:
        return render.draw_batch(model_of(jobs[0]), jobs, None, on_step)
    name, size = jobs[0].hires_upscaler, enlarged(jobs[0])
    model = model_of(jobs[0])
    enlarge = None if name in LATENT_UPSCALERS else upscaler(name)  # one that is not there is said before all work
    z, notes = render.draw_latents(model, jobs, None, on_step)
    if name in LATENT_UPSCALERS:
        mode, smooth = _MODES[name]
        start = Start(F.interpolate(z, (size.height // 8, size.width // 8), mode=mode, antialias=smooth), None, notes)
    else:
        with tiled(model, jobs[0].tiling):
            start = _redrawn(model, jobs, z, notes, size, enlarge)
    start = replace(start, latents=_cut(start.latents, size))
    second = [second_pass(job) for job in jobs]
    first_calls = find_solver(jobs[0].sampler).calls(jobs[0].steps)
    return render.draw_batch(
        model_of(second[0]), second, start, on_step, after=render.Before(first_calls, size.width, size.height)
    )


def _redrawn(
    model: Model,
    jobs: Sequence[Job],
    z: Tensor,
    notes: tuple[tuple[str, ...], ...],
    size: Enlarged,
    enlarge: Enlarge | None,
) -> Start:
    """The latents of the decoded pictures, made larger."""
    latents, all_notes = [], []
    for one, job, said in zip(z, jobs, notes, strict=True):
        image, decoded = render.decode(model, one[None])
        encoded, more = render.encode(model, resized(image, (size.width, size.height), enlarge), job.seed)
        latents.append(encoded)
        all_notes.append((*said, *decoded, *more))
    return Start(torch.cat(latents), None, tuple(all_notes))


def _cut(z: Tensor, size: Enlarged) -> Tensor:
    height, width = z.shape[-2:]
    return z[
        ..., size.cut_y // 2 : height - (size.cut_y + 1) // 2, size.cut_x // 2 : width - (size.cut_x + 1) // 2
    ].contiguous()
