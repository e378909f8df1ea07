"""Pictures cropped to SDXL's common sizes so that the faces stay, into a folder of their own."""

from pathlib import Path

from PIL import Image

from ohwx_compare.core.buckets import BucketPlacement, Size
from ohwx_compare.core.geometry import Box
from ohwx_compare.files.atomic import replacing
from ohwx_compare.files.dataset import pixels

__all__ = ["COMMON_SIZES", "face_crop", "keep_faces"]

COMMON_SIZES: tuple[Size, ...] = (
    (1024, 1024), (896, 1152), (1152, 896), (832, 1216), (1216, 832), (768, 1344), (1344, 768), (640, 1536),
    (1536, 640),
)  # fmt: skip
_MARGIN = 0.35  # of a face's height, kept around it where the picture has it


def face_crop(size: Size, faces: tuple[Box, ...]) -> tuple[Size, Box]:
    """The common size that keeps most of a picture of `size`, and what it keeps of it, px: the faces and their margin.

    Where no crop has room for all of them, the largest face is kept.
    """
    width, height = size

    def kept(target: Size) -> tuple[int, int]:
        scale = min(width / target[0], height / target[1])
        return round(target[0] * scale), round(target[1] * scale)

    target = max(COMMON_SIZES, key=lambda one: kept(one)[0] * kept(one)[1])
    wide, high = kept(target)
    left, right = _span([(f.x1 - _MARGIN * f.height, f.x2 + _MARGIN * f.height) for f in faces], wide, width)
    top, bottom = _span([(f.y1 - _MARGIN * f.height, f.y2 + _MARGIN * f.height) for f in faces], high, height)
    return target, Box(left, top, right, bottom)


def keep_faces(image: Image.Image, faces: tuple[Box, ...], path: Path) -> None:
    """Write the crop of an RGB picture as PNG. Raises OSError."""
    target, box = face_crop(image.size, faces)
    part = image.crop(box.xyxy)
    fitted = BucketPlacement(part.size, target, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        Image.fromarray(pixels(part, fitted)).save(beside, "PNG")


def _span(wanted: list[tuple[float, float]], length: int, limit: int) -> tuple[int, int]:
    """Where a window of `length` lies within `limit`: in the middle, or as near to it as `wanted` lets it be.

    Where not all of them have room, the first ones do.
    """
    middle = limit / 2
    for count in range(len(wanted), 0, -1):
        low, high = min(one[0] for one in wanted[:count]), max(one[1] for one in wanted[:count])
        if high - low <= length:
            middle = min(max(middle, high - length / 2), low + length / 2)
            break
        if count == 1:
            middle = (low + high) / 2
    start = round(min(max(middle - length / 2, 0), limit - length))
    return start, start + length
