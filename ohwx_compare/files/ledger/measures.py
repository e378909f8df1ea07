"""What was measured of a run's pictures and how people voted on them: rows that hang on pictures, not on cells.

A score belongs to a picture's key and a measure's key, which is the hash of all that decides its numbers: scores of
other weights, photographs or settings lie beside it and are never read for it. A renumbered cell keeps its scores, and
so does a picture that other folders lend.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.access import reading
from ohwx_compare.files.ledger.held import HeldLedger
from ohwx_compare.files.ledger.schema import LEDGER_FILE, explained
from ohwx_compare.numerals import decode_json

__all__ = ["JUDGE_FILE", "MeasureLedger", "MeasureRow", "ScoreRow", "VoteRow", "ledger_votes", "read_scores"]

JUDGE_FILE = "judge.sqlite"
"""The ledger of a folder of pictures that is no run's."""
_SCORES = """
SELECT picture, name, avg(value) AS value FROM scores JOIN measures ON measures.key = scores.measure
WHERE value IS NOT NULL GROUP BY picture, measures.key ORDER BY measures.rowid
"""

_COUNTED = "SELECT * FROM votes WHERE NOT is_undone ORDER BY number"


@dataclass(frozen=True, kw_only=True)
class MeasureRow:
    """A measure that scored pictures of this folder."""

    key: str  # 64 hex digits, see `judge.measure.measure_key`
    name: str
    version: int
    sha256: str  # of its weights; "" without any
    licence: str  # of its weights
    settings: Mapping[str, Any] = field(default_factory=dict)  # what else its key is of, to be read by people


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """What a measure said of one picture."""

    picture: str  # the picture's key: a cell's `before_key` or `key`, of other pictures the sha256 of the file
    control: str = ""  # the key of the picture before its face pass that it was held against; "" without one
    value: float | None
    outcome: str
    details: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class VoteRow:
    """One answer of one person as it was given. Votes are never changed; one that is taken back has `is_undone`."""

    rater: str
    question: str  # "more like me", "more like the style", "keep it", ...
    style: str
    shown: tuple[str, ...]  # picture keys in the order on the screen, 2 or 4
    answer: str  # "chosen", "much better", "the same", "all bad", "skipped"
    best: int | None = None  # place in `shown`; None unless something was chosen
    worst: int | None = None  # of four
    seconds: float | None = None  # from the pictures' appearance to the answer
    time: float = 0.0  # when, seconds since 1970
    rule: str = ""  # when the vote was to end: "until it is clear, at most 60 votes"
    is_repeat: bool = False  # shown before with other sides, to see whether the rater agrees with himself
    is_undone: bool = False


class MeasureLedger(HeldLedger):
    """The scores of a folder, held for writing; a run's ledger, else `JUDGE_FILE`. A context manager.

    Raises LedgerError where another process writes to the folder, or nothing can be written into it, and
    ElsewhereError for one that was made elsewhere, unless `adopt`.
    """

    def __init__(self, folder: Path, *, adopt: bool = False):
        super().__init__(folder / (LEDGER_FILE if (folder / LEDGER_FILE).is_file() else JUDGE_FILE), adopt=adopt)

    def remember(self, measure: MeasureRow) -> None:
        """Record a measure; its scores need it."""
        row = (*_named(measure), json.dumps(measure.settings, ensure_ascii=False))
        with self._change() as db:
            db.execute("INSERT OR IGNORE INTO measures VALUES (?, ?, ?, ?, ?, ?)", row)

    def measures(self) -> tuple[MeasureRow, ...]:
        """Every measure that scored pictures here, the first one first."""
        with explained(self.path):
            rows = self._db.execute("SELECT * FROM measures ORDER BY rowid")
            return tuple(MeasureRow(**{**row, "settings": decode_json(row["settings"])}) for row in rows)

    def add(self, measure: str, scores: Iterable[ScoreRow]) -> None:
        """Record scores of the measure of this key, all or none of them."""
        rows = [(measure, each.picture, each.control, each.value, each.outcome, _json(each.details)) for each in scores]
        with self._change() as db:
            db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?)", rows)

    def scores(self, measure: str) -> dict[tuple[str, str], ScoreRow]:
        """All scores of the measure of this key by the keys of picture and control."""
        with explained(self.path):
            rows = self._db.execute("SELECT * FROM scores WHERE measure = ?", (measure,))
            return {(row["picture"], row["control"]): _score(row) for row in rows}

    def vote(self, vote: VoteRow) -> int:
        """Record a vote; return its number."""
        row = {**asdict(vote), "shown": json.dumps(vote.shown)}
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        with self._change() as db:
            return int(db.execute(f"INSERT INTO votes ({names}) VALUES ({marks})", row).lastrowid or 0)

    def votes(self) -> dict[int, VoteRow]:
        """The votes that were not taken back by their numbers, oldest first."""
        with explained(self.path):
            return {row["number"]: _vote(row) for row in self._db.execute(_COUNTED)}

    def take_back(self, number: int) -> None:
        """Mark a vote as taken back."""
        with self._change() as db:
            db.execute("UPDATE votes SET is_undone = 1 WHERE number = ?", (number,))


def ledger_votes(folder: Path) -> tuple[VoteRow, ...]:
    """The votes of a run's ledger that were not taken back, oldest first; nothing is written.

    Raises LedgerError as `open_run`.
    """
    with reading(folder) as db:
        return tuple(map(_vote, db.execute(_COUNTED)))


def read_scores(folder: Path) -> dict[str, dict[str, float]]:
    """What was measured of a run's pictures, by the picture's key and the measure's name; nothing is written.

    Of several settings of a measure the last that was used counts; of several controls, the mean. Raises LedgerError as
    `open_run`.
    """
    found: dict[str, dict[str, float]] = {}
    with reading(folder) as db:
        for row in db.execute(_SCORES):
            if isinstance(row["value"], float) and isinstance(row["name"], str):
                found.setdefault(row["picture"], {})[row["name"]] = row["value"]
    return found


def _named(measure: MeasureRow) -> Sequence[str | int]:
    return measure.key, measure.name, measure.version, measure.sha256, measure.licence


def _json(details: Mapping[str, float | str]) -> str:
    return json.dumps(dict(details), ensure_ascii=False)


def _score(row: sqlite3.Row) -> ScoreRow:
    given = {name: row[name] for name in ("picture", "control", "value", "outcome")}
    try:
        return ScoreRow(**given, details=dict(decode_json(row["details"])))
    except ValueError as error:
        raise LedgerError(f"The score of {row['picture'][:10]} cannot be read: {error}. Judge a copy.") from error


def _vote(row: sqlite3.Row) -> VoteRow:
    given = {name: row[name] for name in row.keys() if name not in ("number", "shown")}  # noqa: SIM118  no mapping
    is_repeat, is_undone = bool(row["is_repeat"]), bool(row["is_undone"])
    shown = tuple(map(str, decode_json(row["shown"])))
    if any(place is not None and not 0 <= place < len(shown) for place in (row["best"], row["worst"])):
        raise LedgerError(f"Vote {row['number']} chooses a picture that it does not show. Vote in a copy.")
    return VoteRow(**{**given, "is_repeat": is_repeat, "is_undone": is_undone}, shown=shown)
