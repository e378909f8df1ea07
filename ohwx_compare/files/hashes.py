"""Whether a file is still the one that was read: `identity`, and hashes remembered for as long as it proves so."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from ohwx_compare.files.checkpoint import sha256

__all__ = ["SETTLED", "Hashes", "Stamp", "identity"]

Stamp = tuple[int, ...]
SETTLED = 3.0  # s, longer than any file system's tick
_MOUNTS = Path("/proc/self/mountinfo")  # Linux; https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
_HONEST = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs", "zfs"})


def identity(path: Path, *, settled: float = SETTLED) -> Stamp:
    """Numbers that are others after every write to `path`, also across processes; () where nothing can tell.

    The proof is the inode's own time of change, which every write moves and no call sets (short of setting the clock),
    so a file overwritten under its name, size and modification time has another identity. Only file systems known to
    keep that time are trusted, on Linux by the mount table. () is the answer everywhere else, hence always on Windows
    and macOS and on FAT, network and FUSE drives; for a file that changed less than `settled` seconds ago, since a
    second write could fall into the same tick; and for one that cannot be read. Who gets () reads the file's bytes
    again: two equal identities that are not () mean equal bytes, nothing else does.
    """
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
        if not _tells_changes(stat.st_dev) or time.time_ns() - stat.st_ctime_ns < settled * 1e9:
            return ()
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


class Hashes:
    """`hashes(path)` is `sha256(path)`, and reads a file again only where its `identity` does not prove it the same."""

    def __init__(self, digest: Callable[[Path], str] = sha256, *, settled: float = SETTLED) -> None:
        self._digest, self._settled = digest, settled
        self._known: dict[Path, tuple[Stamp, str]] = {}

    def __call__(self, path: Path) -> str:
        """64 lower case hex digits. Raises CheckpointError where the file cannot be read."""
        before = identity(path, settled=self._settled)
        known = self._known.get(path)
        if before and known and known[0] == before:
            return known[1]
        digest = self._digest(path)
        if before and before == identity(path, settled=self._settled):
            self._known[path] = before, digest
        return digest


def _tells_changes(device: int) -> bool:
    """Whether the file system on `device` keeps a time of change that no program can set.

    FAT and sshfs show the modification time in its place. A device that the table does not list (btrfs' subvolumes,
    some overlays) is not trusted either. Raises OSError where there is no table to read.
    """
    if not hasattr(os, "major"):
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split(" ")[2] == wanted:
            return source.split(" ")[0] in _HONEST
    return False
