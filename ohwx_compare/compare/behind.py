"""Writing behind: on a thread of its own, in the order of handing over, while the next batch is generated."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from ohwx_compare.compare.host import Loaded
from ohwx_compare.core.events import Event, Listener
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.errors import Interrupted, LedgerError

__all__ = ["MOST", "Behind", "BehindBatch", "one_at_a_time"]

MOST = 2  # batches that wait while one is generated: so memory is bounded, and so is what a kill loses


@dataclass(eq=False)
class BehindBatch:
    """What is to be written of one batch; after an error of its own the rest of it is left."""

    loaded: Loaded
    size: int  # cells that it was generated for
    cells: list[Cell] = field(default_factory=list)  # to be committed
    committed: set[int] = field(default_factory=set)  # their numbers
    keys: set[str] = field(default_factory=set)  # of its pictures
    parts: list["Future[None]"] = field(default_factory=list)
    error: Exception | None = None
    is_whole: bool = False  # nothing more of it comes


class Behind:
    """The writer of one run. A context manager: at its end all is written, also where the block raised.

    One thread hands over. An error that ends a run (LedgerError) is raised there at its next look, and
    nothing is written after it. A batch that met another is given back by `failed`.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write behind")
        self._batches: deque[BehindBatch] = deque()
        self._failed: list[BehindBatch] = []
        self._fatal: BaseException | None = None

    def __enter__(self) -> "Behind":
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(wait=True)
        self._raise()

    @contextmanager
    def batch(self, loaded: Loaded, size: int) -> Iterator[BehindBatch]:
        """A further batch of `size` cells, as soon as at most `MOST` wait. Raises LedgerError."""
        self._forget()
        while len(self._batches) > MOST:
            self._wait_for(self._batches[0])
        batch = BehindBatch(loaded, size)
        self._batches.append(batch)
        try:
            yield batch
        finally:
            batch.is_whole = True

    def hand(self, batch: BehindBatch, work: Callable[[], None], *, key: str = "", cell: Cell | None = None) -> None:
        """Have `work` done after all that was handed over before; it writes the picture of `key` or commits `cell`."""
        batch.keys |= {key} - {""}
        batch.cells += [cell] if cell else []
        batch.parts.append(self._thread.submit(self._do, batch, work, cell))

    def settle(self, keys: Collection[str] | None = None) -> None:
        """Return when all is written; at once where `keys` are given and no picture of theirs waits.

        Raises LedgerError.
        """
        self._forget()
        if keys is None or any(not batch.keys.isdisjoint(keys) for batch in self._batches):
            for batch in list(self._batches):
                self._wait_for(batch)

    def failed(self) -> list[BehindBatch]:
        """The batches that met an error since the last look and are through. Raises LedgerError."""
        self._forget()
        found, self._failed = self._failed, []
        return found

    def _wait_for(self, batch: BehindBatch) -> None:
        wait(batch.parts)
        self._forget()

    def _forget(self) -> None:
        """Leave the batches that are through."""
        self._raise()
        through = [b for b in self._batches if b.is_whole and all(part.done() for part in b.parts)]
        self._failed += [batch for batch in through if len(batch.committed) < len(batch.cells)]
        self._batches = deque(batch for batch in self._batches if batch not in through)

    def _do(self, batch: BehindBatch, work: Callable[[], None], cell: Cell | None) -> None:
        if self._fatal or batch.error:
            return
        try:
            work()
        except BaseException as error:  # noqa: BLE001  the boundary of a cell, and of this thread
            if isinstance(error, Exception) and not isinstance(error, LedgerError | Interrupted):
                batch.error = error
            else:
                self._fatal = error
        else:
            if cell:
                batch.committed.add(cell.number)

    def _raise(self) -> None:
        if self._fatal:
            raise self._fatal


def one_at_a_time(listener: Listener) -> Listener:
    """`listener`, told by several threads in turns."""
    turn = threading.Lock()

    def tell(event: Event) -> None:
        with turn:
            listener(event)

    return tell
