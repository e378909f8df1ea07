"""Step arithmetic: in which order a training shows its pictures, and how often each was shown at any step.

The number of steps is that of sd-scripts: a bucket gives ceil(pictures x repeats / batch) batches an epoch, the last of
which may be short, and an optimiser step takes `accumulation` batches. The order is ours: stratified, so that pictures
of one number of repeats are shown equally often after any step (give or take one, at batch 1), with regularization
images evenly between them. Runs with and without regularization can so be compared at equal exposures.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from random import Random

from ohwx_compare.core.buckets import Size
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted

__all__ = ["Course", "CourseStep", "Showable"]

_MOST_AN_EPOCH, _MOST_SHOWN = 300_000, 2_000_000  # pictures, each time that one is shown
_MOST_EPOCHS = 100_000
CourseStep = tuple[tuple[int, ...], ...]  # the batches of one optimiser step, each of indices of pictures
_Shown = tuple[float, int]  # when in its epoch (0..1) a picture is shown, and which


@dataclass(frozen=True)
class Showable:
    """What the order of a picture depends on."""

    bucket: Size
    repeats: int = 1
    reg: bool = False


@dataclass(frozen=True, kw_only=True)
class Course:
    """The order of all epochs, a function of its fields alone. Epochs count from 1."""

    pictures: tuple[Showable, ...]  # training and regularization images
    batch: int = 1
    accumulation: int = 1
    reg_ratio: float = 1.0  # reg images for each training image shown
    first_reg: bool = False  # sd-scripts: always the first reg images, as many as training images are shown
    seed: int = 0

    def __post_init__(self) -> None:
        if not self._train:
            raise ExperimentError("There are no training images; put some into the folder.")

    def require_countable(self, epochs: int | None, steps: int | None) -> None:
        """Raise ExperimentError for a training too long to be counted step by step, before anything is counted.

        epochs, steps: its length, one of the two.
        """
        an_epoch = self._shown_an_epoch + (round(self.reg_ratio * self._shown_an_epoch) if self._has_reg else 0)
        epochs = epochs or -(-(steps or 0) * self.batch * self.accumulation // an_epoch)
        for what, shown, most in (("epoch", an_epoch, _MOST_AN_EPOCH), ("training", an_epoch * epochs, _MOST_SHOWN)):
            if shown > most:
                raise ExperimentError(
                    f"The {what} shows {counted(shown, 'picture')}, expected at most {most:,}; lower repeats or epochs."
                )
        if epochs > _MOST_EPOCHS:
            raise ExperimentError(f"The training has {counted(epochs, 'epoch')}, expected at most {_MOST_EPOCHS:,}.")

    def epoch(self, number: int) -> tuple[CourseStep, ...]:
        """All optimiser steps of one epoch, in order."""
        chance = Random(f"order {self.seed} {number}")
        shown = [((k + chance.random()) / self.pictures[i].repeats, i) for i in self._train
                 for k in range(self.pictures[i].repeats)]  # fmt: skip
        reg = self._first_reg(chance) if self.first_reg else self._next_reg(number)
        shown += [((j + chance.random()) / len(reg), i) for j, i in enumerate(reg)]
        batches = self._batches(shown)
        return tuple(batches[at : at + self.accumulation] for at in range(0, len(batches), self.accumulation))

    def steps(self) -> Iterator[tuple[int, CourseStep]]:
        """Every step of every epoch, with its epoch, without end."""
        for number in count(1):
            for step in self.epoch(number):
                yield number, step

    def exposures(self, steps: Sequence[CourseStep]) -> Counter[int]:
        """How often each picture (by index) is shown in these steps."""
        return Counter(i for step in steps for batch in step for i in batch)

    @cached_property
    def _train(self) -> tuple[int, ...]:
        return tuple(i for i, one in enumerate(self.pictures) if not one.reg and one.repeats > 0)

    @cached_property
    def _has_reg(self) -> bool:
        return any(one.reg for one in self.pictures)

    @cached_property
    def _deck(self) -> tuple[int, ...]:
        return tuple(i for i, one in enumerate(self.pictures) if one.reg for _ in range(one.repeats))

    @cached_property
    def _shown_an_epoch(self) -> int:
        return sum(self.pictures[i].repeats for i in self._train)

    def _next_reg(self, number: int) -> list[int]:
        """This epoch's reg images: dealt from a shuffled deck, which is shuffled anew when it is used up."""
        need = round(self.reg_ratio * self._shown_an_epoch) if self._deck else 0
        start = (number - 1) * need
        dealt: list[int] = []
        while len(dealt) < need:
            cycle, at = divmod(start + len(dealt), len(self._deck))
            dealt += _shuffled(self._deck, Random(f"reg {self.seed} {cycle}"))[at:][: need - len(dealt)]
        return dealt

    def _first_reg(self, chance: Random) -> list[int]:
        """sd-scripts' choice: in order with their repeats until there are enough, then each once more, over again."""
        reg = [i for i, one in enumerate(self.pictures) if one.reg]
        taken: list[int] = []
        for i in reg:
            if len(taken) < self._shown_an_epoch:
                taken += [i] * self.pictures[i].repeats
        further = (i for _ in count() for i in reg) if reg else iter(())
        taken += islice(further, max(0, self._shown_an_epoch - len(taken)))
        return _shuffled(taken, chance)

    def _batches(self, shown: list[_Shown]) -> tuple[tuple[int, ...], ...]:
        """Cut each bucket into batches, in the order of showing; a batch comes when its pictures are due on average."""
        buckets: dict[Size, list[_Shown]] = {}
        for one in sorted(shown):
            buckets.setdefault(self.pictures[one[1]].bucket, []).append(one)
        due = []
        for inside in buckets.values():
            for at in range(0, len(inside), self.batch):
                batch = inside[at : at + self.batch]
                due.append((sum(when for when, _ in batch) / len(batch), tuple(i for _, i in batch)))
        return tuple(batch for _, batch in sorted(due))


def _shuffled(items: Sequence[int], chance: Random) -> list[int]:
    keys = [chance.random() for _ in items]  # random() gives the same numbers in every version of Python
    return [item for _, item in sorted(zip(keys, items, strict=True))]
