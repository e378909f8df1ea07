"""Whether a file is still the one that was read: `identity`, and hashes remembered for as long as it proves so."""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.contents import Contents, read_contents

__all__ = ["SETTLED", "Hashes", "Stamp", "cache_folder", "identity"]

Stamp = tuple[int, ...]
SETTLED = 3.0  # s, longer than any file system's tick
FORMAT = 1  # of a remembered file; others are read again
KEEP = 256  # files remembered on disk, some 0.3 MB each for SDXL
_MOUNTS = Path("/proc/self/mountinfo")  # Linux; https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
_HONEST = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs", "zfs"})


def identity(path: Path, *, settled: float = SETTLED) -> Stamp:
    """Numbers that change with every write to `path`, also across processes; () where nothing can prove that.

    The proof is the inode's own time of change, which every write moves and no call sets, so a file overwritten under
    its name, size and modification time has another identity. Not seen are a clock set back to the nanosecond, and
    stores through a memory map that is used before and after the file is read. Only file systems known to
    keep that time are trusted, on Linux by the mount table. () is the answer everywhere else, hence always on Windows
    and macOS and on FAT, network and FUSE drives; for a file that changed less than `settled` seconds ago, since a
    second write could fall into the same tick; and for one that cannot be read. After () the file's bytes are read
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
    """`hashes(path)` is `sha256(path)`, `hashes.contents(path)` has each tensor's too; an unchanged file is read once.

    A file's `identity` proves it unchanged; a file without one is read each time.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        read: Callable[..., Contents] = read_contents,
        settled: float = SETTLED,
    ) -> None:
        """folder: remembers beyond this process, see `cache_folder`; None: nothing does. read: `read_contents`."""
        self._folder, self._read, self._settled = folder, read, settled
        self._known: dict[Path, tuple[Stamp, Contents]] = {}

    def __call__(self, path: Path) -> str:
        """64 lower case hex digits. Raises CheckpointError where the file cannot be read."""
        return self.contents(path).sha256

    def contents(self, path: Path, on_block: Callable[[], None] = lambda: None) -> Contents:
        """The hashes of file and tensors; `on_block` as in `read_contents`, which is called where nothing is known."""
        before = identity(path, settled=self._settled)
        stamp, contents = self._known.get(path) or self._recall(path)
        if before and stamp == before:
            self._known[path] = before, contents
            return contents
        contents = self._read(path, on_block)
        if before and before == identity(path, settled=self._settled):
            self._known[path] = before, contents
            self._remember(path, before, contents)
        return contents

    def _place(self, path: Path) -> Path:
        return self._folder / f"{hashlib.sha256(str(path.resolve()).encode('utf-8', 'replace')).hexdigest()[:32]}.json"

    def _recall(self, path: Path) -> tuple[Stamp, Contents]:
        nothing = (), Contents("")
        if self._folder is None:
            return nothing
        try:
            said = json.loads(self._place(path).read_text(encoding="utf-8"))
            if said["format"] != FORMAT:
                return nothing
            return tuple(said["identity"]), Contents(str(said["sha256"]), dict(said["tensors"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return nothing

    def _remember(self, path: Path, stamp: Stamp, contents: Contents) -> None:
        if self._folder is None:
            return
        said = {"format": FORMAT, "identity": stamp, "sha256": contents.sha256, "tensors": dict(contents.tensors)}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_text(self._place(path), json.dumps({**said, "file": str(path)}))
            known = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
            for old in known[:-KEEP]:
                old.unlink(missing_ok=True)
        except OSError:  # a full or read-only disk: the file will be read again, nothing else is lost
            return


def cache_folder() -> Path | None:
    """Where this user's programs cache what can be computed again; None for a user without a home folder."""
    try:
        if os.name == "nt":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return base / "ohwx-compare" / "hashes"


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
