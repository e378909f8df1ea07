"""A whole run folder as one zip file that is never on this disk: it is made while it is sent.

The ledger is a copy of one moment, so a run may go on meanwhile. What belongs to this machine (lock, mark) and earlier
exports are left out, and so is whatever a link leads to.
"""

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ohwx_compare.files.atomic import UNFINISHED, is_plain_file
from ohwx_compare.files.inner import is_inner_folder
from ohwx_compare.files.ledger.access import reading
from ohwx_compare.files.ledger.journal import journal_of
from ohwx_compare.files.ledger.own import mark_of
from ohwx_compare.files.ledger.reader import read_summary
from ohwx_compare.files.ledger.schema import LEDGER_FILE, connect
from ohwx_compare.files.lock import LOCK_FILE

__all__ = ["packed_run"]

_PIECE = 1 << 20
_LEFT_OUT = frozenset({"exports"})  # folders


def packed_run(folder: Path) -> Iterator[bytes]:
    """The zip file of a run folder, piece by piece. Raises LedgerError before the first piece where it is no run."""
    read_summary(folder)
    return _pieces(folder)


def _pieces(folder: Path) -> Iterator[bytes]:
    sent = _Sent()
    with tempfile.TemporaryDirectory(prefix="ohwx-zip-") as kept:
        ledger = Path(kept) / LEDGER_FILE
        with reading(folder) as db, closing(connect(ledger)) as copy:
            db.backup(copy)
        with zipfile.ZipFile(sent, "w", zipfile.ZIP_STORED) as packed:  # pictures are packed already
            for name, file in _files(folder, ledger):
                entry = zipfile.ZipInfo.from_file(file, f"{folder.name}/{name}", strict_timestamps=False)
                with file.open("rb") as source, packed.open(entry, "w", force_zip64=True) as written:
                    while piece := source.read(_PIECE):
                        written.write(piece)
                        yield sent.taken()
    yield sent.taken()


def _files(folder: Path, ledger: Path) -> Iterator[tuple[str, Path]]:
    """Names in the folder, "/" between, and the files; for the ledger its copy."""
    own = folder / LEDGER_FILE
    left_out = {own, journal_of(own), mark_of(own), folder / LOCK_FILE}
    yield LEDGER_FILE, ledger
    for place, inner, names in os.walk(folder):
        here = Path(place)
        inner[:] = sorted(name for name in inner if name not in _LEFT_OUT and is_inner_folder(here / name))
        for name in sorted(names):
            path = here / name
            if path not in left_out and not name.endswith(UNFINISHED) and is_plain_file(path):
                yield path.relative_to(folder).as_posix(), path


class _Sent:
    """What a zip file is written to that only moves forward: each part is taken as soon as it is there."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take a part."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is held."""

    def taken(self) -> bytes:
        """What was written since."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
