"""The ledger's tables, their versions, and how it is opened to be written to; `access` has how it is read.

SQLite's rollback journal with full sync is kept, not WAL: WAL needs memory shared between processes, which network
drives lack, and at one transaction every few seconds its speed buys nothing. After SIGKILL or a power cut the next
opening rolls the torn transaction back.

Ledgers of earlier versions are brought up to date, in one transaction when they are written to and in memory when they
are read; newer ones are refused, and so is one with anything else than our own tables: no view or trigger ever runs. To
change the tables, raise `SCHEMA` and add the step to `_STEPS`.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.journal import require_harmless

__all__ = [
    "LEDGER_FILE",
    "SCHEMA",
    "UNMARKED",
    "connect",
    "explained",
    "open_ledger",
    "require_our_tables",
    "schema_of",
    "unusable",
    "update",
]

SCHEMA = 5  # in the file's user_version
UNMARKED = 3  # the last one whose folders have no mark, and whose pictures are not recorded
LEDGER_FILE = "run.sqlite"
_FIRST = """
CREATE TABLE experiment (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL);
CREATE TABLE checkpoints (
    ref TEXT PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL
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
_STEPS: Mapping[int, str] = MappingProxyType({  # from a version to the next; 0: an empty file
    0: _FIRST,
    1: "ALTER TABLE checkpoints ADD COLUMN identity TEXT NOT NULL DEFAULT '[]';",
    2: _JUDGED,
    3: """
CREATE TABLE pictures (
    path TEXT PRIMARY KEY, pixels TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL
);
""",
    4: """
CREATE TABLE marks (
    picture TEXT PRIMARY KEY, star INTEGER NOT NULL, tags TEXT NOT NULL, note TEXT NOT NULL, time REAL NOT NULL
);
""",
})  # fmt: skip
# A summary reads these and no row. They change no table.
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS cells_in_short ON cells (outcome, seconds)",
    "CREATE INDEX IF NOT EXISTS cells_with_notes ON cells (outcome) WHERE notes <> '[]'",
)

_Object = tuple[str, str, str]  # type, name, SQL without blanks that mean nothing


def open_ledger(path: Path) -> sqlite3.Connection:
    """The ledger at `path` to write to, made or brought up to date. Who calls this holds the folder's lock.

    Raises sqlite3.Error, and LedgerError for a newer schema and for whatever is not ours.
    """
    require_harmless(path)
    db = connect(path)
    try:
        require_our_tables(db, path)
        update(db, path)
    except (sqlite3.Error, LedgerError):
        db.close()
        raise
    return db


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what SQLite says of `path`, and what is wrong with a row of it (ValueError), as a LedgerError."""
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        raise LedgerError(
            f"{path} cannot be used: {error}. {_advice(str(error)) or 'If it is damaged, choose another folder.'}"
        ) from error


def unusable(path: Path, error: OSError) -> LedgerError:
    """What the file system says against `path`, in a sentence."""
    reason = error.strerror or str(error)
    return LedgerError(f"{path} cannot be used: {reason}. {_advice(reason) or 'Choose another folder.'}")


def _advice(error: str) -> str:
    """What to do about an error of SQLite or of the file system, in a sentence; "" for one not known."""
    if "full" in error or "No space" in error:
        return "Free some space, then start the run again: what is finished is kept."
    if any(word in error for word in ("readonly", "unable to open", "Read-only", "Permission denied")):
        return "Make it writable, or choose another folder."
    if "I/O error" in error or "Input/output" in error:
        return "The disk fails: see to it, then start the run again; what is finished is kept."
    return ""


def connect(address: Path | str, *, is_uri: bool = False) -> sqlite3.Connection:
    """A connection as all of ours are: nothing that a file's own schema names is called, and cells are checked."""
    db = sqlite3.connect(address, timeout=30, isolation_level=None, uri=is_uri)
    try:
        db.row_factory = sqlite3.Row
        for pragma in ("foreign_keys = ON", "synchronous = FULL", "trusted_schema = OFF", "cell_size_check = ON"):
            db.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def schema_of(db: sqlite3.Connection, path: Path) -> int:
    """The schema in the file, 0 for an empty one. Raises LedgerError for one that is newer than this version."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA:
        raise LedgerError(f"{path} has schema {found}, this version reads at most {SCHEMA}; update this program.")
    return found


def require_our_tables(db: sqlite3.Connection, path: Path) -> None:
    """Raise LedgerError unless the file holds our tables, as its version made them, and nothing else."""
    version, found = schema_of(db, path), _objects(db)
    least, most = _known(max(version, 0))
    odd = sorted(name for _, name, _ in (found - most) | (least - found))
    if odd:
        raise LedgerError(
            f"{path} is not a ledger of this program: {odd[0]} in it is not as this program makes it. Choose another "
            "folder."
        )


def update(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring an earlier version's up to date, in one transaction."""
    found = schema_of(db, path)
    if found < SCHEMA:
        steps = " ".join(_STEPS[version] for version in range(found, SCHEMA))
        db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {SCHEMA}; COMMIT;")
    for index in _INDEXES:
        db.execute(index)


def _objects(db: sqlite3.Connection) -> frozenset[_Object]:
    rows = db.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return frozenset((str(row["type"]), str(row["name"]), _plain(str(row["sql"] or ""))) for row in rows)


@lru_cache(maxsize=SCHEMA + 1)
def _known(version: int) -> tuple[frozenset[_Object], frozenset[_Object]]:
    """What a ledger of `version` holds at least, and at most: the indexes came later than the first tables."""
    with closing(connect(":memory:")) as db:
        db.executescript(" ".join(_STEPS[earlier] for earlier in range(version)))
        least = _objects(db)
        for index in _INDEXES if version else ():
            db.execute(index)
        return least, _objects(db)


def _plain(sql: str) -> str:
    """SQL with one blank between words: a column added later stands on a line of its own."""
    return re.sub(r"\s*([,()])\s*", r"\1", re.sub(r"\s+", " ", sql.strip()))
