"""What a person thinks of a run's pictures: stars, rejections, tags and notes. They hang on pictures, not on cells.

They stand in the ledger. Where it cannot be written to, because the folder was made elsewhere or a run is writing to
it, they lie in a file beside it, and go into the ledger with the next mark that can.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError, LedgerError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.json_file import json_text, read_object
from ohwx_compare.files.ledger.access import reading
from ohwx_compare.files.ledger.held import HeldLedger
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import on_one_line, quoted

__all__ = ["MARKS_FILE", "MarkRow", "keep_marks", "put_marks", "read_marks"]

MARKS_FILE = "marks.json"
_MOST_TAGS, _LONGEST_TAG, _LONGEST_NOTE = 20, 60, 2000


@dataclass(frozen=True, kw_only=True)
class MarkRow:
    """What is thought of one picture."""

    picture: str  # its key: a cell's `key`, without a face pass its `before_key`
    star: int = 0  # 1 starred, -1 rejected, 0 neither
    tags: tuple[str, ...] = ()
    note: str = ""
    time: float = 0.0  # when, seconds since 1970

    @classmethod
    def read(cls, picture: str, told: Any, time: float) -> "MarkRow":
        """From JSON, `{"star", "tags", "note"}`. Raises ExperimentError."""
        told = told if isinstance(told, dict) else {}
        star, tags, note = told.get("star", 0), told.get("tags", []), told.get("note", "")
        if type(star) is not int or star not in (-1, 0, 1):
            raise ExperimentError(f"A star is 1, 0 or -1, got {quoted(star)}.")
        texts = isinstance(note, str) and isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
        if not texts or len(note) > _LONGEST_NOTE or len(tags) > _MOST_TAGS or any(len(t) > _LONGEST_TAG for t in tags):
            raise ExperimentError(
                f"A picture takes {_MOST_TAGS} tags of {_LONGEST_TAG} characters and a note of {_LONGEST_NOTE:,}; "
                "shorten them."
            )
        plain = (on_one_line(tag).replace(",", " ").strip() for tag in tags)
        return cls(picture=picture, star=star, tags=tuple(dict.fromkeys(filter(None, plain))), note=note, time=time)


class _MarkLedger(HeldLedger):
    def put(self, rows: Iterable[MarkRow]) -> None:
        """See `put_marks`."""
        with self._change() as db:
            put_marks(db, rows)


_PUT = """
INSERT INTO marks VALUES (:picture, :star, :tags, :note, :time) ON CONFLICT (picture) DO UPDATE SET
    star = excluded.star, tags = excluded.tags, note = excluded.note, time = excluded.time WHERE excluded.time >= time
"""


def put_marks(db: sqlite3.Connection, rows: Iterable[MarkRow]) -> None:
    """Record marks in the places of older ones."""
    db.executemany(_PUT, [{**asdict(row), "tags": json.dumps(row.tags)} for row in rows])


def keep_marks(folder: Path, rows: Iterable[MarkRow], *, adopt: bool = False) -> bool:
    """Record marks; whether they stand in the ledger, not in the file beside it.

    adopt: take over a folder that was made elsewhere. Raises OSError where neither can be written.
    """
    beside = _beside(folder)
    beside |= {row.picture: row for row in rows}
    with suppress(LedgerError):
        if adopt or has_own_mark(folder / LEDGER_FILE):
            with _MarkLedger(folder / LEDGER_FILE, adopt=adopt) as ledger:
                ledger.put(beside.values())
            (folder / MARKS_FILE).unlink(missing_ok=True)
            return True
    told = {row.picture: {**asdict(row), "tags": list(row.tags)} for row in beside.values()}
    write_text(folder / MARKS_FILE, json_text(told, indent=1))
    return False


def read_marks(folder: Path) -> dict[str, MarkRow]:
    """The marks of a run by the picture's key, the newest of each; nothing is written. Raises LedgerError."""
    with reading(folder) as db:
        found = {row.picture: row for row in map(_row, db.execute("SELECT * FROM marks"))}
    for key, row in _beside(folder).items():
        if key not in found or found[key].time <= row.time:
            found[key] = row
    return {key: row for key, row in found.items() if row.star or row.tags or row.note}


def _row(row: sqlite3.Row) -> MarkRow:
    told = {"star": row["star"], "note": row["note"]}
    try:
        return MarkRow.read(str(row["picture"]), {**told, "tags": decode_json(row["tags"])}, float(row["time"]))
    except (ExperimentError, ValueError, TypeError) as error:
        raise LedgerError(f"The mark of {quoted(row['picture'])} cannot be read: {error}") from error


def _beside(folder: Path) -> dict[str, MarkRow]:
    """What is sound in the file beside the ledger: it may be a stranger's."""
    found = {}
    for key, told in read_object(folder / MARKS_FILE).items():
        with suppress(ExperimentError, OverflowError):
            time = told.get("time") if isinstance(told, Mapping) else None
            if isinstance(time, float | int) and len(key) <= 100:
                found[key] = MarkRow.read(key, told, float(time))
    return found
