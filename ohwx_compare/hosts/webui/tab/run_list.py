"""The list of runs, read from their folders: the folders are the truth, and only what changed is read again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ohwx_compare.errors import NotHereError, OhwxError
from ohwx_compare.files.ledger.reader import RunSummary, experiment_in, read_summary
from ohwx_compare.hosts.webui.request.progress import drawing_now
from ohwx_compare.hosts.webui.request.record import SavedRequest, read_saved_request
from ohwx_compare.hosts.webui.tab.files import inside
from ohwx_compare.look.board import counted_values
from ohwx_compare.words import counted

__all__ = ["Runs", "Seen"]

_FILES = ("run.sqlite", "request.json")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a run folder holds, in short."""

    folder: Path
    asked: SavedRequest | None
    changed: float  # seconds since 1970
    run: RunSummary | None = None  # None where the ledger cannot be read
    error: str | None = None  # why it cannot be read, or its first failed cell's reason


class Runs:
    """The run folders below the webui's folder of runs."""

    def __init__(self, folder: Callable[[], Path]):
        """folder: asked each time, since it is a setting."""
        self._folder = folder
        self._known: dict[Path, tuple[tuple[object, ...], Seen]] = {}

    def path(self, name: str) -> Path:
        """The folder of a run. Raises NotHereError for everything else."""
        if "/" in name:
            raise NotHereError(f"There is no run {name[:80]!r}.")
        found = inside(self._folder(), name)
        if not any((found / file).is_file() for file in _FILES):
            raise NotHereError(f"There is no run {name[:80]!r}.")
        return found

    def all(self, waiting: Sequence[str]) -> list[dict[str, Any]]:
        """Every run as `one` tells it, the newest first, without its experiment."""
        try:
            folders = [path for path in self._folder().iterdir() if not path.name.startswith(".")]
        except OSError:  # no run yet
            return []
        seen = [found for path in folders if (found := self._seen(path))]
        seen.sort(key=lambda one: (_started(one), one.folder.name), reverse=True)
        return [_told(one, waiting) for one in seen]

    def one(self, name: str, waiting: Sequence[str]) -> dict[str, Any]:
        """A run as JSON values. waiting: names of the runs that are queued. Raises NotHereError."""
        seen, experiment = self.seen(name), None
        try:
            experiment = experiment_in(seen.folder).to_dict() if seen.run else None
        except OhwxError as error:
            seen = replace(seen, run=None, error=str(error))
        return {**_told(seen, waiting), "experiment": experiment, "request": seen.asked and seen.asked.request}

    def seen(self, name: str) -> Seen:
        """What is known of a run. Raises NotHereError."""
        found = self._seen(self.path(name))
        if found is None:
            raise NotHereError(f"There is no run {name[:80]!r}.")
        return found

    def _seen(self, folder: Path) -> Seen | None:
        stamp = tuple(_stamp(folder / file) for file in _FILES)
        if not any(stamp):
            return None
        known = self._known.get(folder)
        if known is None or known[0] != stamp:
            changed = max(mtime for mtime, _ in filter(None, stamp)) / 1e9
            known = self._known[folder] = (stamp, _look(folder, changed))
        return known[1]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _look(folder: Path, changed: float) -> Seen:
    asked = read_saved_request(folder)
    try:
        run = read_summary(folder)
    except OhwxError as error:
        return Seen(folder=folder, asked=asked, changed=changed, error=(asked and asked.error) or str(error))
    return Seen(folder=folder, asked=asked, changed=changed, run=run, error=(asked and asked.error) or _failure(run))


def _failure(run: RunSummary) -> str | None:
    return f"{counted(run.failed, 'cell')} failed, the first: {run.error}" if run.failed > 1 else run.error


def _started(seen: Seen) -> str:
    when = seen.asked.when if seen.asked else None
    return when or datetime.fromtimestamp(seen.changed).astimezone().isoformat(timespec="seconds")


def _told(seen: Seen, waiting: Sequence[str]) -> dict[str, Any]:
    name = seen.folder.name
    now = drawing_now()
    now = now if now and now["run"] == name else None
    at, run = f"ohwx/runs/{quote(name)}", seen.run
    cells, done = (run.cells, run.done) if run else (0, 0)
    return {
        "id": name,
        "state": "drawing" if now else _state(seen, is_waiting=name in waiting),
        "cells": cells,
        "done": now["done"] if now else done,
        "failed": run.failed if run else 0,
        "percent": now["percent"] if now else round(100 * done / cells, 1) if cells else 0,
        "seconds_left": now["seconds_left"] if now else _seconds_left(run),
        "now": now["now"] if now else "",
        "started": _started(seen),
        "error": seen.error,
        "thumb": run and run.thumb and f"{at}/{quote(run.thumb)}",
        "page": f"{at}/index.html",
        "title": _title(run),
    }


def _seconds_left(run: RunSummary | None) -> float | None:
    left = run.cells - run.done if run else 0
    return round(run.seconds * left, 1) if run and run.seconds and left else None


def _state(seen: Seen, *, is_waiting: bool) -> str:
    run = seen.run
    if is_waiting:
        return "queued"
    if run is None or (seen.asked and seen.asked.error) or (run.failed and run.failed == run.cells):
        return "failed"
    return "stopped" if run.done < run.cells else "done"


def _title(run: RunSummary | None) -> str:
    sizes = [(count, kind) for kind, count in (run.axes if run else ()) if count > 1 or kind == "checkpoint"]
    return " × ".join(counted_values(kind, count) for count, kind in sizes)
