"""sha256 of files, remembered for as long as the file system proves that they have not changed."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from ohwx_compare.files.checkpoint import sha256

__all__ = ["SETTLED", "Hashes", "Stamp", "identity"]

Stamp = tuple[int, ...]
SETTLED = 3.0  # seconds after a write in which a second one could fall into the same tick of the clock


class Hashes:
    """`hashes(path)` is `sha256(path)`, and reads a file that has not changed once; made for one command's life.

    What proves it is the inode's own time of change: every write moves it and nobody can set it back, so a file that is
    overwritten by another of the same size and modification time is read again. Not remembered is a file that changed
    less than `settled` seconds before, since a second write could fall into the same tick of the clock, nor anything on
    Windows, which shows no such time.
    """

    def __init__(self, digest: Callable[[Path], str] = sha256, *, settled: float = SETTLED) -> None:
        self._digest, self._settled = digest, settled
        self._known: dict[Path, tuple[Stamp, str]] = {}

    def __call__(self, path: Path) -> str:
        """64 lower case hex digits. Raises CheckpointError where the file cannot be read."""
        before = identity(path, settled=self._settled)
        known = self._known.get(path)
        if known and known[0] == before:
            return known[1]
        digest = self._digest(path)
        if before and before == identity(path, settled=self._settled):
            self._known[path] = before, digest
        return digest


def identity(path: Path, *, settled: float = SETTLED) -> Stamp:
    """What differs after every write to `path`; () where nothing tells, or the last write is younger than `settled` s.

    Good for as long as the file system lives: device, inode, size, and both times of change in ns.
    """
    if os.name == "nt":
        return ()
    try:
        with path.open("rb") as file:  # opening makes a network drive look again
            stat = os.fstat(file.fileno())
    except OSError:
        return ()
    if time.time_ns() - stat.st_ctime_ns < settled * 1e9:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
