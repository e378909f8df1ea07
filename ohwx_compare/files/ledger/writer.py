"""Writing a run folder's ledger: one process at a time, one transaction a cell, when the cell's files are on disk."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from ohwx_compare.core.events import Listener
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.folder_text import CellRequests
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import OtherExperimentError
from ohwx_compare.files.ledger.held import HeldLedger
from ohwx_compare.files.ledger.judged import JudgedRows, put_judged
from ohwx_compare.files.ledger.rows import (
    CheckpointRow,
    PictureRow,
    Result,
    checkpoint_rows,
    insert_cell,
    insert_checkpoint,
    insert_experiment,
    insert_pictures,
    picture_rows,
    results_in,
    stored_experiment,
)
from ohwx_compare.files.ledger.schema import LEDGER_FILE, explained, unusable
from ohwx_compare.words import counted

__all__ = ["Ledger"]


class Ledger(HeldLedger):
    """A run folder held for writing. A context manager; a second holder is refused with LedgerError.

    adopted: what became of a folder that was made elsewhere; None of one that was made here.
    """

    def __init__(self, folder: Path, *, adopt: bool = False, tell: Listener = lambda event: None):
        """Make or open the ledger of `folder`, which is made too.

        adopt: take over a folder that was made elsewhere; tell: hears how far that is; see `claim`.
        Raises LedgerError, ElsewhereError without `adopt`.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(folder, error) from error
        super().__init__(folder / LEDGER_FILE, adopt=adopt, tell=tell)

    def plan(self, experiment: Experiment) -> None:
        """Make `experiment` the folder's own; results of cells move along with them, whatever their numbers are now.

        It may ask for more than the folder's experiment did. Raises OtherExperimentError if it lacks a cell that
        is there: nothing is dropped.
        """
        with self._change() as db:
            rows = db.execute("SELECT number, request, outcome FROM cells ORDER BY number").fetchall()
            moves, lost = _moves(rows, experiment.cells())
            if lost:
                raise OtherExperimentError(
                    f"{self.folder} holds {counted(len(lost), 'cell')} that this experiment does not ask for (the "
                    f"first: {self._label(lost[0])}). Choose another folder for the run; it can reuse the pictures of "
                    f"{self.folder}."
                )
            insert_experiment(db, experiment)
            gone = [(row["number"],) for row in rows if row["number"] not in moves]
            db.executemany("DELETE FROM cells WHERE number = ?", gone)
            _renumber(db, [(new, old) for old, new in moves.items() if new != old])

    def commit(self, cell: Cell, result: Result, pictures: Iterable[PictureRow] = ()) -> None:
        """Record what came of `cell`, in one transaction; its files must be on disk. Replaces an earlier record.

        pictures: the cell's, as they were written.
        """
        with self._change() as db:
            db.execute("DELETE FROM cells WHERE number = ?", (cell.number,))
            insert_cell(db, cell, result)
            insert_pictures(db, pictures)

    def remember(self, row: CheckpointRow) -> None:
        """Record a checkpoint file; replaces an earlier record of the same reference."""
        with self._change() as db:
            insert_checkpoint(db, row)

    def take_judged(self, told: JudgedRows) -> dict[str, int]:
        """Record what another run's pictures were measured and thought of; see `put_judged`."""
        with self._change() as db:
            return put_judged(db, told)

    def results(self) -> dict[int, Result]:
        """All recorded results by cell number."""
        with explained(self.path):
            return results_in(self._db)

    def pictures(self) -> dict[str, PictureRow]:
        """All recorded pictures by path."""
        with explained(self.path):
            return picture_rows(self._db)

    def checkpoints(self) -> dict[str, CheckpointRow]:
        """All recorded checkpoint files by reference."""
        with explained(self.path):
            return checkpoint_rows(self._db)

    def _label(self, number: int) -> str:
        """What a person reads beside the cell that had this number so far."""
        experiment = stored_experiment(self._db, self.path)
        cells = experiment.cells(number - 1, number) if experiment else ()
        return cells[0].label if cells else f"cell {number}"


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
