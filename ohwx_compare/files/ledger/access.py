"""How a ledger is read: our own where it lies, also during a run; any other from a private copy.

A folder made elsewhere may hold anything, so SQLite never opens a file in it. The copy lies in a folder that only this
user sees, is bounded in size, checked as a whole, and opened as one that never changes. It is kept for as long as the
original looks the same, and removed when this program ends. A live ledger of ours is never opened like that: pages
would be read while they are written.
"""

import os
import shutil
import sqlite3
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.journal import MOST_BYTES, has_journal, journal_of, require_harmless
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.schema import (
    LEDGER_FILE,
    SCHEMA,
    connect,
    explained,
    require_our_tables,
    schema_of,
    update,
)
from ohwx_compare.words import counted

__all__ = ["ledger_state", "reading", "schema_in", "settled"]

_TRIES, _PAUSE = 40, 0.05  # looks at a ledger that somebody else is writing to, seconds between them
_MOST_STEPS, _EVERY = 200_000_000, 100_000  # of SQLite's virtual machine for one reading; 50,000 cells take 10 million
_MOST_ROWS = 400_000  # of a table: eight faces in each of the most cells
_MOST_TEXT = 60_000_000  # characters of the experiment: what 50,000 cells may ask for
_PIECE = 1 << 20
_Stamp = tuple[tuple[object, ...], tuple[object, ...]]


@contextmanager
def reading(folder: Path, name: str = LEDGER_FILE) -> Iterator[sqlite3.Connection]:
    """The ledger of `folder` to read from; nothing is written to it. Every reader comes in here.

    name: of another ledger than a run's. Raises LedgerError where there is none, for a newer schema, for what is not a
    ledger of ours, and for whatever SQLite finds wrong meanwhile.
    """
    path = folder / name
    if not os.path.lexists(path):
        raise LedgerError(
            f"{folder} is not a run folder: it has no {name}. Choose a folder that a comparison was written to."
        )
    require_harmless(path)
    with explained(path), _opened(path) as db, closing(connect(":memory:")) as copy:
        db.execute("BEGIN")  # all that is read is of one moment, also while a run commits its cells
        require_our_tables(db, path)
        if schema_of(db, path) < SCHEMA:
            db.backup(copy)
            update(copy, path)
            db = copy
        yield db


def schema_in(path: Path) -> int:
    """The schema that the ledger at `path` was written with. Raises LedgerError as `reading`."""
    require_harmless(path)
    with explained(path), _opened(path) as db:
        return schema_of(db, path)


def settled(path: Path) -> Iterator[bytes]:
    """The bytes of a ledger from elsewhere after its last whole transaction. Raises LedgerError as `reading`."""
    with explained(path):
        copy = _copied(path, _stamp(path))
    with copy.path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def ledger_state(folder: Path) -> object:
    """Another value after every change of the folder's ledger, to be compared. Raises LedgerError as `reading`."""
    path = folder / LEDGER_FILE
    require_harmless(path)
    try:
        return _stamp(path)
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error}. Choose another folder.") from error


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if has_own_mark(path):
        with closing(connect(path)) as db:
            yield db
        return
    try:
        copy = _copied(path, _stamp(path))
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error}. Choose another folder.") from error
    with closing(copy.connect()) as db:
        yield db


class _Copy:
    """A private copy of a ledger; it is removed with this object, at the end of the program at the latest."""

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="ohwx-ledger-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.path = folder / LEDGER_FILE

    def connect(self) -> sqlite3.Connection:
        """To read from, by SQLite's promise that the file never changes."""
        db = connect(f"{self.path.as_uri()}?mode=ro&immutable=1", is_uri=True)
        left = iter(range(_MOST_STEPS // _EVERY))
        db.set_progress_handler(lambda: next(left, None) is None, _EVERY)
        return db


@lru_cache(maxsize=16)
def _copied(path: Path, stamp: _Stamp) -> _Copy:
    """A copy of `path` that was checked; `stamp`: how it looked. Raises OSError, LedgerError and sqlite3.Error."""
    copy = _Copy()
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE)
            stamp = _stamp(path)
        _take(path, copy.path)
        if has_journal(path) or has_journal(copy.path):
            _take(journal_of(path), journal_of(copy.path))
        if _stamp(path) == stamp:
            break
    else:
        raise LedgerError(f"{path} is being written to by somebody else; look again later.")
    require_harmless(copy.path)
    if has_journal(copy.path):  # cut off in the middle of a transaction: rolled back here, in the copy
        with closing(connect(copy.path)) as db:
            schema_of(db, path)
        require_harmless(copy.path)
    with closing(copy.connect()) as db:
        _check(db, path)
    return copy


def _take(source: Path, copy: Path) -> None:
    """Copy a file of bounded size; one that is not there leaves none. Raises OSError and LedgerError."""
    try:
        file = source.open("rb")
    except FileNotFoundError:
        copy.unlink(missing_ok=True)
        return
    with file, copy.open("wb") as written:
        left = MOST_BYTES
        while piece := file.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise LedgerError(f"{source} is larger than {MOST_BYTES >> 20} MB, so it is not read.")
            written.write(piece)


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Raise LedgerError or sqlite3.Error unless a copy is a whole ledger of ours, of a size that a run can have."""
    require_our_tables(db, path)
    if (said := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise LedgerError(f"{path} is damaged: {str(said)[:200]}. Choose another folder.")
    if schema_of(db, path) == 0:
        return
    tables = {row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in sorted(tables & {"checkpoints", "cells", "faces", "scores", "votes", "pictures", "marks"}):
        if (rows := db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) > _MOST_ROWS:
            raise LedgerError(f"{path} has {counted(rows, 'row')} of {table}, more than any run can have.")
    if (db.execute("SELECT max(length(json)) FROM experiment").fetchone()[0] or 0) > _MOST_TEXT:
        raise LedgerError(f"{path} has an experiment longer than {_MOST_TEXT:,} characters.")


def _stamp(path: Path) -> _Stamp:
    """How a ledger and its journal look: other after every transaction, also where times are written late."""
    return _look(path, slice(24, 28)), _look(journal_of(path), slice(0, 28))


def _look(path: Path, part: slice) -> tuple[object, ...]:
    """part: the bytes that tell one state from the next: the counter of changes; a journal's header with its nonce."""
    try:
        with path.open("rb") as file:
            told, head = os.fstat(file.fileno()), file.read(28)
    except FileNotFoundError:
        return ()
    return told.st_size, told.st_mtime_ns, told.st_ino, head[part]
