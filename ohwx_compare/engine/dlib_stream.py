"""dlib's serialization, read value by value: whole numbers, floating-point numbers, texts, tensors.

A number is a byte with its length (and 0x80 for its sign), then that many bytes, little end first; a floating-point
number is a mantissa and a power of two, both such numbers; a tensor is four sizes and its float32 values.
Source: dlib/serialize.h, float_details.h and cuda/tensor.h of https://github.com/davisking/dlib/tree/v19.24.
"""

from collections.abc import Iterator
from math import ldexp, prod
from pathlib import Path

import numpy as np

from ohwx_compare.errors import MeasureError

__all__ = ["DlibStream", "integers", "read_dlib"]

_LONGEST = 32_000_000  # bytes of a file; those we know have 22 and 9 million
_LONGEST_TEXT = 100
_SPECIAL = {32000: float("inf"), 32001: float("-inf"), 32002: float("nan")}  # powers that stand for no number


def read_dlib(path: Path) -> bytes:
    """All of the file. Raises MeasureError where it cannot be read or is longer than any that we know."""
    try:
        if (size := path.stat().st_size) > _LONGEST:
            raise MeasureError(f"{path} has {size:,} bytes, expected at most {_LONGEST:,} of a file of dlib's.")
        return path.read_bytes()
    except OSError as error:
        raise MeasureError(f"{path} cannot be read: {error.strerror or error}.") from error


class DlibStream:
    """A place in a file of dlib's. Nothing that is read takes more memory than its bytes in the file.

    Every method raises MeasureError where the file does not hold what is asked for.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self.name, self._at = data, name, 0

    def integer(self) -> int:
        """A whole number of at most 8 bytes."""
        head = self._take(1)[0]
        size = head & 0x0F
        if not 1 <= size <= 8:
            raise self.wrong(f"a number of {size} bytes")
        value = int.from_bytes(self._take(size), "little")
        return -value if head & 0x80 else value

    def number(self) -> float:
        """A floating-point number."""
        mantissa, power = self.integer(), self.integer()
        if power in _SPECIAL:
            return _SPECIAL[power]
        try:
            return ldexp(mantissa, power)
        except OverflowError as error:
            raise self.wrong(f"a number of 2 to the {power}") from error

    def text(self) -> str:
        """A text of at most 100 bytes of ASCII."""
        size = self.integer()
        if not 0 <= size <= _LONGEST_TEXT:
            raise self.wrong(f"a text of {size} bytes")
        return bytes(self._take(size)).decode("ascii", "replace")

    def flag(self) -> bool:
        """Yes or no."""
        value = bytes(self._take(1))
        if value not in (b"0", b"1"):
            raise self.wrong(f"the byte {value!r} for yes or no")
        return value == b"1"

    def sizes(self, version: int) -> tuple[int, int, int, int]:
        """Samples, channels, rows and columns, behind the `version` of what has them."""
        if (found := self.integer()) != version:
            raise self.wrong(f"version {found} of a tensor's sizes, expected {version}")
        sizes = self.integer(), self.integer(), self.integer(), self.integer()
        if min(sizes) < 0:
            raise self.wrong(f"a tensor of {sizes}")
        return sizes

    def tensor(self) -> np.ndarray:
        """float32 (samples, channels, rows, columns); a view into the file's bytes, not to be written into."""
        sizes = self.sizes(2)
        return np.frombuffer(self._take(4 * prod(sizes)), "<f4").reshape(sizes)

    def end(self) -> None:
        """Raise MeasureError unless all has been read."""
        if left := len(self._data) - self._at:
            raise self.wrong(f"{left:,} bytes more than its layers")

    def wrong(self, what: str) -> MeasureError:
        """The error that says `what` was found where the last value lies."""
        return MeasureError(f"{self.name} is not a readable dlib file: at byte {self._at:,} it has {what}.")

    def _take(self, count: int) -> memoryview:
        start, self._at = self._at, self._at + count
        if self._at > len(self._data):
            self._at = start
            raise self.wrong(f"its end, expected {count:,} bytes more")
        return memoryview(self._data)[start : self._at]


def integers(data: bytes, name: str) -> np.ndarray:
    """int64: every number of a file that holds whole numbers and nothing else. Raises MeasureError for others."""
    starts = np.fromiter(_starts(data), np.int64)
    padded = np.frombuffer(data + bytes(8), np.uint8)
    head = padded[starts]
    size = head & 0x0F
    ends_whole = len(starts) and starts[-1] + 1 + size[-1] == len(data)
    if not ends_whole or size.min() < 1 or size.max() > 7:
        raise MeasureError(f"{name} is not a readable dlib file: it does not hold whole numbers from end to end.")
    value = np.zeros(len(starts), np.int64)
    for place in range(int(size.max())):
        value |= np.where(place < size, padded[starts + 1 + place], 0).astype(np.int64) << (8 * place)
    return np.where(head & 0x80, -value, value)


def _starts(data: bytes) -> Iterator[int]:
    at, end = 0, len(data)
    while at < end:
        yield at
        at += 1 + (data[at] & 0x0F)
