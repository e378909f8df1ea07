"""How far the current run is, for the webui's own progress bar and for the tab."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modules import shared

from ohwx_compare.core.events import Adopting, Event, Failed, Hashing, Image, Skipped, Started, Step
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.words import counted

__all__ = ["RunProgress", "drawing_now"]

_PLACE = "ohwx_drawing"  # on the webui's `shared`: it outlives "Reload UI", which imports this package anew


class RunProgress:
    """A listener to one run's events, entered while it runs. Only one runs at a time: it holds the queue lock."""

    def __init__(self, run: str, cells: Sequence[Cell], now: Callable[[], float] = time.monotonic):
        self._run, self._cells, self._now = run, cells, now
        self._cost = self._cost_done = 0.0
        self._done = self._failed = 0
        self._started = now()
        self._hashing, self._hashing_since = "", 0.0
        self.drawn: list[int] = []  # numbers of the cells drawn just now

    def __enter__(self) -> "RunProgress":
        self._publish()
        return self

    def __exit__(self, *error: object) -> None:
        setattr(shared, _PLACE, None)

    def __call__(self, event: Event) -> None:
        """Take one event: every cell is one of the webui's jobs, every tab of its face pass one more."""
        if isinstance(event, Started):
            self._cost, self._started = event.cost, self._now()
            shared.state.job_count = sum(1 + len(cell.faces) for cell in self._cells)
        elif isinstance(event, Step):
            self._cost_done += event.count
        elif isinstance(event, Hashing):
            self._hash(event)
        elif isinstance(event, Adopting):
            shared.state.textinfo = event.words
        elif isinstance(event, Image | Skipped | Failed):
            self._done += 1
            self._failed += isinstance(event, Failed)
            self.drawn += [event.number] if isinstance(event, Image) else []
            shared.state.textinfo = f"{event.number} of {counted(len(self._cells), 'cell')}: {event.label}"
        self._publish()

    def _hash(self, event: Hashing) -> None:
        """A file is read for its hash, perhaps by another thread, while pictures are generated."""
        if event.done == 0:
            self._hashing_since = self._now()
        left = (self._now() - self._hashing_since) * (event.total - event.done) / event.done if event.done else None
        share = f"{100 * event.done // event.total} %" + ("" if left is None else f", {round(left)} s left")
        self._hashing = "" if event.done >= event.total else f"hashing {event.file}: {share}"
        if self._hashing:
            shared.state.textinfo = self._hashing

    def _publish(self) -> None:
        """Plain values only: their reader may be another version of this package."""
        told = {"run": self._run, "done": self._done, "now": self._words(), "seconds_left": self._seconds_left()}
        share = self._cost_done / self._cost if self._cost else self._done / len(self._cells)
        setattr(shared, _PLACE, {**told, "percent": round(100 * min(share, 1.0), 1)})

    def _words(self) -> str:
        if self._done >= len(self._cells):
            return "sheet and page"
        cell = f"{self._done + 1} of {len(self._cells)}: {self._cells[self._done].label}"
        return f"{cell}; {self._hashing}" if self._hashing else cell

    def _seconds_left(self) -> float | None:
        """At the pace so far, which counts sampling steps; None before the first."""
        if not (self._cost and self._cost_done):
            return None
        left = max(self._cost - self._cost_done, 0.0)
        return round((self._now() - self._started) * left / self._cost_done, 1)


def drawing_now() -> Mapping[str, Any] | None:
    """`run` (folder name), `done`, `percent`, `seconds_left`, `now` (words) of the run in hand; None without one."""
    return vars(shared).get(_PLACE)
