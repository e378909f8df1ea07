"""What all workers of one run share: what is asked for, what is there, and what the user wants."""

from collections.abc import Callable, Mapping, Sequence

from ohwx_compare.compare.batches import Batch, cost
from ohwx_compare.compare.commit import Commits
from ohwx_compare.compare.drawing import Worker
from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded
from ohwx_compare.compare.loads import Loads
from ohwx_compare.compare.sharing import Sharing
from ohwx_compare.compare.sources import Sources
from ohwx_compare.compare.work import KeysOf
from ohwx_compare.core.events import Started
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.errors import HostError, Interrupted

__all__ = ["SharedRun"]


class SharedRun:
    """What all workers of one run share: what is asked for, what is there, and what the user wants."""

    def __init__(
        self,
        commits: Commits,
        keys: KeysOf,
        plan: Mapping[CheckpointRef, tuple[Checkpoint, Sequence[Batch]]],
        workers: Sequence[Worker],
        interruption: Callable[[], Interruption],
        note: Callable[[Worker], str],
    ):
        """note: what is recorded with each cell that a worker generates; "" for nothing."""
        self.note = note
        self.commits, self.keys, self.plan, self.workers = commits, keys, plan, workers
        self.is_stopping = False
        self.sampled: set[CheckpointRef] = set()  # whose file was only looked at
        self.sources = Sources(commits.ledger)
        self.cells = {ref: [cell for batch in own for cell in batch] for ref, (_, own) in plan.items()}
        known = {
            ref: seems
            for ref, (checkpoint, _) in plan.items()
            if (seems := self.sources.seems(workers[0], ref, checkpoint))
        }
        self.loads = Loads(self.cells, known, keys, commits.shelf)
        self.sharing = Sharing(
            {ref: own for ref, (_, own) in plan.items()}, self._cost, self.loads.may_be_spared, workers
        )
        self._interruption = interruption
        self._files: dict[CheckpointRef, tuple[str, Worker]] = {}  # sha256, and who has such a file

    def announce(self) -> None:
        """Announce the run; what seems to be there is not counted as cost."""
        total = sum(map(len, self.cells.values()))
        steps = sum(map(self._cost, self.cells.values()))
        self.commits.on_event(Started(self.commits.ledger.folder.resolve().name, total, steps))

    def ask(self) -> Interruption:
        """What the user wants now. Raises Interrupted where the run shall stop at once."""
        asked = self._interruption()
        if asked is Interruption.STOP:
            raise Interrupted("Stopped; what is finished is kept.")
        self.is_stopping |= asked is Interruption.FINISH_CELL
        return asked

    def require_same(self, ref: CheckpointRef, loaded: Loaded, worker: Worker) -> None:
        """Raise HostError where `worker` has another file of this name than one before it."""
        sha256, first = self._files.setdefault(ref, (loaded.sha256, worker))
        if sha256 == loaded.sha256:
            return
        if first is not worker:
            name = loaded.checkpoint.name
            raise HostError(
                f"{name} is not the same file everywhere: [{sha256[:10]}] at {first.name}, [{loaded.sha256[:10]}] at "
                f"{worker.name}. Copy one over the other."
            )
        self._files[ref] = loaded.sha256, worker

    def _cost(self, cells: Sequence[Cell]) -> float:
        return cost(tuple(filter(self.loads.is_open, cells)))
