"""What a route is asked and what it answers, without the details of HTTP; and what one request may cost."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ohwx_compare.errors import ExperimentError, Interrupted
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import quoted

__all__ = ["Allowance", "Handler", "HttpRequest", "Turn"]

_MOST_LOOKS = 1_000_000  # files and folders
_LONGEST = 600.0  # seconds
_PATIENCE = 30.0  # seconds for which a job waits for the one before


class Allowance:
    """What one request may cost: called for each file that is looked at, it raises where the work shall end.

    Raises Interrupted where nobody waits for the answer any more, ExperimentError where it is too much.
    """

    def __init__(self) -> None:
        self._gone = threading.Event()
        self._looks, self._end = 0, time.monotonic() + _LONGEST

    def leave(self) -> None:
        """Nobody waits for the answer any more."""
        self._gone.set()

    def __call__(self) -> None:
        self._looks += 1
        if self._gone.is_set():
            raise Interrupted("Nobody waits for this answer any more.")
        if self._looks > _MOST_LOOKS:
            raise ExperimentError(f"This folder holds over {_MOST_LOOKS:,} files; choose one of the folders in it.")
        if time.monotonic() > self._end:
            raise ExperimentError(f"This takes over {_LONGEST / 60:.0f} minutes; choose a smaller folder.")


@dataclass(frozen=True)
class HttpRequest:
    """One request as the answering functions see it."""

    path: Mapping[str, str]  # the route's own parameters, percent-decoded
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    check: Allowance = field(default_factory=Allowance)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ExperimentError."""
        try:
            data = decode_json(self.body)
        except ValueError as error:
            raise ExperimentError(f"The request is not JSON: {error}.") from error
        if not isinstance(data, dict):
            raise ExperimentError(f"The request must be a JSON object, got {quoted(data)}.")
        return data


Handler = Callable[[HttpRequest], Any]  # JSON values, or a whole Response


class Turn:
    """One job at a time of those that read whole folders."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, check: Callable[[], None]) -> Iterator[None]:
        """Wait for the job before, for a while. Raises what `check` raises, ExperimentError where it takes too long."""
        end = time.monotonic() + _PATIENCE
        while not self._lock.acquire(timeout=0.05):
            check()
            if time.monotonic() > end:
                raise ExperimentError("The webui is reading another folder. Try again when that is done.")
        try:
            yield
        finally:
            self._lock.release()
