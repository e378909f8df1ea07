"""Which batches a worker generates next, where several share a run.

A worker stays with the checkpoint that it has loaded, batch by batch, so a fast one takes more of them. Then it takes
the next checkpoint that nobody has begun, and at last helps with one that others have, where that ends sooner: with R
seconds of work left for k workers and L seconds to load, (R + L) / (k + 1) < R / k, so L < R / k.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ohwx_compare.compare.batches import Batch
from ohwx_compare.compare.drawing import Worker
from ohwx_compare.core.experiment.axes import CheckpointRef

__all__ = ["Sharing"]


@dataclass
class _Pace:
    """How fast workers are, as measured."""

    cost: float = 0.0
    seconds: float = 0.0
    loads: int = 0
    loading: float = 0.0  # seconds

    def drew(self, cost: float, seconds: float) -> None:
        self.cost, self.seconds = self.cost + cost, self.seconds + seconds

    def loaded(self, seconds: float) -> None:
        self.loads, self.loading = self.loads + 1, self.loading + seconds

    @property
    def a_step(self) -> float | None:
        """Seconds of one sampling step."""
        return self.seconds / self.cost if self.cost else None

    @property
    def a_load(self) -> float | None:
        """Seconds of loading a checkpoint."""
        return self.loading / self.loads if self.loads else None


class Sharing:
    """The batches of one run that nobody has in hand. Any thread may ask."""

    def __init__(
        self,
        plan: Mapping[CheckpointRef, Sequence[Batch]],
        cost_of: Callable[[Batch], float],
        may_be_spared: Callable[[CheckpointRef], bool],
        workers: Sequence[Worker],
    ):
        """plan: in the order of generation. cost_of: sampling steps that a batch still takes.

        may_be_spared: whether a checkpoint may need no loading.
        """
        self._left = {ref: deque((batch, cost_of(batch)) for batch in own) for ref, own in plan.items()}
        self._cost = {ref: sum(cost for _, cost in own) for ref, own in self._left.items()}
        self._may_be_spared = may_be_spared
        self._present = list(workers)
        self._at: dict[Worker, CheckpointRef] = {}  # who has batches of which in hand
        self._next: dict[Worker, CheckpointRef] = {}  # who was told to expect which
        self._refused: set[tuple[Worker, CheckpointRef]] = set()
        self._all, self._paces = _Pace(), {worker: _Pace() for worker in workers}
        self._is_stopped = False
        self._turn = threading.Condition()

    def next(self, worker: Worker) -> CheckpointRef | None:
        """The checkpoint that `worker`, which has nothing in hand, takes batches of.

        Waits while others may still give something back; None where nothing comes any more.
        """
        with self._turn:
            self._at.pop(worker, None)
            self._turn.notify_all()
            while not self._is_stopped and worker in self._present:
                ref = self._choice(worker)
                if ref is not None:
                    self._at[worker] = ref
                    self._next.pop(worker, None)
                    return ref
                if not self._at:
                    return None
                self._turn.wait()
            return None

    def batches(self, ref: CheckpointRef) -> Iterator[Batch]:
        """Those of a checkpoint that are left, each for who takes it."""
        while batch := self._take(ref):
            yield batch

    def following(self, worker: Worker) -> CheckpointRef | None:
        """The checkpoint that `worker` will load after the one it has, as far as that can be told."""
        with self._turn:
            begun = {*self._at.values(), *(ref for one, ref in self._next.items() if one is not worker)}
            open_ = (ref for ref in self._open(worker) if ref not in begun and not self._may_be_spared(ref))
            following = next(open_, None)
            if following:
                self._next[worker] = following
            return following

    def give_back(self, ref: CheckpointRef, batches: Sequence[Batch]) -> None:
        """Whoever had `batches` in hand cannot finish them."""
        with self._turn:
            self._left[ref].extendleft((batch, 0.0) for batch in reversed(batches))
            self._turn.notify_all()

    def refuse(self, worker: Worker, ref: CheckpointRef) -> bool:
        """`worker` cannot use a checkpoint. Returns whether another one may."""
        with self._turn:
            self._refused.add((worker, ref))
            self._turn.notify_all()
            return any((other, ref) not in self._refused for other in self._present)

    def leave(self, worker: Worker) -> None:
        """`worker` is gone."""
        with self._turn:
            self._present.remove(worker)
            self._at.pop(worker, None)
            self._next.pop(worker, None)
            for ref in self._left:
                if all((other, ref) in self._refused for other in self._present):
                    self._refused -= {(other, ref) for other in self._present}  # who is left says why it cannot
            self._turn.notify_all()

    def join(self, worker: Worker) -> None:
        """`worker` is there again."""
        with self._turn:
            self._present.append(worker)

    def is_needed(self, seconds: float) -> bool:
        """Whether, after so many seconds, one more worker could take something off those that are there."""
        with self._turn:
            self._turn.wait_for(self._is_over, seconds)
            return not self._is_over()

    def stop(self) -> None:
        """Give nothing out any more."""
        with self._turn:
            self._is_stopped = True
            self._turn.notify_all()

    @property
    def is_finished(self) -> bool:
        """Whether every batch was taken and none given back."""
        with self._turn:
            return not any(self._left.values())

    def drew(self, worker: Worker, cost: float, seconds: float) -> None:
        """`worker` took so long for so many sampling steps."""
        with self._turn:
            for pace in (self._paces[worker], self._all):
                pace.drew(cost, seconds)

    def loaded(self, worker: Worker, seconds: float) -> None:
        """`worker` took so long to load a checkpoint."""
        with self._turn:
            for pace in (self._paces[worker], self._all):
                pace.loaded(seconds)

    def _take(self, ref: CheckpointRef) -> Batch | None:
        with self._turn:
            if self._is_stopped or not self._left[ref]:
                return None
            batch, cost = self._left[ref].popleft()
            self._cost[ref] -= cost
            return batch

    def _open(self, worker: Worker) -> Iterator[CheckpointRef]:
        return (ref for ref, left in self._left.items() if left and (worker, ref) not in self._refused)

    def _choice(self, worker: Worker) -> CheckpointRef | None:
        at, others = [*self._at.values()], {ref for one, ref in self._next.items() if one is not worker}
        open_ = [*self._open(worker)]
        free = [ref for ref in open_ if ref not in at]
        if free:
            own = self._next.get(worker)
            return own if own in free else next((ref for ref in free if ref not in others), free[0])
        if not open_:
            return None
        most = max(open_, key=lambda ref: self._cost[ref] / at.count(ref))
        return most if self._pays(worker, most, at.count(most)) else None

    def _pays(self, worker: Worker, ref: CheckpointRef, count: int) -> bool:
        own = self._paces[worker]
        a_step, a_load = own.a_step or self._all.a_step, own.a_load or self._all.a_load
        return a_step is None or a_load is None or self._cost[ref] * a_step / count > a_load

    def _is_over(self) -> bool:
        return self._is_stopped or not self._present or not (any(self._left.values()) or self._at)
