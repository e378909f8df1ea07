"""A progress bar with the time left, on stderr; one line for each finished cell where stderr is not a terminal.

The time left counts sampling steps, not cells, so it holds for a run whose cells differ in cost too. A file that is
read for its hash, which may happen beside, stands before the label with a time of its own.
"""

import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from ohwx_compare.cli.streams import printable
from ohwx_compare.core.events import (
    Adopted,
    Adopting,
    Encoding,
    Entered,
    Event,
    Failed,
    Hashing,
    Image,
    Learned,
    Missed,
    Saved,
    Skipped,
    Started,
    Step,
    Told,
)

__all__ = ["Bar", "clock"]


def clock(seconds: float) -> str:
    """`seconds` as people write them: 42 s, 3:07 min, 2:05 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


class Bar:
    """A listener of core.events that draws, for any thread; `close` leaves the cursor on a fresh line."""

    def __init__(self, stream: TextIO | None = None, now: Callable[[], float] = time.monotonic):
        self.stream = stream or sys.stderr
        self.now = now
        self.is_live = self.stream.isatty()
        self.total, self.cost = 0, 0.0
        self.done, self.cost_done = 0, 0.0
        self.started = now()
        self.label = self.hashing = ""
        self.hashing_since = 0.0
        self.drawn = False
        self.guard = threading.RLock()  # Ctrl-C may speak in the middle of an event

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with self.guard:
            self.take(event)

    def take(self, event: Event) -> None:
        """Take one event, of one thread at a time."""
        if isinstance(event, Started):
            self.total, self.cost, self.label = event.total, event.cost, event.what
            self.done, self.cost_done, self.started = 0, 0.0, self.now()
        elif isinstance(event, Entered):
            self.done, self.label = event.number, event.what
            if not self.is_live:
                self.say(f"{self.done}/{self.total}  {self.label}{self._left()}")
        elif isinstance(event, Step):
            self.cost_done += event.count
        elif isinstance(event, Image | Skipped | Failed):
            self.done, self.label = self.done + 1, event.label
            if not self.is_live or isinstance(event, Failed):
                self.say(self.line_of(event))
        elif isinstance(event, Hashing):
            self.hash(event)
        elif isinstance(event, Learned):
            self.done, self.label = self.done + 1, f"loss {event.loss:.4f}"
        elif isinstance(event, Saved):
            self.say(f"saved {event.path}")
        elif isinstance(event, Adopting):
            self.label = event.words
        elif isinstance(event, Encoding):
            self.encode(event)
        elif isinstance(event, Adopted | Told):
            self.say(event.words)
        elif isinstance(event, Missed):
            self.say(f"step {event.step}: the {event.what} failed: {event.error}")
        if self.is_live:
            self.draw()

    def line_of(self, event: Image | Skipped | Failed) -> str:
        """One line about one finished cell."""
        what = {Image: "outcome", Skipped: "reason", Failed: "error"}[type(event)]
        tail = self._left() if self.done < self.total else ""
        return f"{self.done}/{self.total}  {event.label}: {getattr(event, what)}{tail}"

    def hash(self, event: Hashing) -> None:
        """Tell that a file is read for its hash, and on a terminal how far."""
        if event.done == 0:
            self.hashing_since = self.now()
            if not self.is_live:
                self.say(f"reading {event.file} for its hash ({event.total / 1e9:.1f} GB)")
        left = (self.now() - self.hashing_since) * (event.total - event.done) / event.done if event.done else None
        share = f"{100 * event.done // event.total} %" + ("" if left is None else f", {clock(left)} left")
        self.hashing = "" if event.done >= event.total else f"hashing {event.file}: {share}  "

    def encode(self, event: Encoding) -> None:
        """Tell how many pictures a training has ready, at the end as a line."""
        if event.done == 1:
            self.encoding_since = self.now()
        left = (self.now() - self.encoding_since) * (event.total - event.done) / event.done
        self.label = f"{event.words}, {clock(left)} left"
        if event.done == event.total:
            self.say(event.words)

    def seconds_left(self) -> float | None:
        """Seconds to the end at the pace so far; None before the first step."""
        if not self.cost_done or not self.cost:
            return None
        return (self.now() - self.started) * max(self.cost - self.cost_done, 0.0) / self.cost_done

    def _left(self) -> str:
        left = self.seconds_left()
        return "" if left is None else f"  ({clock(left)} left)"

    def draw(self) -> None:
        """Draw the bar over itself."""
        share = min(self.cost_done / self.cost, 1.0) if self.cost else 0.0
        left = self.seconds_left()
        wanted = clock(left) + " left" if left is not None else ""
        head = f"{'█' * round(share * 24):<24} {self.done}/{self.total}  {wanted:<12}"
        label = printable(self.hashing + self.label)
        width = shutil.get_terminal_size().columns - 1
        self.stream.write("\r" + f"{head} {label}"[:width].ljust(width))
        self.stream.flush()
        self.drawn = True

    def say(self, line: str) -> None:
        """Write a line that stays."""
        if self.drawn:  # blanks, no escape codes: Windows may print them
            self.stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1))
        self.stream.write(("\r" if self.drawn else "") + printable(line) + "\n")
        self.stream.flush()
        self.drawn = False

    def close(self) -> None:
        """End the bar's line."""
        if self.drawn:
            self.stream.write("\n")
            self.stream.flush()
            self.drawn = False
