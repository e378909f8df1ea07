"""Masks of training pictures: how much the error counts at each spot of their latents.

A mask is the picture's own alpha, a file beside it (photo-masklabel.png, as OneTrainer writes it) or a file of its name
in another folder (sd-scripts' conditioning_data_dir): its red channel, white counts whole and black not at all. It is
resized and cropped as its picture, then averaged over the 8 x 8 pixels of a latent:
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/custom_train_functions.py#L487-L506
"""

from pathlib import Path

import numpy as np
from PIL import Image

from ohwx_compare.core.buckets import BucketPlacement
from ohwx_compare.errors import ImageError
from ohwx_compare.files.dataset import EXTENSIONS, MASK_ENDS, ReadingRules, load_alpha, load_picture, pixels

__all__ = ["loss_mask", "mask_file"]

_CELL = 8  # pixels of a latent's side
_PLAIN = ReadingRules(background=None)


def mask_file(picture: Path, masks: str) -> Path | None:
    """Where the mask of a picture lies; None where there is none. masks: "beside", or a folder."""
    folder, stem = (picture.parent, picture.stem + MASK_ENDS) if masks == "beside" else (Path(masks), picture.stem)
    paths = (folder / f"{stem}{end}" for end in (".png", picture.suffix, *sorted(EXTENSIONS)))
    return next((path for path in paths if path.is_file()), None)


def loss_mask(picture: Path, masks: str, placement: BucketPlacement, reading: ReadingRules) -> np.ndarray:
    """The mask of a picture: (h, w) float32, 0 to 1, of its latents' size; all 1 where it has none.

    masks: "alpha", "beside", or a folder. Raises ImageError for a mask that is not of its picture's size.
    """
    width, height = placement.bucket
    image = _mask(picture, masks, reading)
    if image is None:
        return np.ones((height // _CELL, width // _CELL), np.float32)
    if image.size != placement.original:
        raise ImageError(f"The mask of {picture} is {image.size} px, expected {placement.original} px as the picture.")
    cells = pixels(image, placement).reshape(height // _CELL, _CELL, width // _CELL, _CELL)
    return np.asarray(cells.mean((1, 3), dtype=np.float32) / 255, np.float32)


def _mask(picture: Path, masks: str, reading: ReadingRules) -> Image.Image | None:
    if masks == "alpha":
        return load_alpha(picture, reading)
    path = mask_file(picture, masks)
    return load_picture(path, _PLAIN).getchannel("R") if path else None
