"""Files that are whole or not there: written beside themselves, then moved into place.

A folder may come from a stranger, so the file beside has a name that nobody can foresee and is made anew: a link that
waits there under a guessed name is never written through. A process killed in the middle leaves a file whose name ends
in `.unfinished`; `sweep` removes those.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "UNFINISHED",
    "ensure_bytes",
    "is_plain_file",
    "link",
    "replacing",
    "sweep",
    "write_bytes",
    "write_stream",
    "write_text",
]

UNFINISHED = ".unfinished"


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, replacing what is there; readers see the old or the new file, never a part.

    The bytes are on the disk before the name points at them, and the name before this returns. Raises OSError as `open`
    does; nothing is left behind.
    """
    _write(path, [data])


def ensure_bytes(path: Path, data: bytes) -> None:
    """`write_bytes`, but a file that holds them already is left alone."""
    if not (path.is_file() and path.read_bytes() == data):
        write_bytes(path, data)


def write_stream(path: Path, pieces: Iterable[bytes | memoryview]) -> str:
    """`write_bytes` for what does not fit into memory at once; returns the sha256 of it all."""
    digest = hashlib.sha256()

    def hashed() -> Iterable[bytes | memoryview]:
        for piece in pieces:
            digest.update(piece)
            yield piece

    _write(path, hashed())
    return digest.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` that is free; what is written there takes the place of `path` when the block ends well.

    Raises OSError as `os.replace` does; nothing is left behind then, nor where the block raises.
    """
    beside = _beside(path)
    try:
        yield beside
        os.replace(beside, path)  # noqa: PTH105  the one call that replaces on Windows too
        _keep_names(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def is_plain_file(path: Path) -> bool:
    """Whether `path` is a regular file itself: not a link to one, a folder, a pipe or a device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _write(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    with replacing(path) as beside, _new(beside) as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name[:50]}.{secrets.token_hex(4)}{UNFINISHED}")


def _new(path: Path) -> BinaryIO:
    """A file that was not there before. Raises FileExistsError for one that was, a link that leads nowhere too."""
    return path.open("xb")


def _keep_names(folder: Path) -> None:
    """Bring the folder's own entries to the disk, so that a power cut takes no file name that a ledger relies on.

    Windows cannot open a folder and journals names itself; a file system that cannot do this keeps its own order.
    """
    if os.name == "nt":
        return
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def link(source: Path, path: Path) -> None:
    """Give `source`'s bytes the name `path` too, replacing what is there: a hard link, or a copy where links fail.

    Nobody here writes into a file that exists, so neither name can change the other's bytes. Raises OSError, also for a
    `source` that is not a regular file itself.
    """
    if not is_plain_file(source):
        raise OSError(f"{source} is not a regular file")
    try:
        with replacing(path) as beside:
            os.link(source, beside)
    except OSError:  # another drive, a file system without links, too many of them
        write_bytes(path, source.read_bytes())


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for UTF-8 text; line ends stay as they are."""
    write_bytes(path, text.encode("utf-8"))


def sweep(folder: Path, name: str = "") -> list[Path]:
    """Remove what killed writers left in `folder` (not below it) and return it. Only for the folder's owner.

    name: of the one file that the caller writes, where the folder is the user's.
    """
    left = sorted(folder.glob(f"{escape(name[:50])}.????????{UNFINISHED}" if name else f"*{UNFINISHED}"))
    for path in left:
        path.unlink(missing_ok=True)
    return left
