"""The list of runs, read from their folders: the folders are the truth, and only what changed is read again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import NotHereError, OhwxError
from ohwx_compare.files.ledger import Run, open_run
from ohwx_compare.hosts.webui.request.progress import drawing_now
from ohwx_compare.hosts.webui.request.record import SavedRequest, read_saved_request
from ohwx_compare.hosts.webui.tab.files import inside
from ohwx_compare.words import counted

__all__ = ["Runs", "Seen"]

_FILES = ("run.sqlite", "request.json")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a run folder holds, in short."""

    folder: Path
    asked: SavedRequest | None
    changed: float  # seconds since 1970
    experiment: Experiment | None = None  # None where the ledger cannot be read
    cells: int = 0
    done: int = 0  # drawn or failed
    failed: int = 0
    seconds: float | None = None  # a cell, the mean of those drawn
    thumb: str | None = None  # relative to the folder
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
        seen = self.seen(name)
        experiment = seen.experiment.to_dict() if seen.experiment else None
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
        run = open_run(folder)
    except OhwxError as error:
        return Seen(folder=folder, asked=asked, changed=changed, error=(asked and asked.error) or str(error))
    outcomes = [cell.result.outcome for cell in run.cells]
    seconds = [cell.result.seconds for cell in run.cells if cell.result.seconds is not None]
    return Seen(
        folder=folder,
        asked=asked,
        changed=changed,
        experiment=run.experiment,
        cells=len(outcomes),
        done=len(outcomes) - outcomes.count(Outcome.PENDING),
        failed=outcomes.count(Outcome.FAILED),
        seconds=sum(seconds) / len(seconds) if seconds else None,
        thumb=next((cell.result.thumb for cell in run.cells if cell.result.thumb), None),
        error=(asked and asked.error) or _first_failure(run),
    )


def _first_failure(run: Run) -> str | None:
    errors = [cell.result.error for cell in run.cells if cell.result.error]
    if len(errors) > 1:
        return f"{counted(len(errors), 'cell')} failed, the first: {errors[0]}"
    return errors[0] if errors else None


def _started(seen: Seen) -> str:
    when = seen.asked.when if seen.asked else None
    return when or datetime.fromtimestamp(seen.changed).astimezone().isoformat(timespec="seconds")


def _told(seen: Seen, waiting: Sequence[str]) -> dict[str, Any]:
    name = seen.folder.name
    now = drawing_now()
    now = now if now and now["run"] == name else None
    at = f"ohwx/runs/{quote(name)}"
    left = seen.cells - seen.done
    return {
        "id": name,
        "state": "drawing" if now else _state(seen, is_waiting=name in waiting),
        "cells": seen.cells,
        "done": now["done"] if now else seen.done,
        "failed": seen.failed,
        "percent": now["percent"] if now else round(100 * seen.done / seen.cells, 1) if seen.cells else 0,
        "seconds_left": now["seconds_left"]
        if now
        else round(seen.seconds * left, 1)
        if seen.seconds and left
        else None,
        "now": now["now"] if now else "",
        "started": _started(seen),
        "error": seen.error,
        "thumb": seen.thumb and f"{at}/{quote(seen.thumb)}",
        "page": f"{at}/index.html",
        "title": _title(seen.experiment),
    }


def _state(seen: Seen, *, is_waiting: bool) -> str:
    if is_waiting:
        return "queued"
    if seen.experiment is None or (seen.asked and seen.asked.error) or (seen.failed and seen.failed == seen.cells):
        return "failed"
    return "stopped" if seen.done < seen.cells else "done"


def _title(experiment: Experiment | None) -> str:
    axes = experiment.axes if experiment else ()
    sizes = [(len(axis.values), axis.kind) for axis in axes if len(axis.values) > 1 or axis.kind == "checkpoint"]
    return " × ".join(f"{count} {kind}{'s' if count > 1 and not kind.endswith('s') else ''}" for count, kind in sizes)
