"""Raw votes as CSV: written with the names of what was shown, read back, and several people's put together."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.folder_infos import write_table
from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.judge.votes.pool import MOST_SHOWN
from ohwx_compare.numerals import whole_number

__all__ = ["merged_votes", "read_vote_file", "write_vote_file"]

_OWN = ("rater", "question", "style", "answer", "best", "worst", "seconds", "time", "rule", "repeat")
_PLACES = range(1, MOST_SHOWN + 1)
_HEAD = (*_OWN, *(f"shown {place}" for place in _PLACES), *(f"checkpoint {place}" for place in _PLACES))
_LARGEST = 50_000_000  # bytes
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_vote_file(out: TextIO, votes: Iterable[VoteRow], checkpoint_of: Mapping[str, str]) -> None:
    """One row for each vote, as it was given. checkpoint_of: the name by a picture's key. No cell starts a formula."""
    write_table(out, _HEAD, [_row(vote, checkpoint_of) for vote in votes])


def read_vote_file(path: Path) -> tuple[VoteRow, ...]:
    """The votes of a file that `write_vote_file` wrote. Raises LedgerError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise LedgerError(f"{path} is over {_LARGEST:,} bytes, expected a file of votes; choose another.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not set(_OWN) <= set(rows.fieldnames or ()):
                missing = [name for name in _OWN if name not in (rows.fieldnames or ())]
                raise LedgerError(
                    f"{path} is not a file of votes: it has no column {missing[0]!r}. Choose one that was "
                    "exported from a vote."
                )
            return tuple(_vote(row, f"{path}, line {rows.line_num}") for row in rows)
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LedgerError(
            f"{path} is not a file of votes: {error}. Choose one that was exported from a vote."
        ) from error


def merged_votes(*parts: Iterable[VoteRow]) -> tuple[VoteRow, ...]:
    """All votes of all parts, oldest first; one that stands in several counts once."""
    found = {(v.rater, v.question, v.shown, round(v.time, 3)): v for part in parts for v in part}
    return tuple(sorted(found.values(), key=lambda vote: vote.time))


def _row(vote: VoteRow, checkpoint_of: Mapping[str, str]) -> Sequence[str]:
    shown = [*vote.shown[:MOST_SHOWN], *[""] * MOST_SHOWN][:MOST_SHOWN]
    names = [checkpoint_of.get(key, "") for key in shown]
    best, worst, seconds = ("" if value is None else f"{value}" for value in (vote.best, vote.worst, vote.seconds))
    own = (vote.rater, vote.question, vote.style, vote.answer, best, worst, seconds, f"{vote.time:.3f}", vote.rule)
    return (*own, "1" if vote.is_repeat else "0", *shown, *names)


def _vote(row: Mapping[str, str | None], where: str) -> VoteRow:
    told = {name: _plain(row.get(name) or "") for name in _HEAD}
    shown = tuple(key for place in _PLACES if (key := told[f"shown {place}"]))
    try:
        best, worst = (whole_number(told[name]) if told[name] else None for name in ("best", "worst"))
        time, seconds = float(told["time"]), float(told["seconds"]) if told["seconds"] else None
        places = {place for place in (best, worst) if place is not None}
        is_sound = len(shown) > 1 and places <= set(range(len(shown))) and math.isfinite(time + (seconds or 0))
    except ValueError:
        is_sound = False
    if not is_sound:
        raise LedgerError(f"{where}: this vote cannot be read. Export the votes again.")
    return VoteRow(
        rater=told["rater"], question=told["question"], style=told["style"], shown=shown, answer=told["answer"],
        best=best, worst=worst, seconds=seconds, time=time, rule=told["rule"], is_repeat=told["repeat"] == "1",
    )  # fmt: skip


def _plain(cell: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from taking it for a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
