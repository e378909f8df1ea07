"""Which bytes a file holds, by what its file system tells: one class, and three questions of growing strength.

`resembles` (size and time) is enough where a mistake costs a wrong forecast; `seems_untouched` (all that the system
tells) for a moment within one process; only `proves` stands for the bytes themselves, also in another process. What
these three mean is frozen: ledgers and caches rest on it.

Where nothing is proof, a fourth question is asked between processes: `matches` (size, time and a sample of the bytes).
It stands beside `seems_untouched`: enough to leave alone what is there, not enough to write anything.
"""

import hashlib
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from ohwx_compare.files.regular import require_regular
from ohwx_compare.numerals import whole_number

__all__ = ["SETTLED", "FileIdentity", "proving_devices"]

SETTLED = 3.0  # s, longer than any file system's tick
_NUMBERS = 5  # in a proof
_MOUNTS = Path("/proc/self/mountinfo")  # Linux; https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
_DEVICE = re.compile(r"\d+ \d+ (\d{1,9}:\d{1,9}) ")
_BLOCKS, _BLOCK = 64, 4096  # of a sample, and bytes of each
_LONGEST_HEADER = 1 << 20  # bytes of it in a sample; SDXL's takes 0.3 MB
_HONEST = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs", "zfs"})


@dataclass(frozen=True)
class FileIdentity:
    """What is told of a file at one moment; `FileIdentity()` of one that is not there, cannot be read or is no file."""

    size: int | None = None  # bytes
    modified_ns: int | None = None  # the file's own time, which any program may set
    marks: tuple[int, ...] = ()  # device, inode, time of change in ns; () where they are not known any more
    is_proof: bool = False  # the marks are others after every write
    sample: str = ""  # a hash of the header and of blocks spread over the tensors; "" where none was taken
    is_settled: bool = field(default=False, compare=False)  # its last change is longer ago than any tick

    @classmethod
    def of(
        cls,
        path: Path,
        *,
        settled: float | None = None,
        sampled: bool = False,
        devices: frozenset[int] | None = None,
    ) -> "FileIdentity":
        """`path` as it is now. sampled: with a sample of its bytes, of which some 0.6 MB are read then.

        devices: what `proving_devices` told a moment ago, for whoever asks of many files.

        It is proof by the inode's own time of change, which every write moves and no call sets, so a file overwritten
        under its name, size and modification time has other marks. Not seen are a clock set back to the nanosecond, and
        stores through a memory map that was opened before and goes on after the file is read. Only file systems known
        to keep that time are trusted, on Linux by the mount table. Everywhere else nothing is proof, hence never on
        Windows and macOS and on FAT, network and FUSE drives; nor is it for a file that changed less than `settled`
        seconds (SETTLED) ago, since a second write could fall into the same tick.
        """
        try:
            require_regular(path)
            with path.open("rb", buffering=0) as file:
                told = os.fstat(file.fileno())
                sample = _sample(file, told.st_size) if sampled else ""
        except OSError:
            return cls()
        now, wait = time.time_ns(), (SETTLED if settled is None else settled) * 1e9
        return cls(
            told.st_size,
            told.st_mtime_ns,
            (told.st_dev, told.st_ino, told.st_ctime_ns),
            is_proof=now - told.st_ctime_ns >= wait
            and told.st_dev in (proving_devices() if devices is None else devices),
            sample=sample,
            is_settled=now - max(told.st_ctime_ns, told.st_mtime_ns) >= wait,
        )

    @classmethod
    def recorded(
        cls, proof: Sequence[int], size: int | None = None, modified_ns: int | None = None, sample: str = ""
    ) -> "FileIdentity":
        """From a record: `proof` as it was, which may be (), and then perhaps size and time; perhaps a sample."""
        if len(proof) != _NUMBERS:
            return cls(size, modified_ns, sample=sample)
        device, inode, size, modified_ns, changed_ns = proof
        return cls(size, modified_ns, (device, inode, changed_ns), is_proof=True, sample=sample)

    @property
    def proof(self) -> tuple[int, ...]:
        """Five numbers that stand for the bytes: device, inode, size, both times; () where nothing does."""
        if not self.is_proof:
            return ()
        device, inode, changed_ns = self.marks
        return device, inode, self.size or 0, self.modified_ns or 0, changed_ns

    def resembles(self, other: "FileIdentity") -> bool:
        """Whether size and modification time are the same. A file overwritten with both in mind resembles the old."""
        return self.size is not None and (self.size, self.modified_ns) == (other.size, other.modified_ns)

    def seems_untouched(self, before: "FileIdentity") -> bool:
        """Whether all that is told is the same; where nothing is proof, the last tick's write may be missed."""
        return self.resembles(before) and bool(self.marks) and self.marks == before.marks

    def proves(self, other: "FileIdentity") -> bool:
        """Whether both are of the same bytes for certain; where this is False, who needs to know reads them."""
        return self.is_proof and other.is_proof and self.seems_untouched(other)

    def matches(self, other: "FileIdentity") -> bool:
        """Whether size, time and sample are the same; who changed other bytes and set the time back is not seen."""
        return self.resembles(other) and bool(self.sample) and self.sample == other.sample


def _sample(file: FileIO, size: int) -> str:
    """A sha256 of the file's header, as safetensors has one, and of blocks at equal distances up to its last byte."""
    start = file.read(8)
    header = int.from_bytes(start, "little")
    begin = 8 + header if header <= min(_LONGEST_HEADER, size - 8) else 0
    digest = hashlib.sha256(start + (file.read(begin - 8) if begin else b""))
    last = max(size - _BLOCK, begin)
    for place in sorted({begin + (last - begin) * number // (_BLOCKS - 1) for number in range(_BLOCKS)}):
        file.seek(place)
        digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def proving_devices() -> frozenset[int]:
    """The devices (st_dev) whose file systems keep a time of change that no program can set.

    FAT and sshfs show the modification time in its place. A device that the mount table does not list (btrfs'
    subvolumes, some overlays) is not trusted either, nor is any where there is no table.
    """
    if not hasattr(os, "makedev"):
        return frozenset()
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    kinds: dict[str, str] = {}  # of the first mount of each device
    for line in lines:
        mount, _, source = line.partition(" - ")
        if device := _DEVICE.match(mount):
            kinds.setdefault(device[1], source.split(" ")[0])
    numbers = (device.split(":") for device, kind in kinds.items() if kind in _HONEST)
    return frozenset(os.makedev(whole_number(major), whole_number(minor)) for major, minor in numbers)
