"""dlib's shape predictor: points of a face (corners of the eyes, the nose) inside the box of a detector.

A cascade of ensembles of regression trees (Kazemi and Sullivan 2014, "One millisecond face alignment with an ensemble
of regression trees", CVPR): each tree compares the brightness of pixels, whose places follow the points found so far.
Written after dlib/image_processing/shape_predictor.h of https://github.com/davisking/dlib/tree/v19.24, with its
rounding.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.core.geometry import Box

__all__ = ["Ensemble", "FaceFrame", "FacePoints", "Landmarks", "similarity"]

FacePoints = NDArray[np.complex128]  # (N,) x + iy, px of the picture, a pixel's middle being whole


@dataclass(frozen=True)
class FaceFrame:
    """A box of a picture, turned or not: `corner` + x * `across` + y * `down`, x and y from 0 to 1 inside it; in px."""

    corner: complex
    across: complex
    down: complex

    @classmethod
    def of(cls, box: Box) -> "FaceFrame":
        """The upright box, from the middle of its first pixel to the middle of its last."""
        return cls(complex(box.x1, box.y1), complex(box.x2 - 1 - box.x1), 1j * (box.y2 - 1 - box.y1))

    def place(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> FacePoints:
        """FacePoints of the frame, (N,) each, in the picture."""
        return x.astype(np.float64) * self.across + y.astype(np.float64) * self.down + self.corner


@dataclass(frozen=True, eq=False)
class Ensemble:
    """One ensemble: T trees of S splits each, over F pixels."""

    anchors: NDArray[np.int64]  # (F,) the point that each pixel hangs on
    offsets: NDArray[np.float32]  # (2, F) x and y from there, in widths and heights of the box
    first: NDArray[np.int64]  # (T, S) pixels to compare; S + 1 is a power of two, children of i are 2i + 1, 2i + 2
    second: NDArray[np.int64]  # (T, S)
    thresholds: NDArray[np.float32]  # (T, S) to the left where first - second is greater
    leaves: NDArray[np.float32]  # (T, S + 1, 2N) what a tree adds to the points

    def step(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(T, 2N) what each tree adds, for pixels of these values (F,)."""
        trees, splits = self.first.shape
        goes_left = (values.take(self.first) - values.take(self.second) > self.thresholds).view(np.int8).reshape(-1)
        row, node = np.arange(trees), np.zeros(trees, np.int64)
        for _ in range((splits + 1).bit_length() - 1):
            node = 2 * node + 2 - goes_left.take(row * splits + node)
        return self.leaves.reshape(-1, self.leaves.shape[2]).take(row * (splits + 1) + node - splits, 0)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The trained predictor of N points."""

    mean: NDArray[np.float32]  # (2N,) x, y, x, y, ... in widths and heights of the box: where every search begins
    stages: tuple[Ensemble, ...]

    def find(self, pixels: NDArray[np.uint8], frame: FaceFrame) -> FacePoints:
        """The points in `pixels` (H, W, 3) RGB, C order, whose face lies in `frame`; all is black outside the picture.

        The frame as dlib's detectors draw it: a square from the brows to the chin. dlib rounds to whole px what is
        found; here it is not.
        """
        shape = self.mean
        for stage in self.stages:
            turn = np.complex64(self._pull @ _complex(shape))
            x, y = stage.offsets
            hangs = shape.reshape(-1, 2).take(stage.anchors, 0)
            across = turn.real * x - turn.imag * y + hangs[:, 0]
            down = turn.imag * x + turn.real * y + hangs[:, 1]
            values = _brightness(pixels, frame.place(across, down))
            shape = np.concatenate([shape[None], stage.step(values)]).sum(0, dtype=np.float32)
        found = _complex(shape)
        return frame.place(found.real, found.imag)

    def frame(self, points: FacePoints) -> FaceFrame:
        """The square, turned as the face is, in which these points lie as the mean face's do."""
        factor, shift = similarity(self._mean, points)
        return FaceFrame(shift, factor, 1j * factor)

    @cached_property
    def _mean(self) -> FacePoints:
        return _complex(self.mean)

    @cached_property
    def _pull(self) -> FacePoints:
        """`_pull` @ points is the factor of their `similarity` to the mean face."""
        spread = self._mean - self._mean.mean()
        return spread.conj() / np.vdot(spread, spread).real


def _complex(shape: NDArray[np.float32]) -> FacePoints:
    return shape.view(np.complex64).astype(np.complex128)


def _brightness(pixels: NDArray[np.uint8], places: FacePoints) -> NDArray[np.float32]:
    """(F,) the mean of red, green and blue, rounded down; 0 outside the picture."""
    height, width = pixels.shape[:2]
    x, y = np.floor(places.real + 0.5).astype(np.int64), np.floor(places.imag + 0.5).astype(np.int64)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    red, green, blue = pixels.reshape(-1, 3).take((y * width + x) * inside, 0).astype(np.int32).T
    return ((red + green + blue) // 3 * inside).astype(np.float32)


def similarity(source: FacePoints, target: FacePoints) -> tuple[complex, complex]:
    """Factor a and shift b with a * source + b nearest to `target` by least squares.

    The turn and scale of Umeyama (1991, IEEE PAMI 13:376, equations 40 to 43), which in the plane are one division.
    """
    middle, aim = source.mean(), target.mean()
    spread = source - middle
    factor = complex(np.vdot(spread, target - aim) / np.vdot(spread, spread).real)
    return factor, complex(aim - factor * middle)
