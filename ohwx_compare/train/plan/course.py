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
_Group = tuple[int, int, tuple[int, ...]]  # its number, training images shown an epoch, its reg images
_Shown = tuple[float, int]  # when in its epoch (0..1) a picture is shown, and which


@dataclass(frozen=True)
class Showable:
    """What the order of a picture depends on."""

    bucket: Size
    repeats: int = 1
    reg: bool = False
    group: int = 0  # shares batches, and the balance of regularization images, with its own group alone


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
        an_epoch = sum(shown + (round(self.reg_ratio * shown) if deck else 0) for _, shown, deck in self._groups)
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
        for of_group in self._groups:
            reg = self._first_reg(chance, of_group) if self.first_reg else self._next_reg(number, of_group)
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
    def _groups(self) -> tuple[_Group, ...]:
        """Those that train, by number."""
        found = []
        for group in sorted({self.pictures[i].group for i in self._train}):
            shown = sum(self.pictures[i].repeats for i in self._train if self.pictures[i].group == group)
            deck = (i for i, one in enumerate(self.pictures) if one.reg and one.group == group)
            found.append((group, shown, tuple(deck)))
        return tuple(found)

    def _next_reg(self, number: int, of_group: _Group) -> list[int]:
        """This epoch's reg images: dealt from a shuffled deck, which is shuffled anew when it is used up."""
        group, shown, reg = of_group
        deck = [i for i in reg for _ in range(self.pictures[i].repeats)]
        need = round(self.reg_ratio * shown) if deck else 0
        start = (number - 1) * need
        dealt: list[int] = []
        while len(dealt) < need:
            cycle, at = divmod(start + len(dealt), len(deck))
            name = f"reg {self.seed} {cycle}" + (f" {group}" if group else "")
            dealt += _shuffled(deck, Random(name))[at:][: need - len(dealt)]
        return dealt

    def _first_reg(self, chance: Random, of_group: _Group) -> list[int]:
        """sd-scripts' choice: in order with their repeats until there are enough, then each once more, over again."""
        _, shown, reg = of_group
        taken: list[int] = []
        for i in reg:
            if len(taken) < shown:
                taken += [i] * self.pictures[i].repeats
        further = (i for _ in count() for i in reg) if reg else iter(())
        taken += islice(further, max(0, shown - len(taken)))
        return _shuffled(taken, chance)

    def _batches(self, shown: list[_Shown]) -> tuple[tuple[int, ...], ...]:
        """Cut each bucket into batches, in the order of showing; a batch comes when its pictures are due on average."""
        buckets: dict[tuple[int, Size], list[_Shown]] = {}
        for one in sorted(shown):
            picture = self.pictures[one[1]]
            buckets.setdefault((picture.group, picture.bucket), []).append(one)
        due = []
        for inside in buckets.values():
            for at in range(0, len(inside), self.batch):
                batch = inside[at : at + self.batch]
                due.append((sum(when for when, _ in batch) / len(batch), tuple(i for _, i in batch)))
        return tuple(batch for _, batch in sorted(due))


def _shuffled(items: Sequence[int], chance: Random) -> list[int]:
    keys = [chance.random() for _ in items]  # random() gives the same numbers in every version of Python
    return [item for _, item in sorted(zip(keys, items, strict=True))]
