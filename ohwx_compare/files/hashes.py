"""Hashes of checkpoint files, remembered for as long as a file's identity proves its bytes the same."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.contents import Contents, read_contents
from ohwx_compare.files.identity import FileIdentity

__all__ = ["Hashes", "cache_folder"]

FORMAT = 1  # of a remembered file; others are read again
KEEP = 256  # files remembered on disk, some 0.3 MB each for SDXL


class Hashes:
    """`hashes(path)` is `sha256(path)`, `hashes.contents(path)` has each tensor's too; an unchanged file is read once.

    What `FileIdentity.proves` unchanged is believed; a file of which nothing is proven is read each time.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        read: Callable[..., Contents] = read_contents,
        settled: float | None = None,
    ) -> None:
        """folder: remembers beyond this process, see `cache_folder`; None: nothing does.

        read: `read_contents`. settled: as in `FileIdentity.of`.
        """
        self._folder, self._read, self._settled = folder, read, settled
        self._known: dict[Path, tuple[FileIdentity, Contents]] = {}

    def __call__(self, path: Path) -> str:
        """64 lower case hex digits. Raises CheckpointError where the file cannot be read."""
        return self.contents(path).sha256

    def contents(self, path: Path, on_block: Callable[[], None] = lambda: None) -> Contents:
        """The hashes of file and tensors; `on_block` as in `read_contents`, which is called where nothing is known."""
        before = FileIdentity.of(path, settled=self._settled)
        known, contents = self._known.get(path) or self._recall(path)
        if known.proves(before):
            self._known[path] = before, contents
            return contents
        contents = self._read(path, on_block)
        if before.proves(FileIdentity.of(path, settled=self._settled)):
            self._known[path] = before, contents
            self._remember(path, before, contents)
        return contents

    def _place(self, path: Path) -> Path:
        return self._folder / f"{hashlib.sha256(str(path.resolve()).encode('utf-8', 'replace')).hexdigest()[:32]}.json"

    def _recall(self, path: Path) -> tuple[FileIdentity, Contents]:
        nothing = FileIdentity(), Contents("")
        if self._folder is None:
            return nothing
        try:
            said = json.loads(self._place(path).read_text(encoding="utf-8"))
            if said["format"] != FORMAT:
                return nothing
            known = FileIdentity.recorded(said["identity"])
            return known, Contents(str(said["sha256"]), dict(said["tensors"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return nothing

    def _remember(self, path: Path, known: FileIdentity, contents: Contents) -> None:
        if self._folder is None:
            return
        said = {"format": FORMAT, "identity": known.proof, "sha256": contents.sha256, "tensors": dict(contents.tensors)}
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
