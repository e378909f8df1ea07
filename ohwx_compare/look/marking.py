"""What a run's page keeps: stars, rejections, tags and notes of its cells, by their numbers."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError, LedgerError
from ohwx_compare.files.ledger.marks import MARKS_FILE, MarkRow, keep_marks, read_marks
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.reader import experiment_in, open_run, read_cells
from ohwx_compare.files.ledger.rows import Result, RunCell
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.look.page_cells import plan_of
from ohwx_compare.words import counted, quoted

__all__ = ["asked_cells", "marks_by_number", "take_marks"]

_FEW = 20  # cells that are read one by one


def marks_by_number(folder: Path, cells: Iterable[RunCell]) -> dict[str, dict[str, Any]]:
    """The marks of those cells that have one; {} for a folder without a ledger."""
    if not (folder / LEDGER_FILE).is_file():
        return {}
    marks = read_marks(folder)
    found = ((cell.cell.number, marks.get(_key(cell.result) or "")) for cell in cells) if marks else ()
    return {
        str(number): {"star": mark.star, "tags": list(mark.tags), "note": mark.note} for number, mark in found if mark
    }


def take_marks(folder: Path, told: dict[str, Any]) -> dict[str, Any]:
    """Keep `{"plan", "marks": {number: mark}, "adopt"}`; what a page says of it as `{"words", "isBeside"}`.

    Raises ExperimentError for marks of another run or of cells without a picture, LedgerError where nothing can be
    written.
    """
    marks = told.get("marks")
    if not isinstance(marks, dict):
        raise ExperimentError(f"Marks by the cells' numbers are needed, got {quoted(marks)}.")
    cells = asked_cells(folder, told.get("plan"), [_number(name) for name in marks])
    now = time.time()
    rows = []
    for cell, mark in zip(cells, marks.values(), strict=True):
        key = _key(cell.result)
        if key is None:
            raise ExperimentError(f"Cell {cell.cell.number} has no picture yet, so there is nothing to keep of it.")
        rows.append(MarkRow.read(key, mark, now))
    try:
        is_in_ledger = keep_marks(folder, rows, adopt=told.get("adopt") is True)
    except OSError as error:
        raise LedgerError(
            f"{folder / MARKS_FILE} cannot be written: {error.strerror or error}. Make the folder writable."
        ) from error
    why = "a run is writing to it" if has_own_mark(folder / LEDGER_FILE) else "it was made elsewhere"
    beside = f"Kept in {MARKS_FILE} beside the ledger: {why}."
    return {"words": "" if is_in_ledger else beside, "isBeside": not is_in_ledger, "kept": counted(len(rows), "mark")}


def asked_cells(folder: Path, plan: object, numbers: Sequence[int]) -> Sequence[RunCell]:
    """The cells of these numbers. Raises ExperimentError for others, and where `plan` is another run's."""
    if plan != plan_of(experiment_in(folder)):
        raise ExperimentError("This was chosen on another run, or before this one changed. Load the page again.")
    if len(numbers) <= _FEW:
        read = [read_cells(folder, number - 1, number) for number in numbers if number > 0]
        found = {cell.cell.number: cell for part in read for cell in part}
    else:
        found = {cell.cell.number: cell for cell in open_run(folder).cells}
    if missing := [number for number in numbers if number not in found]:
        raise ExperimentError(f"The run has no cell {missing[0]}.")
    return [found[number] for number in numbers]


def _key(result: Result) -> str | None:
    return (result.key or result.before_key) if result.image else None


def _number(name: str) -> int:
    if not (name.isascii() and name.isdigit() and len(name) < 7):
        raise ExperimentError(f"A cell is named by its number, got {quoted(name)}.")
    return int(name)
