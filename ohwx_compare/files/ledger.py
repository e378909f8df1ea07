"""The run ledger: one SQLite file a run folder, one transaction a cell, written when the cell's files are on disk.

SQLite's rollback journal with full sync is kept, not WAL: WAL needs memory shared between processes, which network
drives lack, and at one transaction every few seconds its speed buys nothing. After SIGKILL or a power cut the next
opening rolls the torn transaction back.

`Ledger` writes (one process at a time), `open_run` reads, on any machine and during a run. Both read the ledgers
of earlier versions; `Ledger` brings them up to date in one transaction, `open_run` a copy in memory. To change the
tables, raise `SCHEMA` and add the step to `_STEPS`.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.folder_text import CellRequests
from ohwx_compare.core.experiment.key_text import canonical, completed
from ohwx_compare.core.experiment.outcome import FaceRecord, Outcome
from ohwx_compare.errors import ExperimentError, LedgerError, OtherExperimentError
from ohwx_compare.files import lock
from ohwx_compare.words import counted

__all__ = ["SCHEMA", "CheckpointRow", "Ledger", "Result", "Run", "RunCell", "open_run"]

SCHEMA = 2  # in the file's user_version
LEDGER_FILE = "run.sqlite"
_PATHS = ("before_key", "key", "before", "after", "before_thumb", "after_thumb")
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
_STEPS = MappingProxyType({1: "ALTER TABLE checkpoints ADD COLUMN identity TEXT NOT NULL DEFAULT '[]';"})  # from


@dataclass(frozen=True, kw_only=True)
class CheckpointRow:
    """A checkpoint file as it was when it was used."""

    ref: str  # as the experiment names it
    path: str
    sha256: str  # of the whole file
    size: int  # bytes
    modified_ns: int  # the file's own time
    identity: tuple[int, ...] = ()  # `files.hashes.identity` of the very bytes that `sha256` is of; () proves nothing


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one cell. Paths are relative to the run folder, "/" between."""

    outcome: Outcome
    before_key: str | None = None
    key: str | None = None  # of the last picture: after the face pass where there is one
    before: str | None = None  # without a face pass the only picture
    after: str | None = None  # None without a face pass
    before_thumb: str | None = None
    after_thumb: str | None = None
    faces: tuple[FaceRecord, ...] = ()
    infotext: str = ""  # of the last picture
    notes: tuple[str, ...] = ()  # what a person should know: fallback detector, VAE in float32, same pixels as ...
    error: str | None = None  # outcome FAILED only
    seconds: float | None = None  # wall time; a batch's is shared evenly; None where it was adopted from disk

    @property
    def image(self) -> str | None:
        """The last picture."""
        return self.after or self.before

    @property
    def thumb(self) -> str | None:
        """The last picture's thumbnail."""
        return self.after_thumb or self.before_thumb


