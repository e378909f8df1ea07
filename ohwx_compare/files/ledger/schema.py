"""The ledger's tables, their versions, and the only two ways to open them: to write, and to read.

SQLite's rollback journal with full sync is kept, not WAL: WAL needs memory shared between processes, which network
drives lack, and at one transaction every few seconds its speed buys nothing. After SIGKILL or a power cut the next
opening rolls the torn transaction back.

Ledgers of earlier versions are brought up to date, in one transaction when they are written to and in memory when they
are read; newer ones are refused. To change the tables, raise `SCHEMA` and add the step to `_STEPS`.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.errors import LedgerError

__all__ = ["LEDGER_FILE", "SCHEMA", "advice", "explained", "open_ledger", "reading"]

SCHEMA = 3  # in the file's user_version
LEDGER_FILE = "run.sqlite"
_TABLES = """
CREATE TABLE experiment (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL);
CREATE TABLE checkpoints (
    ref TEXT PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    identity TEXT NOT NULL DEFAULT '[]'
);
CREATE TABLE cells (
    number INTEGER PRIMARY KEY, request TEXT NOT NULL, before_key TEXT, key TEXT, before TEXT, after TEXT,
    before_thumb TEXT, after_thumb TEXT, outcome TEXT NOT NULL, infotext TEXT NOT NULL, notes TEXT NOT NULL,
    error TEXT, seconds REAL
);
CREATE TABLE faces (
    cell INTEGER NOT NULL REFERENCES cells (number) ON DELETE CASCADE, place INTEGER NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (cell, place)
);
"""
_JUDGED = """
CREATE TABLE measures (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, sha256 TEXT NOT NULL, licence TEXT NOT NULL,
    settings TEXT NOT NULL
);
CREATE TABLE scores (
    measure TEXT NOT NULL REFERENCES measures (key), picture TEXT NOT NULL, control TEXT NOT NULL, value REAL,
    outcome TEXT NOT NULL, details TEXT NOT NULL, PRIMARY KEY (measure, picture, control)
) WITHOUT ROWID;
CREATE TABLE votes (
    number INTEGER PRIMARY KEY, rater TEXT NOT NULL, question TEXT NOT NULL, style TEXT NOT NULL, shown TEXT NOT NULL,
    answer TEXT NOT NULL, best INTEGER, worst INTEGER, seconds REAL, time REAL NOT NULL, rule TEXT NOT NULL,
    is_repeat INTEGER NOT NULL, is_undone INTEGER NOT NULL
);
"""
_STEPS: Mapping[int, str] = MappingProxyType({  # from a version to the next
    1: "ALTER TABLE checkpoints ADD COLUMN identity TEXT NOT NULL DEFAULT '[]';",
    2: _JUDGED,
})  # fmt: skip
# A summary reads this and no row. It changes no table, so earlier versions read and write through it.
_INDEX = "CREATE INDEX IF NOT EXISTS cells_in_short ON cells (outcome, seconds)"


def open_ledger(path: Path) -> sqlite3.Connection:
    """The ledger at `path` to write to, made or brought up to date. Who calls this holds the folder's lock.

    Raises sqlite3.Error, and LedgerError for a newer schema.
    """
    db = _connect(path)
    try:
        _update(db, path)
    except (sqlite3.Error, LedgerError):
        db.close()
        raise
    return db


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """The ledger of `folder` to read from; nothing is written. Every reader comes in here.

    Raises LedgerError where there is none, for a newer schema, and for whatever SQLite finds wrong meanwhile.
    """
    path = folder / LEDGER_FILE
    if not path.is_file():
        raise LedgerError(
            f"{folder} is not a run folder: it has no {LEDGER_FILE}. Choose a folder that a comparison was written to."
        )
    with explained(path), closing(_connect(path)) as db, closing(_connect(":memory:")) as copy:
        if _version(db, path) < SCHEMA:
            db.backup(copy)
            _update(copy, path)
            db = copy
        yield db


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what SQLite says of `path` as a LedgerError with advice."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(f"{path} cannot be used: {error}. {advice(str(error))}") from error


def advice(error: str) -> str:
    """What to do about an error of SQLite or of the file system, in a sentence."""
    if "full" in error or "No space" in error:
        return "Free some space, then start the run again: what is finished is kept."
    if any(word in error for word in ("readonly", "unable to open", "Read-only", "Permission denied")):
        return "Make it writable, or choose another folder."
    return "If it is damaged, choose another folder."


def _connect(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection, path: Path) -> int:
    """The schema in the file, 0 for an empty one. Raises LedgerError for one that is newer than this version."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA:
        raise LedgerError(f"{path} has schema {found}, this version reads at most {SCHEMA}; update this program.")
    return found


def _update(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring an earlier version's up to date, in one transaction."""
    found = _version(db, path)
    if found < SCHEMA:
        steps = [_STEPS[version] for version in range(found, SCHEMA)] if found else [_TABLES, _JUDGED]
        db.executescript(f"BEGIN IMMEDIATE; {' '.join(steps)} PRAGMA user_version = {SCHEMA}; COMMIT;")
    db.execute(_INDEX)
