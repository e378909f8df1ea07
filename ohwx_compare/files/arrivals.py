"""Files that another machine sends in blocks, kept in a cache under what they were there: name, size, time."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ohwx_compare.errors import HostError
from ohwx_compare.files.atomic import UNFINISHED

__all__ = ["SENT_BLOCK", "Arrivals", "SentFile", "blocks_of"]

SENT_BLOCK = 1 << 26  # bytes


@dataclass(frozen=True)
class SentFile:
    """A file as its sender has it."""

    name: str
    size: int  # bytes
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "SentFile":
        """Raises OSError."""
        told = path.stat()
        return cls(path.name, told.st_size, told.st_mtime_ns)


def blocks_of(path: Path) -> Iterator[bytes]:
    """All of a file, 64 MiB at a time. Raises OSError."""
    with path.open("rb") as file:
        while block := file.read(SENT_BLOCK):
            yield block


class Arrivals:
    """The folder where sent files lie."""

    def __init__(self, folder: Path):
        self._folder = folder

    def find(self, sent: SentFile) -> Path | None:
        """The file, where it is whole."""
        path = self._path(sent)
        return path if path.is_file() else None

    def receive(self, sent: SentFile, start: int, block: bytes) -> None:
        """The next block of a file, which begins at byte `start`; at the last one the file is there.

        Raises HostError where it is not the next one, or cannot be kept.
        """
        path = self._path(sent)
        beside = path.with_name(path.name + UNFINISHED)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("ab" if start else "wb") as file:
                if file.tell() != start:
                    raise HostError(f"{sent.name} arrives in the wrong order; start the run again.")
                file.write(block)
            if start + len(block) == sent.size:
                beside.replace(path)
        except OSError as error:
            raise HostError(f"{sent.name} cannot be kept in {self._folder}: {error.strerror or error}.") from error

    def _path(self, sent: SentFile) -> Path:
        told = hashlib.sha256(f"{sent.name} {sent.size} {sent.modified_ns}".encode()).hexdigest()[:16]
        return self._folder / told / "checkpoint.safetensors"