@dataclass(frozen=True, kw_only=True)
class RunCell:
    """A planned cell, what came of it (PENDING where nothing did yet) and the checkpoint file it was generated with."""

    cell: Cell
    result: Result
    checkpoint: CheckpointRow | None  # None before its checkpoint was first used


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder as read: complete, also where cells are pending or failed."""

    folder: Path
    experiment: Experiment
    cells: tuple[RunCell, ...]  # every planned cell, by number
    checkpoints: tuple[CheckpointRow, ...]  # those used so far


def open_run(folder: Path) -> Run:
    """Read a run folder; writes nothing. Raises LedgerError where there is none, or one of another schema."""
    path = folder / LEDGER_FILE
    if not path.is_file():
        raise LedgerError(
            f"{folder} is not a run folder: it has no {LEDGER_FILE}. Choose a folder that a comparison was written to."
        )
    with _said(path), closing(_connect(path)) as db, closing(_connect(":memory:")) as copy:
        if _version(db, path) < SCHEMA:
            db.backup(copy)
            _update(copy, path)
            db = copy
        experiment = _experiment(db, path)
        if experiment is None:
            raise LedgerError(f"{path} holds no experiment: its run was stopped before it began. Start the run again.")
        checkpoints = _checkpoints(db)
        results = _results(db)
    pending = Result(outcome=Outcome.PENDING)
    return Run(
        folder=folder,
        experiment=experiment,
        cells=tuple(
            RunCell(
                cell=cell,
                result=results.get(cell.number, pending),
                checkpoint=checkpoints.get(str(cell.checkpoint)),
            )
            for cell in experiment.cells()
        ),
        checkpoints=tuple(checkpoints.values()),
    )


class Ledger:
    """A run folder held for writing. A context manager; a second holder is refused with LedgerError."""

    def __init__(self, folder: Path):
        """Make or open the ledger of `folder`, which is made too. Raises LedgerError."""
        self.folder, self.path = folder, folder / LEDGER_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{folder} cannot be used: {error}. Choose another folder.") from error
        with ExitStack() as held:
            held.enter_context(closing(_hold(folder)))
            with _said(self.path):
                self._db = held.enter_context(closing(_connect(self.path)))
                _update(self._db, self.path)
            self._held = held.pop_all()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go; safe to call twice."""
        self._held.close()

    def plan(self, experiment: Experiment) -> None:
        """Make `experiment` the folder's own; results of cells move along with them, whatever their numbers are now.

        It may ask for more than the folder's experiment did. Raises OtherExperimentError if it lacks a cell that
        is there: nothing is dropped.
        """
        with self._change() as db:
            rows = db.execute("SELECT number, request, outcome FROM cells ORDER BY number").fetchall()
            moves, lost = _moves(rows, experiment.cells())
            if lost:
                asked = _experiment(db, self.path)
                first = f" (the first: {asked.cells(lost[0] - 1, lost[0])[0].label})" if asked else ""
                raise OtherExperimentError(
                    f"{self.folder} holds {counted(len(lost), 'cell')} that this experiment does not ask for{first}. "
                    f"Choose another folder for the run; it can reuse the pictures of {self.folder}."
                )
            db.execute("INSERT OR REPLACE INTO experiment VALUES (1, ?)", (canonical(experiment.to_dict()),))
            gone = [(row["number"],) for row in rows if row["number"] not in moves]
            db.executemany("DELETE FROM cells WHERE number = ?", gone)
            _renumber(db, [(new, old) for old, new in moves.items() if new != old])

    def commit(self, cell: Cell, result: Result) -> None:
        """Record what came of `cell`, in one transaction; its files must be on disk. Replaces an earlier record."""
        with self._change() as db:
            db.execute("DELETE FROM cells WHERE number = ?", (cell.number,))
            _insert(db, cell, result)

    def remember(self, row: CheckpointRow) -> None:
        """Record a checkpoint file; replaces an earlier record of the same reference."""
        with self._change() as db:
            values = {**asdict(row), "identity": json.dumps(row.identity)}
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            db.execute(f"INSERT OR REPLACE INTO checkpoints ({names}) VALUES ({marks})", values)

    def results(self) -> dict[int, Result]:
        """All recorded results by cell number."""
        with _said(self.path):
            return _results(self._db)

    def checkpoints(self) -> dict[str, CheckpointRow]:
        """All recorded checkpoint files by reference."""
        with _said(self.path):
            return _checkpoints(self._db)

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with _said(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")


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


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(f"{path} cannot be used: {error}. {_advice(str(error))}") from error


def _advice(error: str) -> str:
    if "full" in error or "No space" in error:
        return "Free some space, then start the run again: what is finished is kept."
    if any(word in error for word in ("readonly", "unable to open", "Read-only", "Permission denied")):
        return "Make it writable, or choose another folder."
    return "If it is damaged, choose another folder."


def _hold(folder: Path) -> BinaryIO:
    try:
        return lock.hold(folder)
    except BlockingIOError as error:
        raise LedgerError(f"Another run is writing to {folder}; wait for it, or choose another folder.") from error
    except OSError as error:
        raise LedgerError(f"{folder / lock.LOCK_FILE} cannot be used: {error}. {_advice(str(error))}") from error


def _version(db: sqlite3.Connection, path: Path) -> int:
    """The schema in the file, 0 for an empty one. Raises LedgerError for one that is newer than this version."""
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA:
        raise LedgerError(f"{path} has schema {found}, this version reads at most {SCHEMA}; update this program.")
    return found


def _update(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring an earlier version's up to date, in one transaction."""
    found = _version(db, path)
    if found < SCHEMA:
        steps = [_STEPS[version] for version in range(found, SCHEMA)] if found else [_TABLES]
        db.executescript(f"BEGIN IMMEDIATE; {' '.join(steps)} PRAGMA user_version = {SCHEMA}; COMMIT;")


def _experiment(db: sqlite3.Connection, path: Path) -> Experiment | None:
    row = db.execute("SELECT json FROM experiment").fetchone()
    try:
        return Experiment.from_dict(completed(json.loads(row["json"]))) if row else None
    except ExperimentError as error:
        raise LedgerError(
            f"{path} holds an experiment that this version cannot read: {error} Choose another folder."
        ) from error


def _checkpoints(db: sqlite3.Connection) -> dict[str, CheckpointRow]:
    rows = db.execute("SELECT * FROM checkpoints ORDER BY ref")
    return {r["ref"]: CheckpointRow(**{**r, "identity": tuple(json.loads(r["identity"]))}) for r in rows}


def _moves(rows: Sequence[sqlite3.Row], cells: Iterable[Cell]) -> tuple[dict[int, int], list[int]]:
    """The new number of each row of the cells when these are asked for, and the finished rows that are not asked for.

    A row is known by its request, in whatever version's form it was written. Rows of one request keep their numbers
    where they can; those that are too many, and failures that nobody asks for, are in neither.
    """
    asked: dict[str, list[int]] = {}  # request, in every form: numbers of the cells that ask for it
    requests = CellRequests()
    for cell in cells:
        now, *earlier = requests.of(cell)
        asked.setdefault(now, []).append(cell.number)
        asked.update(dict.fromkeys(earlier, asked[now]))
    lost = [r["number"] for r in rows if r["request"] not in asked and r["outcome"] != Outcome.FAILED.value]
    moves = {}
    for row in sorted(rows, key=lambda row: row["number"] not in asked.get(row["request"], ())):
        if free := asked.get(row["request"]):
            moves[row["number"]] = row["number"] if row["number"] in free else free[0]
            free.remove(moves[row["number"]])
    return moves, lost


def _renumber(db: sqlite3.Connection, moves: Sequence[tuple[int, int]]) -> None:
    """Give cells their new numbers, (new, old); nothing else of a committed cell is ever written again."""
    db.execute("PRAGMA defer_foreign_keys = ON")  # to the end of this transaction
    for table, column in (("cells", "number"), ("faces", "cell")):
        db.executemany(f"UPDATE {table} SET {column} = -? WHERE {column} = ?", moves)
        db.execute(f"UPDATE {table} SET {column} = -{column} WHERE {column} < 0")


def _insert(db: sqlite3.Connection, cell: Cell, result: Result) -> None:
    db.execute(
        "INSERT INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            cell.number,
            CellRequests().of(cell)[0],
            *(
                getattr(result, name)
                for name in ("before_key", "key", "before", "after", "before_thumb", "after_thumb")
            ),
            result.outcome.value,
            result.infotext,
            json.dumps(result.notes, ensure_ascii=False),
            result.error,
            result.seconds,
        ),
    )
    db.executemany(
        "INSERT INTO faces VALUES (?, ?, ?)",
        [(cell.number, i, json.dumps(face.to_json(), ensure_ascii=False)) for i, face in enumerate(result.faces)],
    )


def _results(db: sqlite3.Connection) -> dict[int, Result]:
    faces: dict[int, list[FaceRecord]] = {}
    for row in db.execute("SELECT cell, json FROM faces ORDER BY cell, place"):
        faces.setdefault(row["cell"], []).append(FaceRecord.from_json(json.loads(row["json"])))
    return {
        row["number"]: _result(row, tuple(faces.get(row["number"], ())))
        for row in db.execute("SELECT * FROM cells ORDER BY number")
    }


def _result(row: Mapping[str, Any], faces: tuple[FaceRecord, ...]) -> Result:
    plain = (*_PATHS, "infotext", "error", "seconds")
    return Result(
        outcome=Outcome(row["outcome"]),
        notes=tuple(json.loads(row["notes"])),
        faces=faces,
        **{name: row[name] for name in plain},
    )
