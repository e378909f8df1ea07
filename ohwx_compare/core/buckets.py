"""Aspect-ratio buckets: the size each picture is trained at, and where it is cropped.

Sizes are (width, height) in px. The choice equals sd-scripts' `BucketManager`:
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py#L286
"""

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt, sqrt

from ohwx_compare.core.geometry import Size
from ohwx_compare.errors import GeometryError

__all__ = ["BucketPlacement", "Buckets", "Size"]


@dataclass(frozen=True)
class BucketPlacement:
    """How one picture is fitted into its bucket: resized until it covers the bucket, then cropped around the middle."""

    original: Size
    resized: Size
    bucket: Size

    @property
    def crop(self) -> tuple[int, int]:
        """Left and top of the bucket in the resized picture."""
        return (self.resized[0] - self.bucket[0]) // 2, (self.resized[1] - self.bucket[1]) // 2

    def conditioning(self, kohya_crop: bool = False) -> tuple[int, int, int, int, int, int]:
        """SDXL's size embeddings: original height, width, crop top, left, target height, width (arXiv 2307.01952, 2.2).

        kohya_crop: sd-scripts' crop, which is the margin of the picture fitted into the bucket: the other axis.
        """
        left, top = self._kohya_crop() if kohya_crop else self.crop
        return (self.original[1], self.original[0], top, left, self.bucket[1], self.bucket[0])

    def _kohya_crop(self) -> tuple[int, int]:
        ratio = self.original[0] / self.original[1]
        width, height = self.bucket
        if width / height > ratio:
            return int((width - height * ratio) // 2), 0
        return 0, int((height - width / ratio) // 2)


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """The rule that chooses a bucket. Raises GeometryError for a picture that is too small for any."""

    resolution: Size  # its area is the most a bucket has
    smallest: int = 256  # px, of a side; without meaning under no_upscale, as in sd-scripts
    largest: int = 2048
    step: int = 64
    no_upscale: bool = False  # small pictures keep their size
    only_resolution: bool = False  # one bucket for all

    @property
    def predefined(self) -> tuple[Size, ...]:
        """The buckets that pictures are sorted into while they may be enlarged, in rising order."""
        return (self.resolution,) if self.only_resolution else _predefined(self)

    def place(self, original: Size) -> BucketPlacement:
        """Where a picture of this size goes. Raises GeometryError for one smaller than a step."""
        if self.no_upscale and not self.only_resolution:
            resized = self._shrunk(original)
            bucket = (resized[0] - resized[0] % self.step, resized[1] - resized[1] % self.step)
            if 0 in bucket:
                raise GeometryError(
                    f"A picture of {original[0]}x{original[1]} px is smaller than the smallest bucket, {self.step} px; "
                    f"leave it out or set bucket_no_upscale to false."
                )
        else:
            bucket = self._nearest(original)
            resized = _cover(original, bucket)
        return BucketPlacement(original, resized, bucket)

    def _nearest(self, original: Size) -> Size:
        if original in self.predefined:
            return original
        ratio = original[0] / original[1]
        return min(self.predefined, key=lambda size: abs(size[0] / size[1] - ratio))  # the first of equals

    def _shrunk(self, original: Size) -> Size:
        area = self.resolution[0] * self.resolution[1]
        if original[0] * original[1] <= area:
            return original
        ratio = original[0] / original[1]
        ideal = sqrt(area * ratio)
        width, height = self._whole(ideal), self._whole(area / ideal)  # sides of the ideal size in whole steps
        by_width = abs(_ratio(width, self._whole(width / ratio)) - ratio)
        by_height = abs(_ratio(self._whole(height * ratio), height) - ratio)
        if by_width < by_height:
            return width, int(width / ratio + 0.5)
        return int(height * ratio + 0.5), height

    def _whole(self, side: float) -> int:
        rounded = int(side + 0.5)
        return rounded - rounded % self.step


@lru_cache
def _predefined(rule: Buckets) -> tuple[Size, ...]:
    area = rule.resolution[0] * rule.resolution[1]
    square = isqrt(area) // rule.step * rule.step
    sizes = {(square, square)}
    for width in range(rule.smallest, rule.largest + 1, rule.step):
        height = min(rule.largest, area // width // rule.step * rule.step)
        if height >= rule.smallest:
            sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes))


def _cover(original: Size, bucket: Size) -> Size:
    wider = original[0] / original[1] > bucket[0] / bucket[1]
    scale = bucket[1] / original[1] if wider else bucket[0] / original[0]
    return int(original[0] * scale + 0.5), int(original[1] * scale + 0.5)


def _ratio(width: int, height: int) -> float:
    return width / height if height else float("inf")
