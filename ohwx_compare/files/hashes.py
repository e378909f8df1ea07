"""Hashes of checkpoint files, remembered: for certain while a file's identity says so, else as what it seems to hold.

A file is read whole once a process. Another process believes what is remembered where the file's identity proves it;
where nothing is proof, a match of size, time and sample tells what the file seems to hold, which is enough for a
forecast and to leave finished work alone. Before anything is written for it, it is read whole.
"""

import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ohwx_compare.core.events import Hashing, Listener
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.contents import BLOCK, Contents, read_contents
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.numerals import decode_json

__all__ = ["Glance", "Hashes", "Known", "cache_folder"]

FORMAT = 1  # of a remembered file; others are read again
KEEP = 256  # files remembered on disk, some 0.3 MB each for SDXL
TOLD_FROM, TOLD_EACH = 100_000_000, 1 << 26  # bytes: of a file whose reading is told, and between two tellings

Known = dict[Path, tuple[FileIdentity, Contents]]
"""Files that were read in this process, or proven meanwhile, as they were then."""


@dataclass(frozen=True)
class Glance:
    """What a file seems to hold, without reading it whole."""

    contents: Contents
    is_certain: bool  # read in this process and untouched since, or proven; else by its sample


class Hashes:
    """`hashes(path)` is `sha256(path)`, `hashes.contents(path)` has each tensor's too; a file is read once a process.

    One that changed, or that was written a moment ago, is read again. One file is read at a time, whoever asks.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        read: Callable[..., Contents] | None = None,
        settled: float | None = None,
        trusts_samples: bool = False,
        tell: Listener = lambda event: None,
        known: Known | None = None,
    ) -> None:
        """folder: remembers beyond this process, see `cache_folder`; None: nothing does.

        read: in place of `read_contents`. settled: as in `FileIdentity.of`. trusts_samples: what a sample tells is
        certain, so a file that was hashed before is never read whole again. tell: hears `Hashing` of large files, from
        whichever thread reads. known: shared by all that shall read a file once together.
        """
        self._folder, self._read, self._settled = folder, read or read_contents, settled
        self._trusts_samples, self._tell = trusts_samples, tell
        self._known: Known = {} if known is None else known
        self._reading = threading.Lock()

    def __call__(self, path: Path) -> str:
        """64 lower case hex digits. Raises CheckpointError where the file cannot be read."""
        return self.contents(path).sha256

    def contents(self, path: Path, on_block: Callable[[], None] = lambda: None) -> Contents:
        """The hashes of file and tensors, for certain; `on_block` as in `read_contents`, which is called where needed.

        Raises CheckpointError where the file cannot be read.
        """
        if (seen := self.glance(path)) and seen.is_certain:
            return seen.contents
        with self._reading:
            if (seen := self.glance(path)) and seen.is_certain:  # read by another thread meanwhile
                return seen.contents
            before = self._of(path, sampled=True)
            with self._telling(path, before.size or 0, on_block) as told:
                contents = self._read(path, told)
            after = self._of(path, sampled=True)
            if after.seems_untouched(before) and after.matches(before):
                if before.is_settled or before.proves(after):
                    self._known[path] = after, contents
                self._remember(path, after, after.proof if before.proves(after) else (), contents)
            return contents

    def wrote(self, path: Path, contents: Contents) -> None:
        """Remember a file that this program wrote just now: who trusts samples need not read it whole."""
        self._remember(path, self._of(path, sampled=True), (), contents)

    def glance(self, path: Path) -> Glance | None:
        """What the file seems to hold; None where nothing is known of it as it is now. Reads at most a sample."""
        now = self._of(path)
        if now.size is None:
            return None
        known, contents = self._known.get(path, _NOTHING)
        if known.proves(now) or (now.is_settled and now.seems_untouched(known) and self._has_sample_of(known, path)):
            return Glance(contents, is_certain=True)
        known, contents = self._recall(path)
        if known.proves(now):
            self._known[path] = known, contents
            return Glance(contents, is_certain=True)
        if known.resembles(now) and self._has_sample_of(known, path):
            return Glance(contents, is_certain=self._trusts_samples)
        return None

    def seems(self, path: Path) -> str | None:
        """The sha256 of what the file seems to hold; None where nothing is known of it as it is now."""
        seen = self.glance(path)
        return seen.contents.sha256 if seen else None

    def keeps(self, path: Path) -> bool:
        """Whether anything is remembered of a file at `path`, whatever lies there now."""
        return path in self._known or self._recall(path) != _NOTHING

    def _of(self, path: Path, *, sampled: bool = False) -> FileIdentity:
        return FileIdentity.of(path, settled=self._settled, sampled=sampled)

    def _has_sample_of(self, known: FileIdentity, path: Path) -> bool:
        return known.matches(self._of(path, sampled=True))

    @contextmanager
    def _telling(self, path: Path, total: int, on_block: Callable[[], None]) -> Iterator[Callable[[], None]]:
        """Tell how far the reading of a large file is; gives what is to be called after each block."""
        if total < TOLD_FROM:
            yield on_block
            return
        done = 0

        def told() -> None:
            nonlocal done
            on_block()
            done = min(done + BLOCK, total - 1)
            if done // TOLD_EACH != max(done - BLOCK, 0) // TOLD_EACH:
                self._tell(Hashing(path.name, done, total))

        self._tell(Hashing(path.name, 0, total))
        try:
            yield told
        finally:
            self._tell(Hashing(path.name, total, total))

    def _place(self, path: Path) -> Path:
        return self._folder / f"{hashlib.sha256(str(path.resolve()).encode('utf-8', 'replace')).hexdigest()[:32]}.json"

    def _recall(self, path: Path) -> tuple[FileIdentity, Contents]:
        if self._folder is None:
            return _NOTHING
        try:
            said = decode_json(self._place(path).read_text(encoding="utf-8"))
            if said["format"] != FORMAT:
                return _NOTHING
            numbers = (said.get("size"), said.get("modified_ns"))
            known = FileIdentity.recorded(said["identity"], *numbers, sample=str(said.get("sample", "")))
            return known, Contents(str(said["sha256"]), dict(said["tensors"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return _NOTHING

    def _remember(self, path: Path, known: FileIdentity, proof: tuple[int, ...], contents: Contents) -> None:
        if self._folder is None:
            return
        told = {"identity": proof, "size": known.size, "modified_ns": known.modified_ns, "sample": known.sample}
        said = {"format": FORMAT, **told, "sha256": contents.sha256, "tensors": dict(contents.tensors)}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_text(self._place(path), json.dumps({**said, "file": str(path)}))
            files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
            for old in files[:-KEEP]:
                old.unlink(missing_ok=True)
        except OSError:  # a full or read-only disk: the file will be read again, nothing else is lost
            return


_NOTHING = FileIdentity(), Contents("")


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
