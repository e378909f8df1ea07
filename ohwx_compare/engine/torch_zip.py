"""The zip that `torch.save` writes: one pickle, and each storage as a member of its own, uncompressed.

Format: torch's `torch/serialization.py`.
"""

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from ohwx_compare.errors import DetectorError
from ohwx_compare.files.regular import require_regular
from ohwx_compare.words import counted, quoted

__all__ = ["TorchZip", "open_torch_zip"]

_LOCAL_HEADER = 30  # bytes before a member's name, at least
_LARGEST_DIRECTORY = 1_000_000  # bytes: 10,000 members; YOLOv8x has some 600
_LARGEST_PICKLE = 4_000_000  # bytes; YOLOv8x has 0.3 MB


@contextmanager
def open_torch_zip(path: Path) -> Iterator["TorchZip"]:
    """The members of a `.pt`. Raises DetectorError for a file that is not a zip of torch's, is damaged or cut off."""
    try:
        require_regular(path)
        with _Opening(path) as file, zipfile.ZipFile(file) as archive:
            file.limit = None
            yield TorchZip(archive, path.name)
    except zipfile.BadZipFile as error:
        raise DetectorError(f"{path.name}: {_why_no_zip(path, error)}") from error
    except (EOFError, RuntimeError, ValueError, struct.error) as error:
        raise DetectorError(f"{path.name} cannot be read as a zip ({error}); download it again.") from error
    except OSError as error:
        raise DetectorError(f"{path} cannot be read: {error}.") from error


class _Opening(io.FileIO):
    """A file whose zip directory must be small: `zipfile` reads it at once and makes an object of each entry."""

    limit: int | None = _LARGEST_DIRECTORY

    def read(self, size: int | None = -1) -> bytes:  # never None: nothing here waits
        """Raises BadZipFile for more than the limit."""
        if self.limit is not None and size is not None and size > self.limit:
            raise zipfile.BadZipFile(f"its directory claims {size:,} bytes, expected at most {self.limit:,}")
        return super().read(size)


def _why_no_zip(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK":
        return f"the zip is damaged or cut off ({error}); download the file again."
    if start[:1] == b"\x80":
        return "it is in torch's old format (before 1.6), which is not read; save it again with a newer torch."
    return "it is not a .pt file: torch.save writes a zip; choose another file."


class TorchZip:
    """The members of one `.pt`."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.name = name  # of the file
        self._archive = archive
        self._members = {info.filename: info for info in archive.infolist()}
        self.size = _size(archive, name)  # bytes of all members
        pickles = [member for member in self._members if member.count("/") == 1 and member.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise DetectorError(f"{name} is a zip that has data.pkl {counted(len(pickles), 'time')}, expected once.")
        self._root = pickles[0].removesuffix("data.pkl")
        order = self._read("byteorder") if self._root + "byteorder" in self._members else b"little"
        if order not in (b"little", b"big"):
            raise DetectorError(f"{name} names the byte order {quoted(order[:200])}, expected little or big.")
        self._order = "<" if order == b"little" else ">"
        self._storages: dict[str, torch.Tensor] = {}

    def _read(self, member: str) -> bytes:
        """The bytes of a member. Compressed ones are refused: torch writes none, and they could unpack to anything."""
        info = self._members.get(self._root + member)
        if info is None:
            raise DetectorError(f"{self.name} lacks {member:.80}; download it again.")
        if info.compress_type != zipfile.ZIP_STORED:
            raise DetectorError(f"{self.name}: {member} is compressed, which torch.save never does.")
        if info.file_size != info.compress_size:
            raise DetectorError(f"{self.name}: {member} claims {info.file_size:,} bytes of {info.compress_size:,}.")
        return self._archive.read(info)

    def pickle(self) -> bytes:
        """The pickle. Raises DetectorError for one that is larger than any detector's."""
        if (length := self._members[self._root + "data.pkl"].file_size) > _LARGEST_PICKLE:
            raise DetectorError(f"{self.name}: its pickle has {length:,} bytes, expected at most {_LARGEST_PICKLE:,}.")
        return self._read("data.pkl")

    def storage(self, key: str, dtype: torch.dtype, length: int) -> torch.Tensor:
        """Storage `key` as a 1-d tensor of `length` elements, read once; torch gives each one dtype only."""
        if key not in self._storages:
            self._storages[key] = self._storage(key, dtype, length)
        if (found := self._storages[key]).dtype != dtype:
            raise DetectorError(f"{self.name}: storage {key:.80} is used as {found.dtype} and as {dtype}.")
        return found

    def _storage(self, key: str, dtype: torch.dtype, length: int) -> torch.Tensor:
        raw = np.frombuffer(self._read(f"data/{key}"), np.uint8)
        width = torch.empty(0, dtype=dtype).element_size()
        if not 0 <= length * width <= raw.size:
            claimed = f"{length:,} x {width}" if abs(length) < 2**63 else "more than there can be"
            raise DetectorError(f"{self.name}: storage {key} holds {raw.size:,} bytes, but claims {claimed}.")
        raw = raw[: length * width]
        words = raw.view(f"{self._order}u{width}").astype(f"=u{width}")  # also the copy that makes it writable
        return torch.from_numpy(words.view(np.uint8)).view(dtype) if length else torch.empty(0, dtype=dtype)


def _size(archive: zipfile.ZipFile, name: str) -> int:
    """Bytes of the zip's members. Raises DetectorError where two share bytes or one leaves the file."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [*(info.header_offset for info in infos), archive.start_dir]
    for info, following in zip(infos, starts[1:], strict=True):
        if info.header_offset + _LOCAL_HEADER + len(info.orig_filename) + info.compress_size > following:
            raise DetectorError(f"{name}: {info.filename[:80]} overlaps what follows in the zip; download it again.")
    return archive.start_dir
