"""The list of runs, read from their folders: the folders are the truth, and only what changed is read again.

A folder may be damaged, or a stranger's: whatever is wrong with one is a sentence in its row, and hides no other.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ohwx_compare.errors import LedgerError, NotHereError, OhwxError, sentence_of
from ohwx_compare.files.inner import inside
from ohwx_compare.files.json_file import json_text
from ohwx_compare.files.ledger.marks import MARKS_FILE, read_marks
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.reader import RunSummary, experiment_in, read_summary, words_of_experiment
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.hosts.webui.request.progress import drawing_now
from ohwx_compare.hosts.webui.request.record import SavedRequest, read_saved_request, request_json, shown_of
from ohwx_compare.look.board import counted_values
from ohwx_compare.words import counted, on_one_line, quoted

__all__ = ["Runs", "Seen", "read_as_found"]

_FILES = ("run.sqlite", "request.json")
_SEARCHED = (*_FILES, MARKS_FILE)
_LONGEST = 20_000  # characters of a row
_ERROR, _TITLE, _WHEN = 1_000, 300, 40  # characters of them
_MOST_TEXT = 500_000  # characters of a run that are searched
_UNPLAIN = "This folder's name has letters that cannot be asked for; rename the folder."
_LEADS_OUT = "This is a link that leads out of the folder of runs; move the run itself here."


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a run folder holds, in short."""

    folder: Path
    asked: SavedRequest | None
    changed: float  # seconds since 1970
    run: RunSummary | None = None  # None where the ledger cannot be read
    error: str | None = None  # why it cannot be read, or its first failed cell's reason
    is_lost: bool = False  # it failed, and could not write down why

    @property
    def is_elsewhere(self) -> bool:
        """Whether it was made elsewhere, or by an earlier version, and is not adopted."""
        return not has_own_mark(self.folder / LEDGER_FILE)


@contextmanager
def read_as_found(folder: Path) -> Iterator[None]:
    """The boundary of a look at a run: whatever its folder makes of our reading is raised as an OhwxError."""
    try:
        yield
    except OhwxError:
        raise
    except Exception as error:
        raise LedgerError(
            f"The run {quoted(folder.name)} is damaged ({on_one_line(sentence_of(error))[:200]}). Choose another one."
        ) from error


class Runs:
    """The run folders below the webui's folder of runs."""

    def __init__(self, folder: Callable[[], Path]):
        """folder: asked each time, since it is a setting."""
        self._folder = folder
        self._known: dict[Path, tuple[tuple[object, ...], Seen]] = {}
        self._lost: dict[str, str] = {}
        self._texts: dict[Path, tuple[tuple[object, ...], str]] = {}  # to be searched

    def lose(self, name: str, sentence: str | None) -> None:
        """Remember why a run ended, where its folder may be unable to: the disk may be full. None forgets it."""
        others = {run: why for run, why in self._lost.items() if run != name}
        self._lost = {**others, name: sentence} if sentence else others

    def path(self, name: str) -> Path:
        """The folder of a run. Raises NotHereError for everything else."""
        if "/" in name:
            raise NotHereError(f"There is no run {quoted(name)}.")
        found = inside(self._folder(), name)
        try:
            is_run = any((found / file).is_file() for file in _FILES)
        except OSError as error:
            raise NotHereError(f"The run {quoted(name)} cannot be read: {error.strerror}.") from error
        if not is_run:
            raise NotHereError(f"There is no run {quoted(name)}.")
        return found

    def all(self, held: Mapping[str, str]) -> list[dict[str, Any]]:
        """Every run as `one` tells it, the newest first, without its experiment."""
        rows = [row for path in self._folders() if (row := self._row(path, held))]
        return sorted(rows, key=lambda row: (row["started"], row["id"]), reverse=True)

    def one(self, name: str, held: Mapping[str, str]) -> dict[str, Any]:
        """A run as JSON values. held: states of the runs in the queue. Raises NotHereError."""
        seen, experiment = self.seen(name), None
        try:
            with read_as_found(seen.folder):
                experiment = experiment_in(seen.folder).to_dict() if seen.run else None
        except OhwxError as error:
            seen = replace(seen, run=None, error=str(error))
        asked = self.asked_of(seen) if seen.asked and experiment else seen.asked and seen.asked.request
        return {**_told(seen, held), "experiment": experiment, "request": asked}

    def asked_of(self, seen: Seen) -> dict[str, Any]:
        """What a run asks for, as a request: its experiment, which may have grown since it was asked for first.

        Raises LedgerError where neither can be read.
        """
        if seen.asked and seen.run is None:
            return seen.asked.request
        return request_json(experiment_in(seen.folder), seen.folder.name, **shown_of(seen.asked))

    def holding(self, words: Sequence[str]) -> list[str]:
        """Names of the runs that hold all of `words` (case-folded) in their name, experiment, tags or notes."""
        found = []
        for folder in self._folders():
            stamp = tuple(_stamp_if_any(folder / file) for file in _SEARCHED)
            known = self._texts.get(folder)
            if known is None or known[0] != stamp:
                known = self._texts[folder] = (stamp, _text_of(folder) if any(stamp) else "")
            if any(stamp) and all(word in known[1] or word in folder.name.casefold() for word in words):
                found.append(folder.name)
        return found

    def _folders(self) -> list[Path]:
        try:
            return [path for path in self._folder().iterdir() if not path.name.startswith(".")]
        except OSError:  # no run yet
            return []

    def seen(self, name: str) -> Seen:
        """What is known of a run. Raises NotHereError."""
        try:
            found = self._seen(self.path(name))
        except OSError as error:
            raise NotHereError(f"The run {quoted(name)} cannot be read: {error.strerror or error}.") from error
        if found is None:
            raise NotHereError(f"There is no run {quoted(name)}.")
        return found

    def _row(self, folder: Path, held: Mapping[str, str]) -> dict[str, Any] | None:
        """None for a folder that is no run."""
        try:
            if (seen := self._seen(folder)) is None:
                return None
            if _leads_out(folder):
                return _damaged(folder, _LEADS_OUT)
            if not is_plain_name(folder.name):
                return _damaged(folder, _UNPLAIN)
            row = _told(seen, held)
            with read_as_found(folder):
                if len(json_text(row)) > _LONGEST:
                    raise LedgerError("This run says more of itself than a list can show. Delete its folder.")
        except OSError as error:
            return _damaged(folder, f"This folder cannot be read: {error.strerror or error}.")
        except OhwxError as error:
            return _damaged(folder, str(error))
        return row

    def _seen(self, folder: Path) -> Seen | None:
        """None where there is nothing of a run. Raises OSError for a folder that cannot be looked into."""
        stamp = tuple(_stamp(folder / file) for file in _FILES)
        if not any(stamp):
            return None
        known = self._known.get(folder)
        if known is None or known[0] != stamp:
            changed = max(mtime for mtime, _ in filter(None, stamp)) / 1e9
            known = self._known[folder] = (stamp, _look(folder, changed))
        lost = self._lost.get(folder.name)
        return replace(known[1], error=lost, is_lost=True) if lost else known[1]


