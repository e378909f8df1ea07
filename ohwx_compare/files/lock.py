"""One writer a folder: the operating system's lock on a plain file, gone with its process, however that ended."""

import os
import stat
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

__all__ = ["LOCK_FILE", "hold", "is_held"]

LOCK_FILE = "run.lock"
_PATIENCE = 0.5  # seconds; whoever only looks (`is_held`) is done sooner
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def hold(folder: Path) -> BinaryIO:
    """Hold `folder` until the returned file is closed.

    Raises BlockingIOError where somebody else does, OSError where the lock file cannot be made or used.
    """
    with ExitStack() as held:
        file = held.enter_context(_open(folder, os.O_RDWR | os.O_CREAT, "r+b"))
        _wait(folder, file)
        held.pop_all()
    return file


def is_held(folder: Path) -> bool:
    """Whether somebody holds `folder` right now; looking makes no file."""
    try:
        with _open(folder, os.O_RDONLY, "rb") as file:
            return not _could_take(file)
    except OSError:
        return False


def _wait(folder: Path, file: BinaryIO) -> None:
    end = time.monotonic() + _PATIENCE
    while not _take(file):
        if time.monotonic() > end:
            raise BlockingIOError(f"{folder} is held by another process.")
        time.sleep(0.02)


def _open(folder: Path, flags: int, mode: str) -> BinaryIO:
    """The lock file. Raises OSError for one that is a link, a pipe or a device: the folder may be a stranger's."""
    path = folder / LOCK_FILE
    if path.is_symlink():  # where the system has no O_NOFOLLOW
        raise OSError(f"{path} is a link; delete it")
    file = cast(BinaryIO, os.fdopen(os.open(path, flags | _NO_LINK, 0o666), mode, buffering=0))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is not a regular file; delete it")
    return file


if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> bool:
        """Take the lock unless another file object has it: the first byte, which need not be there."""
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _could_take(file: BinaryIO) -> bool:
        """Whether nobody holds the lock; tried again, since somebody who looks has it for an instant too."""
        return any(_take(file) or time.sleep(0.01) for _ in range(5))

else:
    import fcntl

    def _take(file: BinaryIO) -> bool:
        """Take the lock unless another file object has it, or is looking."""
        return _locked(file, fcntl.LOCK_EX)

    def _could_take(file: BinaryIO) -> bool:
        """Whether nobody holds the lock; those who look share it."""
        return _locked(file, fcntl.LOCK_SH)

    def _locked(file: BinaryIO, kind: int) -> bool:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
