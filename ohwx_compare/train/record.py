"""A run's own account, for whoever follows it from outside: `events.jsonl`, a line an event, and `state.json`, now."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ohwx_compare.core.events import Event, Learned, Listener, Saved, Step
from ohwx_compare.errors import OhwxError
from ohwx_compare.files.atomic import write_text

__all__ = ["recording"]

EVERY = 2.0  # seconds between two writings of state.json


@contextmanager
def recording(
    folder: Path, facts: dict[str, Any], listen: Listener, now: Callable[[], float] = time.time
) -> Iterator[Listener]:
    """A listener that writes every event into `folder` (but for bare counts), then passes it on to `listen`.

    state.json holds `facts`, the last step, the checkpoints of this sitting, pid, time (seconds since 1970) and a
    status: "running", "ended" (stopped or done), "failed" with the error, or "cut off" by something else. Killed, it
    stays "running" and grows old.
    """
    state = {**facts, "status": "running", "pid": os.getpid(), "started": now(), "saved": []}
    written = 0.0

    def write() -> None:
        nonlocal written
        written = state["time"] = now()
        write_text(folder / "state.json", json.dumps(state, ensure_ascii=False, indent=1) + "\n")

    with (folder / "events.jsonl").open("a", encoding="utf-8") as lines:

        def record(event: Event) -> None:
            if not isinstance(event, Step):
                line = {"event": type(event).__name__, "time": now(), **asdict(event)}
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
                lines.flush()
            if isinstance(event, Learned):
                state.update(step=event.step, epoch=event.epoch, loss=event.loss)
            if isinstance(event, Saved):
                state["saved"].append(event.path)
            if isinstance(event, Saved) or now() - written >= EVERY:
                write()
            listen(event)

        write()
        try:
            yield record
            state["status"] = "ended"
        except OhwxError as error:
            state.update(status="failed", error=str(error))
            raise
        finally:
            if state["status"] == "running":
                state["status"] = "cut off"
            write()
