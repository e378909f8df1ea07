"""A run's own record, for programs that follow it: `events.jsonl`, one line for each event, and `state.json`, now."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from ohwx_compare.core.events import Encoding, Event, Learned, Listener, Paused, Saved, Step
from ohwx_compare.errors import OhwxError
from ohwx_compare.files.atomic import is_plain_file, write_text
from ohwx_compare.files.json_file import json_text

__all__ = ["recording", "write_state"]

EVERY = 2.0  # seconds between two heartbeats


@contextmanager
def recording(
    folder: Path, facts: dict[str, Any], listen: Listener, now: Callable[[], float] = time.time
) -> Iterator[Listener]:
    """A listener that writes every event into `folder` (except bare counts), then passes it on to `listen`.

    state.json holds `facts`, the last step, the checkpoints of this sitting, pid, when it started, the time of its last
    heartbeat (seconds since 1970; every two seconds, whatever the training does) and a status: "running", "paused",
    "ended" (stopped or done), "failed" with the error, or "cut off" by something else. Killed, it stays "running" and
    grows old.
    """
    state = {**facts, "status": "running", "pid": os.getpid(), "started": now(), "saved": []}
    turn, over = threading.Lock(), threading.Event()

    def write(**changes: Any) -> None:
        with turn:
            state.update(changes, time=now())
            write_state(folder / "state.json", json_text(state, indent=1) + "\n")

    def beat() -> None:
        while not over.wait(EVERY):
            with suppress(OSError):  # a full disk is told by the training itself
                write()

    def record(event: Event) -> None:
        if not isinstance(event, Step | Encoding):
            line = {"event": type(event).__name__, "time": now(), **asdict(event)}
            lines.write(json_text(line) + "\n")
            lines.flush()
        if isinstance(event, Learned):
            with turn:
                state.update(step=event.step, epoch=event.epoch, loss=event.loss)
        if isinstance(event, Saved):
            write(saved=[*state["saved"], event.path])
        if isinstance(event, Paused):
            write(status="paused" if event.waits else "running")
        listen(event)

    write()
    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    end = {"status": "cut off"}
    try:
        with _appending(folder / "events.jsonl") as lines:
            yield record
        end = {"status": "ended"}
    except OhwxError as error:
        end = {"status": "failed", "error": str(error)}
        raise
    finally:
        over.set()
        heart.join()
        write(**end)


def _appending(path: Path) -> TextIO:
    """The file of events, at its end. Raises OSError for one that is a link, a pipe or a device."""
    if path.exists() and not is_plain_file(path):
        raise OSError(f"{path} is not a regular file; delete it")
    return path.open("a", encoding="utf-8")


def write_state(path: Path, text: str) -> None:
    """Write `path`; on Windows that fails while another process reads it, so it is tried a few times."""
    for _ in range(5):
        try:
            return write_text(path, text)
        except PermissionError:
            time.sleep(0.05)
    return write_text(path, text)
