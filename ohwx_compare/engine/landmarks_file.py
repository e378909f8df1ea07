"""dlib's shape predictor, read from its `.dat`, which holds whole numbers alone (dlib_stream.py)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.engine.dlib_stream import integers, read_dlib
from ohwx_compare.engine.landmarks import Ensemble, Landmarks
from ohwx_compare.errors import MeasureError

__all__ = ["read_landmarks"]

_Integers = NDArray[np.int64]
_Floats = NDArray[np.float32]


def read_landmarks(path: Path) -> Landmarks:
    """The predictor in a `.dat`, of any number of points, stages and trees.

    All trees of a stage have the same number of splits. Raises MeasureError saying what is wrong with the file.
    """
    reading = _Reading(integers(read_dlib(path), path.name), path.name)
    reading.expect(reading.integer(), 1, "the version")
    mean = reading.column()
    if len(mean) < 4 or len(mean) % 2:
        raise reading.wrong(f"{len(mean)} numbers, expected x and y of two points or more")
    count = reading.count("stages")
    forests = [reading.trees(len(mean)) for _ in range(count)]
    reading.expect(reading.count("stages"), count, "the count of stages")
    anchors = [reading.integers(reading.count("pixels")) for _ in range(count)]
    reading.expect(reading.count("stages"), count, "the count of stages")
    offsets = [reading.floats(2 * reading.count("pixels")).reshape(-1, 2).T.copy() for _ in range(count)]
    reading.expect(reading.left, 0, "the count of numbers behind its end")
    stages = tuple(Ensemble(*parts) for parts in zip(anchors, offsets, *zip(*forests, strict=True), strict=True))
    for stage in stages:
        pixels = len(stage.anchors)
        reading.expect(stage.offsets.shape[1], pixels, "the count of pixels")
        reading.within(stage.anchors, len(mean) // 2, "point")
        reading.within(stage.first, pixels, "pixel")
        reading.within(stage.second, pixels, "pixel")
    return Landmarks(mean, stages)


class _Reading:
    """A place among the numbers of a file. Nothing that is read takes more memory than its numbers in the file."""

    def __init__(self, values: _Integers, name: str) -> None:
        self._values, self._name, self._at = values, name, 0

    @property
    def left(self) -> int:
        return len(self._values) - self._at

    def integers(self, count: int) -> _Integers:
        if not 0 <= count <= self.left:
            raise self.wrong(f"{count:,} numbers, and {self.left:,} are left")
        self._at += count
        return self._values[self._at - count : self._at]

    def integer(self) -> int:
        return int(self.integers(1)[0])

    def count(self, what: str) -> int:
        """How many of `what` follow, of at least one number each."""
        count = self.integer()
        if not 0 < count <= self.left:
            raise self.wrong(f"{count:,} {what}, and {self.left:,} numbers are left")
        return count

    def floats(self, count: int) -> _Floats:
        return _floats(self.integers(2 * count))

    def column(self) -> _Floats:
        """A matrix of one column, before it its two sizes as negative numbers."""
        rows, columns = (-int(size) for size in self.integers(2))
        if columns != 1 or rows < 1:
            raise self.wrong(f"a matrix of {rows:,} x {columns:,}, expected one column")
        return self.floats(rows)

    def trees(self, length: int) -> tuple[_Integers, _Integers, _Floats, _Floats]:
        """`first`, `second`, `thresholds` and `leaves` of one ensemble, as `Ensemble` has them; leaves of `length`."""
        count = self.count("trees")
        splits = int(self._values[self._at]) if self.left else 0
        if splits < 1 or splits & (splits + 1):
            raise self.wrong(f"a tree of {splits:,} splits, expected 1, 3, 7, 15, ...")
        leaves, behind = splits + 1, 2 + 4 * splits
        each = behind + leaves * (2 + 2 * length)
        block = self.integers(count * each).reshape(count, each)
        split = block[:, 1 : behind - 1].reshape(count, splits, 4)
        leaf = block[:, behind:].reshape(count, leaves, 2 + 2 * length)
        sizes = np.concatenate([block[:, [0, behind - 1]].ravel(), leaf[:, :, :2].ravel()])
        expected = np.concatenate([np.tile([splits, leaves], count), np.tile([-length, -1], count * leaves)])
        if not np.array_equal(sizes, expected):
            raise self.wrong("the end of trees of several sizes")
        return split[..., 0].copy(), split[..., 1].copy(), _floats(split[..., 2:])[..., 0], _floats(leaf[..., 2:])

    def expect(self, found: int, expected: int, what: str) -> None:
        if found != expected:
            raise self.wrong(f"{found:,} for {what}, expected {expected:,}")

    def within(self, indices: _Integers, length: int, what: str) -> None:
        if not (indices.min() >= 0 and indices.max() < length):
            raise self.wrong(f"{what} {indices.min():,} to {indices.max():,} of {length:,}")

    def wrong(self, what: str) -> MeasureError:
        return MeasureError(f"{self._name} is not a shape predictor of dlib: by number {self._at:,} it has {what}.")


def _floats(pairs: _Integers) -> _Floats:
    """(..., 2n) mantissas and powers of two, in turns, to (..., n)."""
    powers = np.clip(pairs[..., 1::2], -2000, 2000).astype(np.int32)
    with np.errstate(over="ignore"):  # a hostile power is infinite
        return np.ldexp(pairs[..., 0::2].astype(np.float64), powers).astype(np.float32)
