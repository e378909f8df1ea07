"""Watching a run while it trains: losses at fixed noise and samples, which can neither stop nor change it.

Both are functions of the weights and the recipe and use no generator that training uses. What fails becomes an event,
and training continues.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ohwx_compare.core.events import Listener, Missed, Sampled, Validated
from ohwx_compare.errors import Interrupted, sentence_of
from ohwx_compare.train.learn.setup import Setup
from ohwx_compare.train.run.samples import Samples
from ohwx_compare.train.run.validation import validate

__all__ = ["Watch"]


class Watch:
    """Validates and samples after the plan's `looks` steps, with the averaged weights if the run keeps them."""

    def __init__(self, setup: Setup, listen: Listener, asked: Callable[[], bool]) -> None:
        """asked: whether to stop, called between sampling steps; the next sitting generates what is left."""
        self.setup, self.listen, self.asked = setup, listen, asked
        self.is_patient = False
        self.samples = Samples(setup)

    def look(self, step: int, *, to_the_end: bool = False) -> None:
        """Validate and sample, if `step` is one of the looks.

        to_the_end: whoever asks to stop waits, for no sitting follows.
        """
        self.is_patient = to_the_end
        if step in self.setup.plan.looks:
            self._guarded(step, "validation", self._validate)
            self._guarded(step, "sample", self._sample)

    def _guarded(self, step: int, what: str, act: Callable[[int], None]) -> None:
        try:
            with _averaged(self.setup):
                act(step)
        except Interrupted:
            return
        except Exception as error:  # noqa: BLE001  the boundary: whatever goes wrong beside the training
            said = sentence_of(error)
            self.listen(Missed(step, what, said))

    def _validate(self, step: int) -> None:
        if losses := validate(self.setup):
            self.listen(Validated(step, self.setup.plan.exposures_at(step)[0], losses))

    def _sample(self, step: int) -> None:
        exposures = self.setup.plan.exposures_at(step)[0]
        for path, job in self.samples.draw(step, self._on_step):
            self.listen(Sampled(step, exposures, f"{path.parent.name}/{path.name}", job.prompt, job.seed))

    def _on_step(self, done: int) -> None:
        if self.asked() and not self.is_patient:
            raise Interrupted("Stopped.")


@contextmanager
def _averaged(setup: Setup) -> Iterator[None]:
    """The averaged weights in place of the model's own, which come back afterwards, bit for bit."""
    held = {}
    with torch.no_grad():
        try:
            for name, average in setup.ema.items():
                weight = setup.stepper.weights[name]
                held[name] = weight.detach().to("cpu", copy=True)
                weight.copy_(average)
            yield
        finally:
            for name, own in held.items():
                setup.stepper.weights[name].copy_(own)
