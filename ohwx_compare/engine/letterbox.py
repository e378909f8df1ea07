"""How a picture is fitted into the detector's square, and how boxes come back.

Two frames: the picture (px, XYXY) and the letterbox, the picture scaled until its longest side is `size` and padded
to the next multiple of `stride` on the other axis.
Rules: ultralytics 8.3.75, `LetterBox(auto=True)` and `scale_boxes`, both with their rounding.
"""

from dataclasses import dataclass
from functools import cached_property

from ohwx_compare.core.geometry import Box
from ohwx_compare.errors import GeometryError

__all__ = ["Letterbox"]


@dataclass(frozen=True)
class Letterbox:
    """The letterbox of a `width` x `height` px picture; owns both directions of the coordinate change.

    `size` (px, a multiple of `stride`) is the longest side afterwards; small pictures are enlarged.
    Raises GeometryError for a picture without area or a size off the stride.
    """

    width: int
    height: int
    size: int = 640
    stride: int = 32

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise GeometryError(f"A picture of {self.width}x{self.height} px has no area; expected at least 1x1.")
        if self.size < self.stride or self.size % self.stride:
            raise GeometryError(f"The letterbox size is {self.size}, expected a multiple of the stride {self.stride}.")

    @cached_property
    def inner(self) -> tuple[int, int]:
        """(width, height) of the scaled picture without padding, px."""
        scale = min(self.size / self.height, self.size / self.width)
        return max(round(self.width * scale), 1), max(round(self.height * scale), 1)

    @cached_property
    def padding(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom padding in px; an odd px goes right and bottom."""
        dx, dy = ((self.size - side) % self.stride / 2 for side in self.inner)
        return round(dx - 0.1), round(dy - 0.1), round(dx + 0.1), round(dy + 0.1)

    @cached_property
    def outer(self) -> tuple[int, int]:
        """(width, height) with padding, px: multiples of `stride`."""
        (width, height), (left, top, right, bottom) = self.inner, self.padding
        return left + width + right, top + height + bottom

    @cached_property
    def scale(self) -> float:
        """Letterbox px per picture px. One number for both axes although `inner` is rounded: ultralytics' own."""
        width, height = self.outer
        return min(height / self.height, width / self.width)

    @cached_property
    def origin(self) -> tuple[int, int]:
        """Where ultralytics maps the picture's (0, 0); by its rounding up to 1 px beside the padding."""
        (width, height), scale = self.outer, self.scale
        return round((width - self.width * scale) / 2 - 0.1), round((height - self.height * scale) / 2 - 0.1)

    def forward(self, box: Box) -> Box:
        """The box of the picture in the letterbox's frame."""
        (x, y), scale = self.origin, self.scale
        return Box(box.x1 * scale + x, box.y1 * scale + y, box.x2 * scale + x, box.y2 * scale + y)

    def inverse(self, box: Box) -> Box:
        """The box of the letterbox in the picture's frame; may reach outside, see `clip`."""
        (x, y), scale = self.origin, self.scale
        return Box((box.x1 - x) / scale, (box.y1 - y) / scale, (box.x2 - x) / scale, (box.y2 - y) / scale)

    def clip(self, box: Box) -> Box:
        """The part of a picture-frame box inside the picture."""
        return Box(
            min(max(box.x1, 0.0), float(self.width)),
            min(max(box.y1, 0.0), float(self.height)),
            min(max(box.x2, 0.0), float(self.width)),
            min(max(box.y2, 0.0), float(self.height)),
        )
