"""What programs outside know of a study that is at work, and how they stop it: files in its folder, as a training has.

`state.json` tells which part it is at and how far that is, the lock whether it lives; a file `stop` ends it after the
current step or pictures.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from ohwx_compare.core.events import Entered, Event, Failed, Image, Learned, Listener, Skipped, Started
from ohwx_compare.errors import ExperimentError, Interrupted, OhwxError
from ohwx_compare.files.json_file import json_text
from ohwx_compare.files.lock import hold
from ohwx_compare.train.outside.child import is_awaited
from ohwx_compare.train.outside.controls import clear
from ohwx_compare.train.run.record import write_state

__all__ = ["StudyRecord", "study_record"]

_PACE = 1.0  # seconds between two writes


class StudyRecord:
    """Writes `state.json` as parts begin and events come, from any thread; made by `study_record`."""

    def __init__(self, folder: Path, parts: int, listen: Listener, now: Callable[[], float] = time.time) -> None:
        self._folder, self._listen, self._now, self._lock = folder, listen, now, Lock()
        self._state: dict[str, Any] = {
            "status": "running", "pid": os.getpid(), "started": now(), "doing": "", "part": 0, "parts": parts,
            "step": 0, "steps": 0,
        }  # fmt: skip
        self._written = 0.0

    def begin(self, doing: str) -> None:
        """The next part begins; `doing` in words."""
        self.write(doing=doing, part=self._state["part"] + 1, step=0, steps=0)

    def __call__(self, event: Event) -> None:
        """Count an event, and pass it on."""
        state = self._state
        with self._lock:
            if isinstance(event, Started):
                state.update(step=0, steps=event.total)
            elif isinstance(event, Entered):
                state.update(step=event.number)
            elif isinstance(event, Learned | Image | Skipped | Failed):
                state.update(step=min(state["step"] + 1, state["steps"]))
        if self._now() - self._written > _PACE:
            self.write()
        self._listen(event)

    def stops(self) -> bool:
        """Whether somebody outside wants it to stop."""
        return (self._folder / "stop").exists()

    def end(self, said: Iterable[str], judged: str) -> None:
        """It is whole. said: the answer's sentences; judged: the comparison that has the page of it, "" for none."""
        self.write(said=list(said), judged=judged)

    def write(self, **changes: Any) -> None:
        """Write the state with `changes`."""
        with self._lock:
            self._state.update(changes, time=self._now())
            self._written = self._now()
            write_state(self._folder / "state.json", json_text(self._state, indent=1) + "\n")


@contextmanager
def study_record(folder: Path, parts: int, listen: Listener) -> Iterator[StudyRecord]:
    """Hold `folder` and tell in it what happens, until the block ends. Raises ExperimentError where it is held."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = hold(folder)
    except BlockingIOError as error:
        raise ExperimentError(
            f"Another experiment is at work in {folder}; wait for it, or choose another folder."
        ) from error
    except OSError as error:
        raise ExperimentError(f"{folder} cannot be used ({error.strerror or error}); choose another folder.") from error
    with closing(held):
        if not is_awaited(folder):  # whoever awaits it cleared them, and may have asked since
            clear(folder)
        record = StudyRecord(folder, parts, listen)
        record.write()
        end: dict[str, str] = {"status": "cut off"}
        try:
            yield record
            end = {"status": "ended"}
        except Interrupted:
            end = {"status": "ended"}
            clear(folder)
            raise
        except OhwxError as error:
            end = {"status": "failed", "error": str(error)}
            raise
        finally:
            record.write(**end)
