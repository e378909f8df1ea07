"""When a run saves, under which names, and how much of that lies on the disk at one time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.plan.course import Course
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = [
    "Save", "disk_at_most", "epoch_ends", "find_saves", "state_problems", "state_steps", "states_kept", "written_bytes",
]  # fmt: skip

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


def disk_at_most(recipe: Recipe, saves: tuple[Save, ...], checkpoint: int, state: int) -> int:
    """Bytes of all checkpoints and states of these sizes that the output holds at one time."""
    return checkpoint * _files_at_most(recipe, saves) + state * _states_at_most(recipe, saves, state)


def _files_at_most(recipe: Recipe, saves: tuple[Save, ...]) -> int:
    """How many checkpoints the output holds at most: an old one is removed only when the new one is whole."""
    count = len(saves) if recipe.keep_last is None else min(len(saves), recipe.keep_last + 1)
    return count * (2 if recipe.ema_raw else 1)


def states_kept(recipe: Recipe, size: int) -> int:
    """How many states of `size` bytes stay while the run lasts: within `state_gb` even while a newer one is written."""
    if recipe.state_gb is None or not size:
        return recipe.state_count
    return max(1, min(recipe.state_count, int(recipe.state_gb * 1e9 // size) - 1))


def _states_at_most(recipe: Recipe, saves: tuple[Save, ...], size: int) -> int:
    """How many states the output holds at most: those that stay, and the next one while it is written."""
    return min(states_kept(recipe, size) + 1, max(1, len(state_steps(recipe, saves))))  # stopping writes one too


def state_steps(recipe: Recipe, saves: tuple[Save, ...]) -> set[int]:
    """The steps after which a state is written, if nobody stops the run."""
    last = saves[-1].step
    steps: set[int] = set()
    if recipe.state_every is not None:
        steps = {save.step for save in saves} | set(range(recipe.state_every, last, recipe.state_every))
    return (steps - {last}) | ({last} if recipe.state_at_end else set())


def state_problems(recipe: Recipe, size: int) -> Iterator[str]:
    """A sentence where `state_gb` is too small for a state of `size` bytes."""
    if recipe.state_gb is not None and recipe.state_gb * 1e9 < 2 * size:
        yield (
            f"state_gb is {recipe.state_gb:g}, and two states take {2 * size / 1e9:.2f} GB, for a newer one is whole "
            "before the older one goes; raise it, or set state_every to null."
        )


def written_bytes(recipe: Recipe, saves: tuple[Save, ...]) -> int:
    """Bytes of this run that are in its output already, if it resumes."""
    output = Path(recipe.output)
    paths = [output / f"{save.name}{end}.safetensors" for save in saves for end in ("", "-raw")]
    try:
        return sum(path.stat().st_size for path in (*paths, *(output / "state").glob("step-*")) if path.is_file())
    except OSError:  # a name too long, a folder that nobody may look into: nothing of it counts
        return 0
