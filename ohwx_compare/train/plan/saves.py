"""When a run saves, under which names, and how much of that lies on the disk at one time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.plan.course import Course
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["Save", "epoch_ends", "files_at_most", "find_saves", "states_at_most", "written_bytes"]

_MOST_SAVES = 10_000


@dataclass(frozen=True, kw_only=True)
class Save:
    """One checkpoint of the run, under sd-scripts' names."""

    name: str  # without suffix
    step: int  # optimiser steps taken
    epoch: int  # finished, or in hand
    exposures: float  # how often a training image was shown by then, on average
    least: int  # the same of the image shown least and most often
    most: int
    kept: bool = True  # False where keep_last removes it before the end


def epoch_ends(recipe: Recipe, course: Course) -> list[int]:
    """Steps taken at the end of each epoch; the last may be cut short."""
    ends: list[int] = []
    number = 0
    epochs, steps = recipe.epochs or 0, recipe.steps  # it has one of the two
    while len(ends) < epochs if steps is None else not ends or ends[-1] < steps:
        number += 1
        ends.append((ends[-1] if ends else 0) + len(course.epoch(number)))
    return ends if steps is None else [*ends[:-1], steps]


def find_saves(recipe: Recipe, course: Course, ends: list[int], train: int) -> tuple[tuple[Save, ...], Counter[int]]:
    """Walk the whole course; the saves on the way and how often each picture was shown."""
    shown: Counter[int] = Counter()
    saves: list[Save] = []
    for number, (epoch, step) in enumerate(islice(course.steps(), ends[-1]), 1):
        for batch in step:
            shown.update(batch)
        for name in _names(recipe, number, epoch, ends):
            if len(saves) == _MOST_SAVES:
                raise ExperimentError(f"The training saves over {_MOST_SAVES:,} checkpoints; save less often.")
            seen = [shown[i] for i in range(train)]
            mean = round(sum(seen) / train, 2)
            saves.append(Save(name=name, step=number, epoch=epoch, exposures=mean, least=min(seen), most=max(seen)))
    if recipe.keep_last is not None:
        gone = len(saves) - 1 - recipe.keep_last
        saves = [Save(**{**vars(save), "kept": at >= gone}) for at, save in enumerate(saves)]
    return tuple(saves), shown


def _names(recipe: Recipe, number: int, epoch: int, ends: list[int]) -> Iterator[str]:
    """What is saved after step `number`; the last step gives the result alone, where sd-scripts may write it twice."""
    if number == ends[-1]:
        yield recipe.name
        return
    if recipe.save_every_steps and number % recipe.save_every_steps == 0:
        yield f"{recipe.name}-step{number:08d}"
    if recipe.save_every_epochs and number == ends[epoch - 1] and epoch % recipe.save_every_epochs == 0:
        yield f"{recipe.name}-{epoch:06d}"


def files_at_most(recipe: Recipe, saves: tuple[Save, ...]) -> int:
    """How many checkpoints the output holds at most: an old one is removed only when the new one is whole."""
    count = len(saves) if recipe.keep_last is None else min(len(saves), recipe.keep_last + 1)
    return count * (2 if recipe.ema_raw else 1)


def states_at_most(recipe: Recipe, saves: tuple[Save, ...]) -> int:
    """How many states the output holds at most: two, and the next one while it is written (train/run/state.py)."""
    last = saves[-1].step
    steps = {save.step for save in saves} | set(range(recipe.state_every, last, recipe.state_every))
    return min(3, max(1, len(steps - {last})))  # stopping writes one too


def written_bytes(recipe: Recipe, saves: tuple[Save, ...]) -> int:
    """Bytes of this run that are in its output already, if it resumes."""
    output = Path(recipe.output)
    paths = [output / f"{save.name}{end}.safetensors" for save in saves for end in ("", "-raw")]
    try:
        return sum(path.stat().st_size for path in (*paths, *(output / "state").glob("step-*")) if path.is_file())
    except OSError:  # a name too long, a folder that nobody may look into: nothing of it counts
        return 0
