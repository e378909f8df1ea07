"""What stands in the ledger: checkpoint files, cells, pictures, what came of them, and how a row is read and written.

A row may be a stranger's: its values have the types that we write, and no path leads out of the run folder.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.folder_text import CellRequests
from ohwx_compare.core.experiment.key_text import canonical, completed
from ohwx_compare.core.experiment.outcome import FaceRecord, Outcome
from ohwx_compare.errors import ExperimentError, LedgerError
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import quoted

__all__ = [
    "CheckpointRow",
    "PictureRow",
    "Result",
    "Run",
    "RunCell",
    "checkpoint_rows",
    "insert_cell",
    "insert_checkpoint",
    "insert_experiment",
    "insert_pictures",
    "picture_rows",
    "results_in",
    "stored_experiment",
]

_KEYS, _IMAGES, _THUMBS = ("before_key", "key"), ("before", "after"), ("before_thumb", "after_thumb")
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # of a damaged row
_IMAGE = re.compile(r"images/[^/\\:\x00-\x1f]+\.png")
_THUMB = re.compile(r"thumbs/[^/\\:\x00-\x1f]+\.jpg")


@dataclass(frozen=True, kw_only=True)
class CheckpointRow:
    """A checkpoint file as it was when it was used."""

    ref: str  # as the experiment names it
    path: str
    sha256: str  # of the whole file
    size: int  # bytes
    modified_ns: int  # the file's own time
    identity: tuple[int, ...] = ()  # `FileIdentity.proof` of the very bytes that `sha256` is of; () proves nothing

    @property
    def file(self) -> FileIdentity:
        """The file as it was."""
        return FileIdentity.recorded(self.identity, self.size, self.modified_ns)


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """A picture as it was written: size and time say cheaply whether it may have changed, `pixels` says whether."""

    path: str  # relative to the run folder, "/" between
    pixels: str  # `pixel_digest`
    size: int  # bytes
    modified_ns: int  # the file's own time


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
    return Experiment.from_dict(completed(decode_json(text)))


def insert_experiment(db: sqlite3.Connection, experiment: Experiment) -> None:
    """Make `experiment` the folder's."""
    db.execute("INSERT OR REPLACE INTO experiment VALUES (1, ?)", (canonical(experiment.to_dict()),))


def checkpoint_rows(db: sqlite3.Connection) -> dict[str, CheckpointRow]:
    """All recorded checkpoint files by reference."""
    found = {}
    for row in db.execute("SELECT * FROM checkpoints ORDER BY ref"):
        with _readable(f"the checkpoint {quoted(row['ref'])}"):
            _require(row, str, "ref", "path", "sha256")
            _require(row, int, "size", "modified_ns")
            identity = tuple(decode_json(row["identity"]))
            if not all(type(number) is int for number in identity):
                raise ValueError("its identity is not made of numbers")
            found[row["ref"]] = CheckpointRow(**{**row, "identity": identity})
    return found


def picture_rows(db: sqlite3.Connection) -> dict[str, PictureRow]:
    """All recorded pictures by path; none of what versions before schema 3 generated."""
    found = {}
    for row in db.execute("SELECT * FROM pictures"):
        with _readable(f"the picture {quoted(row['path'])}"):
            _require(row, str, "pixels")
            _require(row, int, "size", "modified_ns")
            found[_path(row["path"], _IMAGE)] = PictureRow(**row)
    return found


def insert_pictures(db: sqlite3.Connection, rows: Iterable[PictureRow]) -> None:
    """Write `rows`, in the places of earlier ones of the same paths."""
    values = [(row.path, row.pixels, row.size, row.modified_ns) for row in rows]
    db.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)", values)


def insert_checkpoint(db: sqlite3.Connection, row: CheckpointRow) -> None:
    """Write `row`, in the place of an earlier one of the same reference."""
    values = {**asdict(row), "identity": json.dumps(row.identity)}
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    db.execute(f"INSERT OR REPLACE INTO checkpoints ({names}) VALUES ({marks})", values)


def insert_cell(db: sqlite3.Connection, cell: Cell, result: Result, request: str | None = None) -> None:
    """Write what came of `cell`, which has no row yet; request: its text in an earlier version's form."""
    db.execute(
        "INSERT INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            cell.number,
            request or CellRequests().of(cell)[0],
            *(getattr(result, name) for name in (*_KEYS, *_IMAGES, *_THUMBS)),
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
    """All recorded results of the cells from number `first` to `last`, by number.

    Raises ValueError for a damaged row.
    """
    faces: dict[int, list[FaceRecord]] = {}
    found: dict[int, Result] = {}
    numbers, number, what = (first, last), first, "a face of cell"
    try:  # one for all rows: a block for each costs a fifth of the whole
        for number, text in db.execute(
            "SELECT cell, json FROM faces WHERE cell BETWEEN ? AND ? ORDER BY cell, place", numbers
        ):
            faces.setdefault(number, []).append(FaceRecord.from_json(decode_json(text)))
        what = "cell"
        for row in db.execute("SELECT * FROM cells WHERE number BETWEEN ? AND ? ORDER BY number", numbers):
            number = row["number"]
            found[number] = _result(row, tuple(faces.get(number, ())))
    except _UNREADABLE as error:
        raise ValueError(f"{what} {number} cannot be read ({quoted(str(error))})") from error
    return found


def _result(row: Mapping[str, Any], faces: tuple[FaceRecord, ...]) -> Result:
    for name in (*_KEYS, "error"):
        _require(row, str, *((name,) if row[name] is not None else ()))
    _require(row, str, "infotext")
    _require(row, float, *(("seconds",) if row["seconds"] is not None else ()))
    notes = () if row["notes"] == "[]" else tuple(decode_json(row["notes"]))
    if not all(isinstance(note, str) for note in notes):
        raise ValueError("its notes are not texts")
    paths: dict[str, Any] = {name: row[name] and _path(row[name], _IMAGE) for name in _IMAGES}
    paths |= {name: row[name] and _path(row[name], _THUMB) for name in _THUMBS}
    return Result(
        outcome=Outcome(row["outcome"]),
        notes=notes,
        faces=faces,
        **paths,
        **{name: row[name] for name in (*_KEYS, "infotext", "error", "seconds")},
    )


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Raise whatever is wrong with a row as a ValueError that names it."""
    try:
        yield
    except _UNREADABLE as error:
        raise ValueError(f"{what} cannot be read ({quoted(str(error))})") from error


def _require(row: Mapping[str, Any], kind: type, *names: str) -> None:
    for name in names:
        if type(row[name]) is not kind:
            raise ValueError(f"its {name} is not of type {kind.__name__}")


def _path(path: object, form: re.Pattern[str]) -> str:
    """`path`, which leads to a file of the run folder. Raises ValueError."""
    if not isinstance(path, str) or not form.fullmatch(path):
        raise ValueError(f"{quoted(path)} does not name a file of a run")
    return path
