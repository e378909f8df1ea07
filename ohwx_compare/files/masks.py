"""Masks as pictures: "L", white is inpainted. OpenCV's and PIL's own arithmetic, because it sets the crop box.

What the webui does to a mask (modules/processing.py, 82a973c) and what ADetailer does before it (adetailer/mask.py,
25.3.0), and the resizes that both need.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from ohwx_compare.core.geometry import Box, CropPaste, Placement, contain, cover
from ohwx_compare.errors import GeometryError, ImageError

__all__ = [
    "Resize",
    "bounding_box",
    "box_mask",
    "box_ratio",
    "crop",
    "dilate",
    "double",
    "filled_in",
    "fitted",
    "gaussian_blur",
    "is_black",
    "latent_mask",
    "merge",
    "offset",
    "overlay",
    "paste",
    "stretch",
    "touches",
    "uncropped",
]

_Corners = tuple[int, int, int, int]  # XYXY, px
Resize = Callable[[Image.Image, tuple[int, int]], Image.Image]
"""A picture (RGB) at another size (width, height px), without regard to proportions."""


def box_mask(size: tuple[int, int], box: Box) -> Image.Image:
    """A mask of `size` (width, height px), white in `box`, whose ends are truncated to whole px and both inclusive.

    So a box of 10.7..20.2 is white from 10 to 20, one px more than half-open. Raises GeometryError for an inverted box.
    """
    if box.x2 < box.x1 or box.y2 < box.y1:
        raise GeometryError(f"The box {box.xyxy} is inverted; expected x1 <= x2 and y1 <= y2.")
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle([int(v) for v in box.xyxy], fill=255)
    return mask


def box_ratio(size: tuple[int, int], box: Box) -> float:
    """`box`'s share of a picture of `size` (width, height px), 0..1."""
    return box.area / (size[0] * size[1])


def bounding_box(mask: Image.Image) -> Box | None:
    """The smallest box (whole px) that holds every non-black px; None for a black mask."""
    found = mask.getbbox()
    return Box(*found) if found else None


def is_black(mask: Image.Image) -> bool:
    """Whether nothing would be inpainted."""
    return mask.getbbox() is None


def touches(mask: Image.Image, other: Image.Image) -> bool:
    """Whether two masks of one size have a px in common, bit by bit as ADetailer's `has_intersection`."""
    return bool(np.any(np.bitwise_and(np.array(mask), np.array(other))))


def offset(mask: Image.Image, x: int, y: int) -> Image.Image:
    """`mask` moved `x` px right and `y` px up. It wraps around the border, as ADetailer's does."""
    return ImageChops.offset(mask, x, -y)


def dilate(mask: Image.Image, side: int) -> Image.Image:
    """Grow the white by a square of `side` px, or shrink it by one of `-side`; 0 leaves it.

    An even square grows one px more to the right and downwards than to the left and upwards.
    """
    if side == 0:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (abs(side), abs(side)))
    change = cv2.dilate if side > 0 else cv2.erode
    return Image.fromarray(change(np.array(mask), kernel, iterations=1))


def merge(masks: Sequence[Image.Image], *, invert: bool = False) -> Image.Image:
    """The bitwise union of masks of one size, or what is left of the picture without it. Raises ImageError for none."""
    if not masks:
        raise ImageError("There is no mask to merge; expected at least one.")
    union = Image.fromarray(reduce(np.bitwise_or, [np.array(mask) for mask in masks]))
    return ImageOps.invert(union) if invert else union


def gaussian_blur(mask: Image.Image, sigma: int) -> Image.Image:
    """OpenCV's Gaussian blur on x, then y, rounded to uint8 in between; kernel 2 * int(2.5 * sigma + 0.5) + 1 px."""
    if sigma <= 0:
        return mask
    side = 2 * int(2.5 * sigma + 0.5) + 1
    across = cv2.GaussianBlur(np.array(mask), (side, 1), sigma)
    return Image.fromarray(cv2.GaussianBlur(across, (1, side), sigma))


def double(mask: Image.Image) -> Image.Image:
    """`mask` times 2, cut at 255: what the webui overlays with when it inpaints whole pictures."""
    return Image.fromarray(np.clip(np.array(mask, dtype=np.float32) * 2, 0, 255).astype(np.uint8))


def latent_mask(mask: Image.Image, size: tuple[int, int], *, rounded: bool = True) -> np.ndarray:
    """`mask` at latent `size` (width, height), bicubic: float32 (height, width), 0 keeps and 1 inpaints."""
    small = np.asarray(mask.convert("L").resize(size, Image.Resampling.BICUBIC), dtype=np.float32) / 255
    return np.around(small) if rounded else small


