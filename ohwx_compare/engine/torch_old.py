"""The file that `torch.save` wrote before 1.6: pickles one after another, then the storages' bytes.

Many upscalers are still given out so. Format: torch's `torch/serialization.py`, `_legacy_save`.
"""

import struct
from pathlib import Path

import numpy as np
import torch

from ohwx_compare.engine.opcodes import end_of
from ohwx_compare.errors import DetectorError
from ohwx_compare.files.regular import require_regular

__all__ = ["OldTorchFile", "is_old"]

_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
_START = b"\x80\x02\x8a\n" + _MAGIC
_HEADS = 3  # pickles before the object's: magic number, version, about the machine
_LARGEST_PICKLE = 4_000_000  # bytes


def is_old(path: Path) -> bool:
    """Whether the file begins like one of these. Raises DetectorError where it cannot be read."""
    try:
        require_regular(path)
        with path.open("rb") as file:
            return file.read(len(_START)) == _START
    except OSError as error:
        raise DetectorError(f"{path} cannot be read: {error}.") from error


class OldTorchFile:
    """One file as `TorchZip` has it: the object's pickle, and storages, which are filled by `fill` at the end."""

    def __init__(self, path: Path):
        self.name, self._data = path.name, path.read_bytes()
        self.size = len(self._data)  # bytes
        try:
            start = 0
            for _ in range(_HEADS):
                start = end_of(self._data, start, _LARGEST_PICKLE)
            self._start, self._end = start, end_of(self._data, start, _LARGEST_PICKLE)
            self._keys_end = end_of(self._data, self._end, _LARGEST_PICKLE)
        except (ValueError, struct.error) as error:
            raise DetectorError(f"{self.name}: it is damaged or cut off ({error}); download it again.") from error
        self._storages: dict[str, torch.Tensor] = {}
        self._claimed = 0

    def pickle(self) -> bytes:
        """The object's."""
        return self._data[self._start : self._end]

    def keys(self) -> bytes:
        """The pickle of the list of storages, in the order of their bytes."""
        return self._data[self._end : self._keys_end]

    def storage(self, key: str, dtype: torch.dtype, length: int) -> torch.Tensor:
        """Storage `key` as a 1-d tensor of `length` elements; its values come with `fill`."""
        if key not in self._storages:
            self._claimed += length * torch.empty(0, dtype=dtype).element_size()
            if not 0 <= length <= self.size or self._claimed > self.size:
                raise DetectorError(f"{self.name}: its storages claim more bytes than the file has; download it again.")
            self._storages[key] = torch.zeros(length, dtype=dtype)
        if (found := self._storages[key]).dtype != dtype:
            raise DetectorError(f"{self.name}: storage {key:.80} is used as {found.dtype} and as {dtype}.")
        return found

    def fill(self, keys: list[str]) -> None:
        """Read the storages' bytes, which lie one after another as `keys` lists them. Raises DetectorError."""
        at = self._keys_end
        for key in keys:
            if (storage := self._storages.get(key)) is None:
                raise DetectorError(f"{self.name}: no tensor uses its storage {key!r:.80}.")
            width, count = storage.element_size(), int.from_bytes(self._data[at : at + 8], "little")
            start, at = at + 8, at + 8 + count * width
            if count != storage.numel() or at > self.size:
                raise DetectorError(f"{self.name}: storage {key:.80} is damaged or cut off; download it again.")
            raw = np.frombuffer(self._data, np.uint8, count * width, start)
            storage.copy_(torch.from_numpy(raw.copy()).view(storage.dtype))
