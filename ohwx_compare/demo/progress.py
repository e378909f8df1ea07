"""One progress for the whole demo: what each stage will cost, known before the first begins.

The unit is one image's sampling step with CFG, which is what the engine counts; the other costs are measured in it.
"""

from pathlib import Path
from threading import Lock

from ohwx_compare.compare.batches import by_checkpoint, cost
from ohwx_compare.core.events import Entered, Event, Failed, Listener, Missed, Saved, Step
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.demo.sizes import Sizes
from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.train.run.state import newest

__all__ = ["DRAWN", "READ", "SHOWN", "DemoProgress", "drawing_left", "training_left"]

SHOWN = 1.6  # a picture in a training step
DRAWN = 5.0  # a toy picture, drawn
READ = 1.0  # a picture read, before and after its face pass


class DemoProgress:
    """A listener for all stages and threads: their steps in one unit; of the rest, what a user should see."""

    def __init__(self, listen: Listener):
        self.listen, self.stage, self.unit = listen, 0, 1.0
        self._one_at_a_time = Lock()

    def enter(self, what: str, unit: float = 1.0) -> None:
        """The next stage begins; `unit` is the cost of one of its steps."""
        self.stage, self.unit = self.stage + 1, unit
        self.listen(Entered(self.stage, what))

    def __call__(self, event: Event) -> None:
        """Pass on one event of a stage."""
        with self._one_at_a_time:
            if isinstance(event, Step):
                self.listen(Step(event.count * self.unit))
            elif isinstance(event, Failed | Missed) or _is_checkpoint(event):
                self.listen(event)

    def advance(self, count: float = 1.0) -> None:
        """So many steps of the stage are done."""
        self(Step(count))


def _is_checkpoint(event: Event) -> bool:
    return isinstance(event, Saved) and event.path.endswith(".safetensors")


def training_left(folder: Path, sizes: Sizes, arm: str) -> int:
    """Training steps of `arm` that are not behind a state or the result, by the looks of the folder."""
    if (folder / arm / f"{arm}.safetensors").is_file():
        return 0
    state = newest(folder / arm / "state")
    return sizes.steps(arm) - (int(state.stem.rpartition("-")[2]) if state else 0)


def drawing_left(folder: Path, experiment: Experiment) -> float:
    """Sampling steps of the cells that a run folder lacks."""
    try:
        done = {cell.cell.number for cell in open_run(folder).cells if _is_done(cell.result.outcome)}
    except LedgerError:  # none yet
        done = set()
    cells = [cell for cell in experiment.cells() if cell.number not in done]
    return sum(cost(group) for _, group in by_checkpoint(cells))


def _is_done(outcome: Outcome) -> bool:
    return outcome not in (Outcome.PENDING, Outcome.FAILED)