def _leads_out(folder: Path) -> bool:
    return folder.is_symlink() and folder.resolve().parent != folder.parent.resolve()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_mtime_ns, stat.st_size


def _stamp_if_any(path: Path) -> tuple[int, int] | None:
    """None too for one that cannot be looked at."""
    try:
        return _stamp(path)
    except OSError:
        return None


def _text_of(folder: Path) -> str:
    """What is searched of a run, case-folded; "" of one that cannot be read."""
    try:
        with read_as_found(folder):
            marks = read_marks(folder).values()
            said = (*(tag for mark in marks for tag in mark.tags), *(mark.note for mark in marks))
            return "\n".join((*words_of_experiment(folder), *said)).casefold()[:_MOST_TEXT]
    except OhwxError:
        return ""


def _look(folder: Path, changed: float) -> Seen:
    asked = read_saved_request(folder)
    reason = asked and asked.error and on_one_line(asked.error[:_ERROR])
    try:
        with read_as_found(folder):
            run = _sound(read_summary(folder))
    except OhwxError as error:
        return Seen(folder=folder, asked=asked, changed=changed, error=reason or str(error))
    return Seen(folder=folder, asked=asked, changed=changed, run=run, error=reason or _failure(run))


def _sound(run: RunSummary) -> RunSummary:
    """Raises TypeError where a value is of another kind than it should: SQLite's columns hold what they are given."""
    texts = all(isinstance(text, str) for text in (run.thumb or "", run.error or "", *(kind for kind, _ in run.axes)))
    if not texts or len(run.thumb or "") > _ERROR or not math.isfinite(run.seconds or 0.0):
        raise TypeError("a value is of another kind than it should be")
    return run


def _failure(run: RunSummary) -> str | None:
    error = run.error and on_one_line(run.error[:_ERROR])
    return f"{counted(run.failed, 'cell')} failed, the first: {error}" if run.failed > 1 else error


def _started(seen: Seen) -> str:
    when = seen.asked.when if seen.asked else ""
    return when[:_WHEN] or datetime.fromtimestamp(seen.changed).astimezone().isoformat(timespec="seconds")


def _damaged(folder: Path, sentence: str) -> dict[str, Any]:
    """The row of a folder that nothing can be done with here; its name as Python writes it, unlike any other's."""
    try:
        changed = folder.lstat().st_mtime
    except OSError:  # gone meanwhile
        changed = 0.0
    row = _told(Seen(folder=folder, asked=None, changed=changed, error=sentence), {})
    return {**row, "id": folder.name if is_plain_name(folder.name) else quoted(folder.name), "page": ""}


def _told(seen: Seen, held: Mapping[str, str]) -> dict[str, Any]:
    name = seen.folder.name
    now = drawing_now()
    now = now if now and now["run"] == name else None
    at, run = f"ohwx/runs/{quote(name, errors='replace')}", seen.run
    cells, done = (run.cells, run.done) if run else (0, 0)
    return {
        "id": name,
        "state": "drawing" if now else held.get(name) or _state(seen),
        "cells": cells,
        "done": now["done"] if now else done,
        "failed": run.failed if run else 0,
        "noted": run.noted if run else 0,
        "percent": now["percent"] if now else min(round(100 * done / cells, 1), 100.0) if cells else 0,
        "seconds_left": now["seconds_left"] if now else _seconds_left(run),
        "now": now["now"] if now else "",
        "started": _started(seen),
        "error": seen.error,
        "elsewhere": seen.is_elsewhere,
        "thumb": run and run.thumb and f"{at}/{quote(run.thumb)}",
        "page": f"{at}/index.html",
        "title": _title(run),
    }


def _seconds_left(run: RunSummary | None) -> float | None:
    left = max(run.cells - run.done, 0) if run else 0
    return round(max(run.seconds, 0.0) * left, 1) if run and run.seconds and left else None


def _state(seen: Seen) -> str:
    run = seen.run
    if run is None or seen.is_lost or (seen.asked and seen.asked.error) or (run.failed and run.failed == run.cells):
        return "failed"
    return "stopped" if run.done < run.cells else "done"


def _title(run: RunSummary | None) -> str:
    sizes = [(count, kind) for kind, count in (run.axes if run else ()) if count > 1 or kind == "checkpoint"]
    return on_one_line(" × ".join(counted_values(kind, count) for count, kind in sizes)[:_TITLE])
