"""Where votes are kept: in the run's ledger, or in a file beside it where the folder was made elsewhere.

What lies beside goes into the ledger with the first vote after the folder was taken over.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.json_file import json_text, read_object
from ohwx_compare.files.ledger.measures import MeasureLedger, VoteRow, ledger_votes
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.schema import LEDGER_FILE

__all__ = ["VOTES_FILE", "read_votes", "votes_kept"]

VOTES_FILE = "votes.json"
"""Beside the ledger."""
_MOST = 8_000  # votes of a file
_KINDS: Mapping[str, tuple[type, ...]] = MappingProxyType({
    **{name: (str,) for name in ("rater", "question", "style", "answer", "rule")},
    **{name: (int, type(None)) for name in ("best", "worst")},
    **{name: (bool,) for name in ("is_repeat", "is_undone")},
    "seconds": (int, float, type(None)), "time": (int, float), "shown": (list,),
})  # fmt: skip


class _Beside:
    """The file; numbers are places in it from 0."""

    def __init__(self, folder: Path):
        self.path = folder / VOTES_FILE
        self.rows = list(_rows(folder))

    def vote(self, vote: VoteRow) -> int:
        """Record a vote; return its number."""
        if len(self.rows) >= _MOST:
            raise LedgerError(f"{self.path} holds {_MOST:,} votes and takes no more; adopt the folder.")
        self._write([*self.rows, vote])
        return len(self.rows) - 1

    def votes(self) -> dict[int, VoteRow]:
        """The votes that were not taken back by their numbers, oldest first."""
        return {number: row for number, row in enumerate(self.rows) if not row.is_undone}

    def take_back(self, number: int) -> None:
        """Mark a vote as taken back."""
        self._write([replace(row, is_undone=row.is_undone or i == number) for i, row in enumerate(self.rows)])

    def _write(self, rows: list[VoteRow]) -> None:
        try:
            write_text(self.path, json_text({"votes": [{**asdict(row), "shown": list(row.shown)} for row in rows]}))
        except OSError as error:
            raise LedgerError(
                f"{self.path} cannot be written: {error.strerror or error}. Make the folder writable."
            ) from error
        self.rows = rows


@contextmanager
def votes_kept(folder: Path, *, adopt: bool = False) -> Iterator[MeasureLedger | _Beside]:
    """Hold the votes of a run for writing. adopt: take over a folder that was made elsewhere first.

    Raises LedgerError.
    """
    if not adopt and not has_own_mark(folder / LEDGER_FILE):
        yield _Beside(folder)
        return
    with MeasureLedger(folder, adopt=adopt) as ledger:
        for row in _rows(folder):
            ledger.vote(row)
        (folder / VOTES_FILE).unlink(missing_ok=True)
        yield ledger


def read_votes(folder: Path) -> tuple[VoteRow, ...]:
    """The votes on a run's pictures that were not taken back, oldest first; nothing is written.

    Raises LedgerError as `open_run`.
    """
    beside = [row for row in _rows(folder) if not row.is_undone]
    found = ledger_votes(folder)
    return tuple(sorted((*found, *beside), key=lambda vote: vote.time)) if beside else found


def _rows(folder: Path) -> Iterator[VoteRow]:
    """What is sound in the file: it may be a stranger's."""
    told = read_object(folder / VOTES_FILE).get("votes", [])
    for row in told[:_MOST] if isinstance(told, list) else ():
        if isinstance(row, Mapping) and _is_sound(row):
            yield VoteRow(**{**row, "shown": tuple(row["shown"])})


def _is_sound(row: Mapping[str, Any]) -> bool:
    if set(row) != {field.name for field in fields(VoteRow)}:
        return False
    if not all(type(row[name]) in kinds for name, kinds in _KINDS.items()):
        return False
    shown = row["shown"]
    places = [row[name] for name in ("best", "worst") if row[name] is not None]
    is_shown = 1 < len(shown) < 5 and all(isinstance(key, str) for key in shown)
    return is_shown and all(0 <= place < len(shown) for place in places)
