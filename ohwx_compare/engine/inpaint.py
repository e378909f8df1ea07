"""Inpaint: generate the white of a mask anew, in the whole picture or in a crop at the job's own size.

The webui's arithmetic (StableDiffusionProcessingImg2Img.init and apply_overlay, modules/processing.py, 82a973c), with
"masked content: original" and a rounded latent mask. The blur comes before the crop, so the crop grows with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ohwx_compare.core.geometry import CropPaste
from ohwx_compare.core.request.job import InpaintJob
from ohwx_compare.engine.render import NotedImage, draw_batch, encode_start, job_batches
from ohwx_compare.engine.running import Counter
from ohwx_compare.engine.weights import Model
from ohwx_compare.errors import ImageError
from ohwx_compare.files import masks as m

__all__ = ["inpaint"]


@dataclass(frozen=True)
class _Prepared:
    """A picture ready to be inpainted, and how it goes back."""

    canvas: Image.Image  # RGB, the job's size
    mask: np.ndarray  # float32 (h, w) at latent size, 1 = redraw
    layer: Image.Image | None = None  # RGBA, what lies over the drawn picture
    change: CropPaste | None = None  # None: the canvas is the whole picture
    notes: tuple[str, ...] = ()

    def finish(self, drawn: NotedImage) -> NotedImage:
        image = m.paste(drawn.image, self.layer, self.change) if self.layer else drawn.image
        return NotedImage(image, (*self.notes, *drawn.notes))


@torch.inference_mode()
def inpaint(
    model: Model,
    jobs: Sequence[InpaintJob],
    images: Sequence[Image.Image],
    masks: Sequence[Image.Image],
    on_step: Counter | None = None,
) -> list[NotedImage]:
    """Inpaint the white of each mask ("L", its image's size) in each image (RGB), in the jobs' order.

    With `only_masked` a picture keeps its size, else it gets the job's. A black mask with `only_masked` inpaints
    everything, as in the webui, with a note. Raises ImageError where a mask has another size; else like `txt2img`.
    """
    ready = [_prepare(*one) for one in zip(jobs, images, masks, strict=True)]
    pictures = []
    for group in job_batches([job.job for job in jobs]):
        plain = [jobs[i].job for i in group]
        mask = torch.from_numpy(np.stack([ready[i].mask for i in group]))[:, None].to(model.device)
        start = encode_start(model, plain, [ready[i].canvas for i in group], mask)
        drawn = draw_batch(model, plain, start, on_step)
        pictures += [ready[i].finish(picture) for i, picture in zip(group, drawn, strict=True)]
    return pictures


def _prepare(job: InpaintJob, image: Image.Image, mask: Image.Image) -> _Prepared:
    if mask.size != image.size:
        raise ImageError(f"The mask is {mask.width}x{mask.height} px, expected {image.width}x{image.height}.")
    image, blurred = image.convert("RGB"), m.gaussian_blur(mask.convert("L"), job.mask_blur)
    size = (job.job.width, job.job.height)
    latent_size = (size[0] // 8, size[1] // 8)
    if not job.only_masked:
        canvas, stretched = m.stretch(image, size), m.stretch(blurred, size)
        return _Prepared(canvas, m.latent_mask(stretched, latent_size), m.overlay(canvas, m.double(stretched)))
    box = m.bounding_box(blurred)
    if box is None:
        everything = np.ones(latent_size[::-1], np.float32)
        return _Prepared(
            m.stretch(image, size), everything, notes=("the mask is black: the whole picture was inpainted",)
        )
    change = CropPaste.around(box, padding=job.padding, picture=image.size, canvas=size)
    latent = m.latent_mask(m.crop(blurred, change), latent_size)
    return _Prepared(m.crop(image, change), latent, m.overlay(image, blurred), change)
