"""What stands in the ledger: checkpoint files, cells and what came of them, and how a row is read and written."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.folder_text import CellRequests
from ohwx_compare.core.experiment.key_text import canonical, completed
from ohwx_compare.core.experiment.outcome import FaceRecord, Outcome
from ohwx_compare.errors import ExperimentError, LedgerError

__all__ = [
    "CheckpointRow",
    "Result",
    "Run",
    "RunCell",
    "checkpoint_rows",
    "insert_cell",
    "insert_checkpoint",
    "insert_experiment",
    "results_in",
    "stored_experiment",
]

_PATHS = ("before_key", "key", "before", "after", "before_thumb", "after_thumb")


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
    """A planned cell, what came of it (PENDING where nothing did yet) and the checkpoint file that drew it."""

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


def stored_experiment(db: sqlite3.Connection, path: Path) -> Experiment | None:
    """The folder's experiment, None before there is one. Raises LedgerError for one that cannot be read."""
    row = db.execute("SELECT json FROM experiment").fetchone()
    try:
        return _read(row["json"]) if row else None
    except (ExperimentError, ValueError) as error:
        raise LedgerError(
            f"{path} holds an experiment that this version cannot read: {error} Choose another folder."
        ) from error


@lru_cache(maxsize=4)
def _read(text: str) -> Experiment:
    """Of 10,000 cells it costs as much as all else that is read; a page asks for part after part of one run."""
    return Experiment.from_dict(completed(json.loads(text)))


def insert_experiment(db: sqlite3.Connection, experiment: Experiment) -> None:
    """Make `experiment` the folder's."""
    db.execute("INSERT OR REPLACE INTO experiment VALUES (1, ?)", (canonical(experiment.to_dict()),))


def checkpoint_rows(db: sqlite3.Connection) -> dict[str, CheckpointRow]:
    """All recorded checkpoint files by reference."""
    rows = db.execute("SELECT * FROM checkpoints ORDER BY ref")
    return {r["ref"]: CheckpointRow(**{**r, "identity": tuple(json.loads(r["identity"]))}) for r in rows}


def insert_checkpoint(db: sqlite3.Connection, row: CheckpointRow) -> None:
    """Write `row`, in the place of an earlier one of the same reference."""
    values = {**asdict(row), "identity": json.dumps(row.identity)}
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    db.execute(f"INSERT OR REPLACE INTO checkpoints ({names}) VALUES ({marks})", values)


def insert_cell(db: sqlite3.Connection, cell: Cell, result: Result) -> None:
    """Write what came of `cell`, which has no row yet."""
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


def results_in(db: sqlite3.Connection, first: int = 1, last: int = 2**62) -> dict[int, Result]:
    """All recorded results of the cells from number `first` to `last`, by number."""
    faces: dict[int, list[FaceRecord]] = {}
    numbers = (first, last)
    for row in db.execute("SELECT cell, json FROM faces WHERE cell BETWEEN ? AND ? ORDER BY cell, place", numbers):
        faces.setdefault(row["cell"], []).append(FaceRecord.from_json(json.loads(row["json"])))
    rows = db.execute("SELECT * FROM cells WHERE number BETWEEN ? AND ? ORDER BY number", numbers)
    return {row["number"]: _result(row, tuple(faces.get(row["number"], ()))) for row in rows}


def _result(row: Mapping[str, Any], faces: tuple[FaceRecord, ...]) -> Result:
    plain = (*_PATHS, "infotext", "error", "seconds")
    return Result(
        outcome=Outcome(row["outcome"]),
        notes=tuple(json.loads(row["notes"])),
        faces=faces,
        **{name: row[name] for name in plain},
    )
