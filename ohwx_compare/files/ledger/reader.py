"""Reading a run folder's ledger, on any machine and during a run: whole, a part of its cells, or in short."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.access import reading
from ohwx_compare.files.ledger.rows import (
    CheckpointRow,
    PictureRow,
    Result,
    Run,
    RunCell,
    checkpoint_rows,
    picture_rows,
    results_in,
    stored_experiment,
)
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.numerals import decode_json

__all__ = [
    "RunSummary",
    "experiment_in",
    "open_run",
    "read_cells",
    "read_pictures",
    "read_summary",
    "words_of_experiment",
]

_PENDING = Result(outcome=Outcome.PENDING)
_EMPTY = "{} holds no experiment: its run was stopped before it began. Start the run again."
_COUNTS = """
SELECT outcome, count(*) AS cells, sum(seconds) AS seconds, count(seconds) AS timed FROM cells GROUP BY outcome
"""
_FIRST_THUMB = """
SELECT coalesce(after_thumb, before_thumb) AS thumb FROM cells WHERE thumb IS NOT NULL ORDER BY number LIMIT 1
"""
_NOTED = "SELECT count(*) FROM cells WHERE notes <> '[]' AND outcome <> ?"
_FIRST_ERROR = "SELECT error FROM cells WHERE number = (SELECT min(number) FROM cells WHERE outcome = ?)"


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """A run folder in short: what can be told of it without building a cell."""

    folder: Path
    axes: tuple[tuple[str, int], ...]  # the experiment's: kind, number of values
    outcomes: Mapping[Outcome, int]  # cells that came to an end, failures too
    noted: int  # finished cells that have a note, failures aside
    seconds: float | None  # a cell, the mean of those that were timed
    thumb: str | None  # the first cell's that has one; relative to the folder, "/" between
    error: str | None  # why the first cell failed that did

    @property
    def cells(self) -> int:
        """Cells that are planned."""
        return prod(count for _, count in self.axes)

    @property
    def done(self) -> int:
        """Cells that came to an end, failures too."""
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """Cells that failed."""
        return self.outcomes.get(Outcome.FAILED, 0)


def open_run(folder: Path) -> Run:
    """Read a run folder; writes nothing. Raises LedgerError where there is none, or one of another schema."""
    with reading(folder) as db:
        experiment, checkpoints, results = _experiment(db, folder), checkpoint_rows(db), results_in(db)
    return Run(
        folder=folder,
        experiment=experiment,
        cells=_joined(experiment.cells(), results, checkpoints),
        checkpoints=tuple(checkpoints.values()),
    )


def read_cells(folder: Path, start: int, stop: int) -> tuple[RunCell, ...]:
    """`open_run(folder).cells[start:stop]`, without reading the others; 0 <= start. Raises as `open_run`."""
    with reading(folder) as db:
        planned, checkpoints = _experiment(db, folder).cells(start, stop), checkpoint_rows(db)
        results = results_in(db, planned[0].number, planned[-1].number) if planned else {}
    return _joined(planned, results, checkpoints)


def read_pictures(folder: Path) -> dict[str, PictureRow]:
    """What is recorded of a run folder's pictures, by path. Raises LedgerError as `open_run`."""
    with reading(folder) as db:
        return picture_rows(db)


def experiment_in(folder: Path) -> Experiment:
    """The experiment of a run folder. Raises LedgerError as `open_run`."""
    with reading(folder) as db:
        return _experiment(db, folder)


def words_of_experiment(folder: Path) -> tuple[str, ...]:
    """The texts of a run's experiment that a person may look for: prompts, and the values of its axes.

    No cell is built. Raises LedgerError as `open_run`.
    """
    with reading(folder) as db:
        row = db.execute("SELECT json FROM experiment").fetchone()
    told = decode_json(row["json"]) if row else {}
    job = told.get("job", {})
    return (str(job.get("prompt", "")), str(job.get("negative", "")), *_texts_in(told.get("axes", [])))


def _texts_in(value: object) -> Iterator[str]:
    """All texts and numbers in a JSON value."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(part)
    elif value is not None:
        yield str(value)


def read_summary(folder: Path) -> RunSummary:
    """A run folder in short, at a cost that hardly grows with its cells: some ms for 10,000.

    Raises LedgerError as `open_run`; of the experiment only the axes' names and lengths are read, so one with values
    that nobody could draw is told too.
    """
    with reading(folder) as db:
        counts = db.execute(_COUNTS).fetchall()
        noted: int = db.execute(_NOTED, (Outcome.FAILED.value,)).fetchone()[0]
        thumb = db.execute(_FIRST_THUMB).fetchone()
        error = db.execute(_FIRST_ERROR, (Outcome.FAILED.value,)).fetchone()
        axes = _axes(db, folder)
    timed = sum(row["timed"] for row in counts)
    return RunSummary(
        folder=folder,
        axes=axes,
        outcomes={Outcome(row["outcome"]): row["cells"] for row in counts},
        noted=noted,
        seconds=sum(row["seconds"] or 0.0 for row in counts) / timed if timed else None,
        thumb=thumb and thumb["thumb"],
        error=error and error["error"],
    )


def _experiment(db: sqlite3.Connection, folder: Path) -> Experiment:
    experiment = stored_experiment(db, folder / LEDGER_FILE)
    if experiment is None:
        raise LedgerError(_EMPTY.format(folder / LEDGER_FILE))
    return experiment


def _axes(db: sqlite3.Connection, folder: Path) -> tuple[tuple[str, int], ...]:
    row = db.execute("SELECT json FROM experiment").fetchone()
    if row is None:
        raise LedgerError(_EMPTY.format(folder / LEDGER_FILE))
    try:
        return tuple((str(axis["kind"]), len(axis["values"])) for axis in decode_json(row["json"])["axes"])
    except (ValueError, TypeError, KeyError) as error:
        path = folder / LEDGER_FILE
        raise LedgerError(f"{path} holds an experiment that cannot be read. Choose another folder.") from error


def _joined(
    planned: Iterable[Cell], results: Mapping[int, Result], checkpoints: Mapping[str, CheckpointRow]
) -> tuple[RunCell, ...]:
    return tuple(
        RunCell(
            cell=cell,
            result=results.get(cell.number, _PENDING),
            checkpoint=checkpoints.get(str(cell.checkpoint)),
        )
        for cell in planned
    )
