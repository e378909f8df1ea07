"""Inpaint: generate the white of a mask anew, in the whole picture or in a crop at the job's own size.

The webui's arithmetic (StableDiffusionProcessingImg2Img.init and apply_overlay, modules/processing.py, 82a973c), with a
rounded latent mask unless it is soft. The blur comes before the crop, so the crop grows with it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ohwx_compare.core.geometry import CropPaste
from ohwx_compare.core.request.job import InpaintJob, Job, SoftInpaint
from ohwx_compare.engine.noise import ImageNoise, pick_source
from ohwx_compare.engine.render import (
    ALONE,
    NotedImage,
    Supply,
    canvas_of,
    coloured,
    decode_batch,
    draw_latents,
    encode_start,
    job_batches,
)
from ohwx_compare.engine.running import Counter
from ohwx_compare.engine.soft_inpaint import changed_mask
from ohwx_compare.engine.weights import Model
from ohwx_compare.errors import ExperimentError, ImageError
from ohwx_compare.files import masks as m

__all__ = ["Between", "inpaint"]

Between = Callable[[int, NotedImage], NotedImage]
"""What becomes of the picture of this place among the jobs, at the job's size."""


@dataclass(frozen=True)
class _Prepared:
    """A picture ready to be inpainted, and how it goes back."""

    job: Job
    canvas: Image.Image  # RGB, what is encoded
    mask: np.ndarray  # float32 (h, w) at latent size, 1 = redraw
    layer: Image.Image | None = None  # RGBA, what lies over the drawn picture
    shown: Image.Image | None = None  # RGB, the picture that the layer is of
    soft: SoftInpaint | None = None
    change: CropPaste | None = None  # None: the canvas is the whole picture
    resize: m.Resize = m.stretch
    notes: tuple[str, ...] = ()

    def finish(self, drawn: NotedImage) -> NotedImage:
        """A layer that came with `drawn` takes the place of the own one."""
        image, layer = coloured(self.job, drawn, self.canvas).image, drawn.layer or self.layer
        if layer and (self.job.overlay or self.soft):
            image = m.paste(image, layer, self.change, self.resize)
        return NotedImage(image, (*self.notes, *drawn.notes), layer if self.soft else None)


@torch.inference_mode()
def inpaint(
    model: Model,
    jobs: Sequence[InpaintJob],
    images: Sequence[Image.Image],
    masks: Sequence[Image.Image],
    on_step: Counter | None = None,
    *,
    supply: Supply = ALONE,
    between: Between | None = None,
) -> list[NotedImage]:
    """Inpaint the white of each mask ("L", its image's size) in each image (RGB), in the jobs' order.

    With `only_masked` a picture keeps its size, else it gets the job's. A black mask with `only_masked` inpaints
    everything, as in the webui, with a note. between: changes what was drawn before it is put into its picture; it may
    draw in between, and give the layer of that.
    Raises ImageError where a mask has another size; else like `txt2img`.
    """
    ready = [_prepare(*one, supply.resize_of(one[0].job)) for one in zip(jobs, images, masks, strict=True)]
    pictures = []
    for group in _batches(jobs, ready):
        plain = [jobs[i].job for i in group]
        model = supply.model_of(plain[0]) if supply.model_of else model  # a refiner used up the one before
        mask = torch.from_numpy(np.stack([ready[i].mask for i in group]))[:, None].to(model.device)
        start = encode_start(model, plain, [ready[i].canvas for i in group], mask)
        begun = _begun(model, [jobs[i] for i in group], start.latents, mask)
        start = replace(start, latents=begun, soft=ready[group[0]].soft)
        drawn = draw_latents(model, plain, start, on_step, model_of=supply.model_of)
        decoded = decode_batch(plain, drawn)
        for at, i in enumerate(group):
            one = between(i, decoded[at]) if between else decoded[at]
            pictures.append(_softened(ready[i], begun[at], drawn.latents[at], mask[at]).finish(one))
    return pictures


def _batches(jobs: Sequence[InpaintJob], ready: Sequence[_Prepared]) -> Iterator[list[int]]:
    """As `job_batches`, of equal soft inpainting."""
    for group in job_batches([job.job for job in jobs]):
        yield from (list(part) for _, part in groupby(group, key=lambda i: ready[i].soft))


def _softened(ready: _Prepared, kept: Tensor, drawn: Tensor, mask: Tensor) -> _Prepared:
    """With soft inpainting the layer is of what hardly changed, within the crop."""
    if ready.soft is None or ready.shown is None:
        return ready
    changed = changed_mask(ready.soft, kept, drawn, mask, (ready.job.width, ready.job.height))
    whole = m.uncropped(changed, ready.change) if ready.change else changed
    return replace(ready, layer=m.overlay(ready.shown, whole))


def _begun(model: Model, jobs: Sequence[InpaintJob], latents: Tensor, mask: Tensor) -> Tensor:
    """The latents (B, 4, h, w), under the mask those of each job's `content`."""
    new = latents.clone()
    for i, job in enumerate(jobs):
        if job.content == "latent noise":
            source, _ = pick_source(job.job.rng, model.device)
            noise = ImageNoise(source, [job.job.seed], latents.shape[1:]).first([(0, 0.0)]).to(latents)
            new[i] = latents[i] * (1 - mask[i]) + noise[0] * mask[i]
        elif job.content == "latent nothing":
            new[i] = latents[i] * (1 - mask[i])
    return new


def _prepare(job: InpaintJob, image: Image.Image, mask: Image.Image, resize: m.Resize) -> _Prepared:
    if mask.size != image.size:
        raise ImageError(f"The mask is {mask.width}x{mask.height} px, expected {image.width}x{image.height}.")
    image, mask = image.convert("RGB"), mask.convert("L")
    blurred = m.gaussian_blur(ImageOps.invert(mask) if job.inverted else mask, job.mask_blur)
    size, mode = (job.job.width, job.job.height), job.job.resize_mode
    latent_size = (size[0] // 8, size[1] // 8)
    if not job.only_masked:
        if mode == "latent" and image.size != size:
            raise ExperimentError("An inpaint of the whole picture cannot be resized as latents; the webui fails too.")
        canvas, hole = canvas_of(job.job, image, resize), m.fitted(blurred, size, mode)
        layer = m.overlay(canvas, m.double(hole))
        latent = m.latent_mask(hole, latent_size, rounded=not job.soft)
        return _Prepared(job.job, _content(job, canvas, hole), latent, layer, canvas, job.soft)
    box = m.bounding_box(blurred)
    if box is None:
        everything = np.ones(latent_size[::-1], np.float32)
        said = "the mask is black: the whole picture was inpainted"
        return _Prepared(job.job, canvas_of(job.job, image, resize), everything, notes=(said,))
    change = CropPaste.around(box, padding=job.padding, picture=image.size, canvas=size)
    hole = m.crop(blurred, change)
    canvas = _content(job, m.crop(image, change, resize), hole)
    latent = m.latent_mask(hole, latent_size, rounded=not job.soft)
    return _Prepared(job.job, canvas, latent, m.overlay(image, blurred), image, job.soft, change, resize=resize)


def _content(job: InpaintJob, canvas: Image.Image, mask: Image.Image) -> Image.Image:
    """The canvas as it is encoded: for all contents but its own, filled from around the mask first."""
    return canvas if job.content == "original" else m.filled_in(canvas, mask)