def stretch(image: Image.Image, size: tuple[int, int], how: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """`image` resized to `size` (width, height px) without regard to proportions, Lanczos (the webui's mode 0).

    Its width first, as Pillow 9.5 does; Pillow 13 begins with what makes it smaller, and each rounds in between.
    """
    return image.resize((size[0], image.height), how).resize(size, how)


def fitted(image: Image.Image, size: tuple[int, int], mode: str, resize: Resize = stretch) -> Image.Image:
    """`image` at `size` (width, height px) by a job's `resize_mode`; "latent" does to a mask what "fill" does."""
    if mode == "stretch":
        return resize(image, size)
    return _cover(image, size, resize) if mode == "crop" else _contain(image, size, resize)


def filled_in(image: Image.Image, mask: Image.Image) -> Image.Image:
    """`image` (RGB) with blurred colours from around it in the white of `mask` ("L", same size).

    Ever narrower blurs of what is left lie over each other: `fill` of modules/masking.py, 82a973c.
    """
    left = Image.new("RGBa", image.size)
    left.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    whole = Image.new("RGBA", image.size)
    for radius, times in ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1)):
        layer = left.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            whole.alpha_composite(layer)
    return whole.convert("RGB")


def crop(image: Image.Image, change: CropPaste, resize: Resize = stretch) -> Image.Image:
    """Cut `change.crop` out and fit it on the canvas, bare strips filled with the nearest edge."""
    x, y = change.corner
    width, height = change.size
    return _contain(image.crop((x, y, x + width, y + height)), change.canvas, resize)


def _contain(image: Image.Image, size: tuple[int, int], resize: Resize) -> Image.Image:
    place = contain(image.size, size)
    resized = resize(image, (place.width, place.height))
    canvas = Image.new(image.mode, size)
    canvas.paste(resized, (place.x, place.y))
    for strip, edge in _strips(place, size):
        x1, y1, x2, y2 = strip
        canvas.paste(resized.resize((x2 - x1, y2 - y1), box=edge), (x1, y1))
    return canvas


def _cover(image: Image.Image, size: tuple[int, int], resize: Resize) -> Image.Image:
    place = cover(image.size, size)
    canvas = Image.new(image.mode, size)
    canvas.paste(resize(image, (place.width, place.height)), (place.x, place.y))
    return canvas


def _strips(place: Placement, size: tuple[int, int]) -> list[tuple[_Corners, _Corners]]:
    """The bare strips beside `place` and the edge of the resized picture (a box without area) that fills each."""
    width, height = size
    if place.height < height and place.y > 0:
        below = place.y + place.height
        return [
            ((0, 0, width, place.y), (0, 0, width, 0)),
            ((0, below, width, below + place.y), (0, place.height, width, place.height)),
        ]
    if place.width < width and place.x > 0:
        right = place.x + place.width
        return [
            ((0, 0, place.x, height), (0, 0, 0, height)),
            ((right, 0, right + place.x, height), (place.width, 0, place.width, height)),
        ]
    return []


def overlay(image: Image.Image, mask: Image.Image) -> Image.Image:
    """What of `image` (RGB) lies over the inpainted picture: RGBA, alpha 255 - `mask` ("L", same size).

    The colours pass through premultiplied RGBa and back, and lose there what the webui's lose.
    """
    layer = Image.new("RGBa", image.size)
    layer.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    return layer.convert("RGBA")


def uncropped(mask: Image.Image, change: CropPaste) -> Image.Image:
    """A mask ("L") of the canvas in the whole picture, black outside the crop."""
    whole = Image.new("L", change.picture)
    whole.paste(_cover(mask, change.size, stretch), change.corner)
    return whole


def paste(
    drawn: Image.Image, layer: Image.Image, change: CropPaste | None = None, resize: Resize = stretch
) -> Image.Image:
    """`drawn` (RGB), placed back by `change` where one is given, under `layer` (RGBA, the whole picture): RGB.

    A layer of another size than the picture's is the whole there, as in the webui.
    """
    if change is not None:
        drawn = _uncrop(drawn, change, layer.size, resize)
    whole = drawn.convert("RGBA")
    whole.alpha_composite(layer)
    return whole.convert("RGB")


def _uncrop(drawn: Image.Image, change: CropPaste, size: tuple[int, int], resize: Resize) -> Image.Image:
    picture = Image.new("RGBA", size)
    picture.paste(_cover(drawn, change.size, resize), change.corner)
    return picture
