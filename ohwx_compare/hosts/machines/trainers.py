"""Workers that train, one recipe each; what they write is brought here where no disk is shared."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ohwx_compare.compare.station import Ask
from ohwx_compare.core.events import Listener, Told
from ohwx_compare.errors import HostError, OhwxError, TrainingError, WorkerGoneError
from ohwx_compare.files.atomic import write_stream
from ohwx_compare.hosts.machines.training_station import run_of
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.run.loop import TrainingResult

__all__ = ["DistantTrainer", "Trainers"]

_LOOK = 0.2  # s between two questions for news


class DistantTrainer:
    """Asks a `TrainingStation`; whatever it is asked raises WorkerGoneError where that is gone."""

    def __init__(self, name: str, ask: Ask):
        self.name, self._ask = name, ask

    def begin(self, plan: TrainingPlan) -> None:
        """See `TrainingStation.begin`."""
        self._ask("begin", plan.recipe, run_of(plan))

    def follow(self, plan: TrainingPlan, listen: Listener, asked: Callable[[], bool]) -> TrainingResult:
        """Pass on what happens until it ends, and bring its files here. Raises what the training raises."""
        result = None
        while result is None:
            time.sleep(_LOOK)
            events, result = self._ask("news", asked())
            for event in events:
                listen(event)
        if result.is_finished:
            self._bring(Path(plan.recipe.output))
        return result

    def _bring(self, folder: Path) -> None:
        """Copy what was trained into `folder`, unless it is the same folder. Raises TrainingError."""
        try:
            with _mark(folder) as mark:
                if self._ask("sees", mark):
                    return
            for name, size in self._ask("files", folder):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                write_stream(folder / name, self._blocks(folder / name, size))
        except OSError as error:
            raise TrainingError(f"{folder} cannot be filled: {error.strerror or error}.") from error

    def _blocks(self, path: Path, size: int) -> Iterator[bytes]:
        start = 0
        while start < size:
            block = self._ask("block", path, start)
            if not block:
                raise TrainingError(f"{path} became shorter while it was copied here.")
            start += len(block)
            yield block


class Trainers:
    """Several of them; any thread may have one train."""

    def __init__(self, trainers: Sequence[DistantTrainer]):
        """trainers: at least one."""
        self._here, self._free = list(trainers), list(trainers)
        self._turn = threading.Condition()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._here)

    def train(self, plan: TrainingPlan, listen: Listener, asked: Callable[[], bool]) -> TrainingResult:
        """Have one that is free train; where it goes, another one does.

        One that cannot begin is passed over with a sentence. Raises what it raised where nobody can, HostError where
        nobody is left, and what the training raises.
        """
        errors: dict[DistantTrainer, OhwxError] = {}
        while True:
            with self._one(errors) as trainer:
                try:
                    trainer.begin(plan)
                except WorkerGoneError as error:
                    self._leaves(trainer, error, listen)
                    continue
                except OhwxError as error:
                    errors[trainer] = error
                    listen(Told(f"{trainer.name} does not train {plan.recipe.name}: {error}"))
                    continue
                try:
                    return trainer.follow(plan, listen, asked)
                except WorkerGoneError as error:
                    self._leaves(trainer, error, listen)

    @contextmanager
    def _one(self, errors: dict[DistantTrainer, OhwxError]) -> Iterator[DistantTrainer]:
        """One that is free, and free again after the block; none of `errors`."""

        def free() -> DistantTrainer | None:
            return next((one for one in self._free if one not in errors), None)

        with self._turn:
            while (chosen := free()) is None:
                if not self._here:
                    raise HostError("None of the workers is left. What is finished is kept.")
                if all(one in errors for one in self._here):
                    raise next(iter(errors.values()))
                self._turn.wait(_LOOK)
            self._free.remove(chosen)
        try:
            yield chosen
        finally:
            with self._turn:
                if chosen in self._here:
                    self._free.append(chosen)
                self._turn.notify_all()

    def _leaves(self, trainer: DistantTrainer, error: WorkerGoneError, listen: Listener) -> None:
        with self._turn:
            self._here.remove(trainer)
        listen(Told(f"{error} Another one trains what it leaves, from the last state that it finds."))


@contextmanager
def _mark(folder: Path) -> Iterator[Path]:
    """A file of a new name in `folder` for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"shared-{uuid.uuid4().hex}.unfinished"
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
