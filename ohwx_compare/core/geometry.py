"""Boxes and the two coordinate changes of the face pass, each one object that owns both directions.

Frame: XYXY in px of the named picture, x to the right, y down, half-open.
"""

from dataclasses import dataclass

from ohwx_compare.errors import GeometryError

__all__ = ["Box", "CropPaste", "Placement", "contain", "cover", "crop_region"]

Size = tuple[int, int]  # width, height in px, as PIL has it


@dataclass(frozen=True)
class Box:
    """A rectangle, XYXY px, floats allowed (detections) and half-open."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in px."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height in px."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Area in px^2; 0 for an empty or inverted box."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """The four numbers in PIL's order."""
        return self.x1, self.y1, self.x2, self.y2


@dataclass(frozen=True)
class Placement:
    """A picture on a canvas: resize it to `width` x `height` px, put its corner at `x`, `y` (may be negative)."""

    width: int
    height: int
    x: int
    y: int


def contain(source: Size, canvas: Size) -> Placement:
    """The largest placement of `source` inside `canvas`, proportions kept, centred (the webui's resize mode 2).

    Source: `resize_image` of modules/images.py, 82a973c. The short side's length is floored, so one px of canvas may
    stay free on its far side.
    """
    return _place(source, canvas, wide=_ratio(canvas) < _ratio(source))


def cover(source: Size, canvas: Size) -> Placement:
    """The smallest placement of `source` that covers `canvas`, proportions kept, centred (the webui's resize mode 1).

    Source: `resize_image` of modules/images.py, 82a973c. Floored as in `contain`, so up to one px may stay bare.
    """
    return _place(source, canvas, wide=_ratio(canvas) > _ratio(source))


def _place(source: Size, canvas: Size, *, wide: bool) -> Placement:
    """Fit the canvas's width if `wide`, else its height, and centre the other axis."""
    (source_width, source_height), (width, height) = source, canvas
    new_width = width if wide else source_width * height // source_height
    new_height = source_height * width // source_width if wide else height
    return Placement(new_width, new_height, width // 2 - new_width // 2, height // 2 - new_height // 2)


def _ratio(size: Size) -> float:
    if min(size) <= 0:
        raise GeometryError(f"A size of {size[0]}x{size[1]} px is empty; both sides must be at least 1.")
    return size[0] / size[1]


def crop_region(box: Box, padding: int, picture: Size, canvas: Size) -> Box:
    """The part of `picture` that is cut out to inpaint `box` at `canvas` size: whole px, inside the picture.

    `box` (whole px) grows by `padding` px, clamped, then on one axis to `canvas`'s proportions, shifted
    inside the picture where it would leave it. A picture too small for the proportions is used whole on that axis.
    Source: `get_crop_region_v2` and `expand_crop_region` of modules/masking.py, 82a973c. Raises GeometryError.
    """
    width, height = picture
    x1, y1 = max(int(box.x1) - padding, 0), max(int(box.y1) - padding, 0)
    x2, y2 = min(int(box.x2) + padding, width), min(int(box.y2) + padding, height)
    if x2 <= x1 or y2 <= y1:
        raise GeometryError(f"The box {box.xyxy} covers nothing of the picture of {width}x{height} px.")
    ratio = _ratio(canvas)
    if (x2 - x1) / (y2 - y1) > ratio:
        y1, y2 = _widen(y1, y2, int((x2 - x1) / ratio - (y2 - y1)), height)
    else:
        x1, x2 = _widen(x1, x2, int((y2 - y1) * ratio - (x2 - x1)), width)
    return Box(x1, y1, x2, y2)


def _widen(low: int, high: int, extra: int, limit: int) -> tuple[int, int]:
    """Add `extra` px, the smaller half first, then shift and cut into 0..limit."""
    low, high = low - extra // 2, high + extra - extra // 2
    if high > limit:
        low, high = low - (high - limit), limit
    if low < 0:
        low, high = 0, high - low
    return low, min(high, limit)


@dataclass(frozen=True)
class CropPaste:
    """Cut `crop` out of a picture of size `picture`, generate it at size `canvas`, paste it back.

    `into` places the cut-out on the canvas (contained, the rest filled by its edges); `back` places the finished canvas
    on the crop (covering it).
    """

    picture: Size
    crop: Box  # whole px, inside the picture
    canvas: Size

    @classmethod
    def around(cls, box: Box, *, padding: int, picture: Size, canvas: Size) -> "CropPaste":
        """The change for inpainting `box` with `padding` px around it; see `crop_region`."""
        return cls(picture, crop_region(box, padding, picture, canvas), canvas)

    @property
    def corner(self) -> tuple[int, int]:
        """The crop's upper left px in the picture."""
        return int(self.crop.x1), int(self.crop.y1)

    @property
    def size(self) -> Size:
        """The crop's size in px of the picture."""
        return int(self.crop.width), int(self.crop.height)

    @property
    def into(self) -> Placement:
        """The crop on the canvas, px of the canvas."""
        return contain(self.size, self.canvas)

    @property
    def back(self) -> Placement:
        """The canvas on the crop, px of the picture counted from `corner`."""
        return cover(self.canvas, self.size)
