"""What happens to photographs: a crop around a face (its side 256 px in 768 px) and the box, altered."""

import io
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from ohwx_compare.core.geometry import Box

Altered = tuple[Image.Image, Box]


def _mirrored(crop: Image.Image, box: Box) -> Altered:
    return ImageOps.mirror(crop), Box(crop.width - box.x2, box.y1, crop.width - box.x1, box.y2)


def _moved(crop: Image.Image, box: Box) -> Altered:
    by = 0.08 * box.width
    return crop, Box(box.x1 + by, box.y1 - by, box.x2 + by, box.y2 - by)


def _shrunk(side: int) -> Callable[[Image.Image, Box], Altered]:
    def shrink(crop: Image.Image, box: Box) -> Altered:
        scale = 2 * side / (box.width + box.height)
        size = (round(crop.width * scale), round(crop.height * scale))
        return crop.resize(size, Image.Resampling.LANCZOS), Box(*(edge * scale for edge in box.xyxy))

    return shrink


def _turned(degrees: float) -> Callable[[Image.Image, Box], Altered]:
    """About the face, which stands in the crop's middle."""
    return lambda crop, box: (crop.rotate(degrees, Image.Resampling.BICUBIC), box)


def _tinted(red: float, green: float, blue: float, power: float = 1.0) -> Callable[[Image.Image, Box], Altered]:
    def tint(crop: Image.Image, box: Box) -> Altered:
        values = 255 * (np.asarray(crop) / 255) ** power * (red, green, blue)
        return Image.fromarray(values.clip(0, 255).astype(np.uint8)), box

    return tint


def _jpeg(crop: Image.Image, box: Box) -> Altered:
    memory = io.BytesIO()
    crop.save(memory, "JPEG", quality=20)
    return Image.open(memory).convert("RGB"), box


ALTERATIONS: Mapping[str, Callable[[Image.Image, Box], Altered]] = {
    "none": lambda crop, box: (crop, box),
    "mirrored": _mirrored,
    "box moved by 8 %": _moved,
    "half the light": lambda crop, box: (ImageEnhance.Brightness(crop).enhance(0.5), box),
    "gamma 2.2": _tinted(1, 1, 1, 2.2),
    "warm light": _tinted(1.15, 1, 0.75),
    "grey": lambda crop, box: (crop.convert("L").convert("RGB"), box),
    "blur of 4 px": lambda crop, box: (crop.filter(ImageFilter.GaussianBlur(4)), box),
    "JPEG of quality 20": _jpeg,
    "face of 64 px": _shrunk(64),
    "face of 32 px": _shrunk(32),
    "turned by 15 degrees": _turned(15),
    "turned by 30 degrees": _turned(30),
    "turned by -30 degrees": _turned(-30),
}
