"""The tab's work for the webui's one GPU: one job after the other, each in turn with the webui's own jobs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from modules import progress, shared
from modules.call_queue import queue_lock

from ohwx_compare.hosts.webui import features

__all__ = ["Queue"]

Work = Callable[[], None]


@dataclass(frozen=True)
class _Piece:
    name: str
    work: Work
    on_error: Callable[[Exception], None]

    @property
    def task(self) -> str:
        """The webui's way to name a job: those that wait behind it see it in their place in the queue."""
        return f"task(ohwx-{self.name})"


class Queue:
    """Jobs by name, done by one thread that takes the webui's queue lock as its own jobs do.

    An Interrupt ends the current job and leaves those that wait. Nothing is kept: after a restart the run folders
    tell what is not finished.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[str, _Piece] = {}
        self._in_hand: str | None = None
        self._is_working = self._is_closed = False

    def add(self, name: str, work: Work, on_error: Callable[[Exception], None]) -> None:
        """Queue `work`; one of that name that waits already keeps its place."""
        piece = _Piece(name, work, on_error)
        with self._guard:
            if self._is_closed or name in self._waiting:
                return
            self._waiting[name] = piece
            progress.add_task_to_queue(piece.task)
            if not self._is_working:
                self._is_working = True
                threading.Thread(target=self._work, name="ohwx compare", daemon=True).start()

    def drop(self, name: str) -> bool:
        """Remove `name` from those that wait; False where it does not wait."""
        with self._guard:
            piece = self._waiting.pop(name, None)
        if piece:
            progress.finish_task(piece.task)
            progress.pending_tasks.pop(piece.task, None)
        return piece is not None

    def close(self) -> None:
        """Start nothing more: "Reload UI" makes another queue."""
        with self._guard:
            self._is_closed = True
            names = list(self._waiting)
        for name in names:
            self.drop(name)

    @property
    def waiting(self) -> list[str]:
        """Names in their order."""
        with self._guard:
            return list(self._waiting)

    @property
    def in_hand(self) -> str | None:
        """The name of what is done right now; an Interrupt pressed from now on is not cleared by its beginning."""
        with self._guard:
            return self._in_hand

    def _work(self) -> None:
        try:
            while self._has_more():
                self._do_next()
        finally:
            with self._guard:
                self._is_working = False  # whatever ended this thread, the next job starts another

    def _do_next(self) -> None:
        """The boundary of the worker thread: the next job is done, whatever became of this one."""
        try:
            with queue_lock:
                if piece := self._take():
                    self._do(piece)
        except Exception:  # noqa: BLE001  a full disk where the reason was to be written down, a GPU that is lost
            features.report("ohwx compare: a job could not be ended")

    def _has_more(self) -> bool:
        with self._guard:
            self._is_working = bool(self._waiting)
            return self._is_working

    def _take(self) -> _Piece | None:
        """The next job; None where all were dropped while another job held the lock."""
        with self._guard:
            name = next(iter(self._waiting), None)
            return self._waiting.pop(name) if name is not None else None

    def _do(self, piece: _Piece) -> None:
        try:
            with self._guard:
                self._in_hand = piece.name
                shared.state.begin(job=piece.task)
            progress.start_task(piece.task)
            piece.work()
        except Exception as error:  # noqa: BLE001  the boundary of a job
            piece.on_error(error)
        finally:
            with self._guard:
                self._in_hand = None
            progress.finish_task(piece.task)
            shared.state.end()
            shared.state.textinfo = None
            features.clear_bars()
