"""What was measured, voted and marked in one run, put into the ledger of another as well.

All of it hangs on pictures, so it means the same wherever they lie. What both have is there once.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.access import reading
from ohwx_compare.files.ledger.adopt import judged_rows
from ohwx_compare.files.ledger.marks import MarkRow, put_marks, read_marks
from ohwx_compare.files.ledger.schema import LEDGER_FILE, explained

__all__ = ["JudgedRows", "put_judged", "read_judged"]

_PUT: Mapping[str, str] = MappingProxyType({  # in the order in which one table needs another
    "measures": "INSERT OR IGNORE INTO measures VALUES (?, ?, ?, ?, ?, ?)",
    "scores": "INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?, ?)",
    "votes": """
INSERT INTO votes (
    rater, question, style, shown, answer, best, worst, seconds, time, rule, is_repeat, is_undone
) SELECT ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 WHERE ?1 AND NOT EXISTS (
    SELECT 1 FROM votes WHERE rater = ?2 AND question = ?3 AND shown = ?5 AND time = ?10
)""",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class JudgedRows:
    """The rows of a run's ledger, by table, and its marks."""

    rows: Mapping[str, Sequence[tuple[object, ...]]]
    marks: Sequence[MarkRow]


def read_judged(folder: Path) -> JudgedRows:
    """All that a run has; the folder may have been made elsewhere. Raises LedgerError."""
    with explained(folder / LEDGER_FILE), reading(folder) as db:
        rows = {table: judged_rows(db, table) for table in _PUT}
    return JudgedRows(rows=rows, marks=tuple(read_marks(folder).values()))


def put_judged(db: sqlite3.Connection, told: JudgedRows) -> dict[str, int]:
    """Write what is not there; of two marks of a picture the newer one stays. Returns how many rows came, by table.

    Raises LedgerError where a score is of a measure that the other run does not name.
    """
    came = {}
    for table, put in _PUT.items():
        before = db.total_changes
        try:
            db.executemany(put, told.rows[table])
        except sqlite3.IntegrityError as error:
            raise LedgerError(
                f"The {table} of the other run cannot be taken over: {error}. Choose another run."
            ) from error
        came[table] = db.total_changes - before
    before = db.total_changes
    put_marks(db, told.marks)
    return {**came, "marks": db.total_changes - before}
