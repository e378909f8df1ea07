"""Steps that were queued, and what is told of them: on a GPU each when the next one is queued, so that it never idles.

A step's loss and norm are known when it is computed. Whoever read them at once would wait for the device, which then
waits for whoever queues the next step. So they are read a step late, and before anything is written or looked at.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from ohwx_compare.core.events import Learned, Listener, Step, Told
from ohwx_compare.errors import TrainingError
from ohwx_compare.train.learn.crossing import Coming

__all__ = ["Taken", "Teller"]


@dataclass(frozen=True, eq=False)
class Taken:
    """An optimiser step that is queued."""

    number: int
    epoch: int
    rate: float  # as in Learned
    memory: int | None  # as in Learned
    pictures: tuple[Path, ...]
    numbers: Coming  # the losses of its passes, the gradients' norm, and the loss's scale where it has one
    is_scaled: bool = False

    def learned(self) -> Learned:
        """What it gave; waits for it. Its norm is 0 where it was left out. Raises TrainingError for NaN."""
        total, norm, _ = self._read()
        return Learned(self.number, self.epoch, total, self.rate, norm if math.isfinite(norm) else 0.0, self.memory)

    def left_out(self) -> str:
        """Why it was left out, in a sentence; "" where it was not. Raises as `learned`."""
        _, norm, scale = self._read()
        if math.isfinite(norm):
            return ""
        return f"Step {self.number} was left out: its gradients overflowed float16 at a loss scale of {scale:,.0f}."

    def _read(self) -> tuple[float, float, float]:
        """Loss, norm and the loss's scale, 0 where it has none."""
        *each_lost, norm, scale = [*self.numbers.read(), *([] if self.is_scaled else [0.0])]
        total = sum(each_lost)
        if not (math.isfinite(total) and (math.isfinite(norm) or scale >= 1)):  # below 1 the scale is not at fault
            names = ", ".join(map(str, self.pictures))
            raise TrainingError(
                f"Step {self.number} ({names}) gave loss {total} and gradients of norm {norm}. Check these files; or "
                "train again with a lower learning rate and another output, because this one resumes only with its own "
                "recipe."
            )
        return total, norm, scale


class Teller:
    """Tells of steps in their order, each once: one late, or when it is asked."""

    def __init__(self, listen: Listener) -> None:
        self.listen = listen
        self._last: Taken | None = None

    def add(self, taken: Taken) -> None:
        """Keep a step that was queued, and tell of the one before. Raises TrainingError where that gave NaN."""
        before, self._last = self._last, taken
        self._tell(before)

    def settle(self) -> None:
        """Tell of all that were queued; waits for them. Raises TrainingError where the last gave NaN."""
        last, self._last = self._last, None
        self._tell(last)

    def _tell(self, taken: Taken | None) -> None:
        if taken is not None:
            if why := taken.left_out():
                self.listen(Told(why))
            self.listen(taken.learned())
            self.listen(Step(1))
