"""What a recipe will do, known before it starts: every step and save, which pictures are shown, what it needs.

The loop takes its order from here, so a plan cannot differ from the run.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from ohwx_compare.core.buckets import BucketPlacement
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.checkpoint import Header, read_header, require_sdxl
from ohwx_compare.files.dataset import Dataset, DatasetPicture, ReadingRules
from ohwx_compare.files.memory import free_bytes
from ohwx_compare.train.plan.course import Course, CourseStep, Showable
from ohwx_compare.train.plan.estimate import Memory, choose_blocks, estimate_memory, saved_bytes, state_bytes
from ohwx_compare.train.plan.misleading import (
    average_problems,
    base_problems,
    base_remarks,
    caption_remarks,
    mask_remarks,
    output_problems,
    vae_problems,
)
from ohwx_compare.train.plan.reading import place_pictures, read_recipe_pictures, reading_rules
from ohwx_compare.train.plan.saves import Save, disk_at_most, epoch_ends, find_saves, state_problems, written_bytes
from ohwx_compare.train.recipe.concepts import Concept, concepts_of
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.words import counted

__all__ = ["TrainingPlan", "make_plan"]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """A run, step by step. Pictures are numbered: training, regularization, then held-out images."""

    recipe: Recipe
    reading: ReadingRules
    concepts: tuple[Concept, ...]
    dataset: Dataset  # without the pictures that fit no bucket, and those held out
    held_out: tuple[DatasetPicture, ...]
    placements: tuple[BucketPlacement, ...]  # one a picture
    course: Course
    steps: int  # optimiser steps
    epochs: int  # begun
    saves: tuple[Save, ...]  # in order; the last is the result
    looks: frozenset[int]  # steps after which samples are drawn and losses validated; 0 is before the first
    shown: Counter[int]  # picture -> times in the whole run
    disk_bytes: int  # of checkpoints and the states to go on from, at most at one time
    state_bytes: int  # of one such state
    free_bytes: int  # where the output goes
    again: frozenset[str]  # the UNet's blocks whose activations are computed again
    memory: Memory
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # sentences that keep the run from starting

    @cached_property
    def pictures(self) -> tuple[DatasetPicture, ...]:
        """All of them, by number."""
        return self.dataset.train + self.dataset.reg + self.held_out

    @cached_property
    def validated(self) -> dict[str, tuple[int, ...]]:
        """Kind -> the pictures of it whose loss is taken at fixed noise, drawn by the seed."""
        train, reg = len(self.dataset.train), len(self.dataset.train) + len(self.dataset.reg)
        kinds = {
            "training": range(train),
            "held out": range(reg, len(self.pictures)),
            "regularization": range(train, reg),
        }
        chosen = {kind: _drawn(numbers, self.recipe.validation, self.recipe.seed) for kind, numbers in kinds.items()}
        return {kind: numbers for kind, numbers in chosen.items() if numbers}

    @cached_property
    def needed(self) -> tuple[int, ...]:
        """The pictures that are shown or validated."""
        return tuple(sorted(set(self.shown).union(*self.validated.values())))

    def exposures_at(self, step: int) -> tuple[float, int, int]:
        """How often a training image is shown within the first `step` steps: mean, least, most."""
        shown = self.course.exposures([batches for _, batches in islice(self.course.steps(), step)])
        seen = [shown[i] for i in range(len(self.dataset.train))]
        return round(sum(seen) / len(seen), 2), min(seen), max(seen)

    def walk(self, done: int = 0) -> Iterator[tuple[int, int, CourseStep]]:
        """The steps left after `done` steps: (number of the step from 1, its epoch, its batches)."""
        for number, (epoch, step) in enumerate(islice(self.course.steps(), self.steps), 1):
            if number > done:
                yield number, epoch, step

    def saves_after(self, step: int) -> tuple[Save, ...]:
        """The checkpoints to write when this step is done."""
        return tuple(save for save in self.saves if save.step == step)

    def files(self, save: Save) -> tuple[str, ...]:
        """What a checkpoint's files are called: the weights' average, or the weights; and those beside an average."""
        names = (save.name, f"{save.name}-raw") if self.recipe.ema_raw else (save.name,)
        return tuple(f"{name}.safetensors" for name in names)

    def save_at(self, step: int, epoch: int) -> Save:
        """A checkpoint that is requested after `step`, named like one saved by steps."""
        mean, least, most = self.exposures_at(step)
        name = f"{self.recipe.name}-step{step:08d}"
        return Save(name=name, step=step, epoch=epoch, exposures=mean, least=least, most=most)

    def loss_weight(self, picture: int) -> float:
        """What a picture's loss is multiplied by."""
        counts = self.pictures[picture].reg and not self.recipe.compatible("prior")
        return self.recipe.prior_loss_weight if counts else 1.0

    def concept(self, picture: int) -> Concept:
        """The settings of a picture's folder."""
        return self.concepts[self.pictures[picture].concept]

    def sizes(self, picture: int) -> tuple[int, int, int, int, int, int]:
        """A picture's size embeddings: original height, width, crop top, left, target height, width."""
        return self.placements[picture].conditioning(kohya_crop=self.recipe.compatible("crop"))

    def require_runnable(self) -> None:
        """Raise ExperimentError with the first of `problems`."""
        if self.problems:
            raise ExperimentError(self.problems[0])

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return {
            "steps": self.steps,
            "epochs": self.epochs,
            "saves": [asdict(save) for save in self.saves],
            "looks": sorted(self.looks),
            "images": {
                "train": len(self.dataset.train),
                "reg": len(self.dataset.reg),
                "held_out": len(self.held_out),
            },
            "shown": {
                "train": sum(self.shown[i] for i in range(len(self.dataset.train))),
                "reg": sum(self._reg_shown().values()),
            },
            "reg_images": {str(self.pictures[i].path): times for i, times in sorted(self._reg_shown().items())},
            "buckets": [
                {"size": list(size), "train": train, "reg": reg} for size, (train, reg) in self.buckets().items()
            ],
            "disk_bytes": self.disk_bytes,
            "state_bytes": self.state_bytes,
            "disk_free_bytes": self.free_bytes,
            "memory_bytes": {**asdict(self.memory), "total": self.memory.total},
            "recomputed_blocks": len(self.again),
            "skipped": list(self.dataset.skipped),
            "notes": list(self.notes),
            "problems": list(self.problems),
            "recipe": self.recipe.to_dict(),
        }

    def buckets(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Bucket -> how many training and regularization images it holds."""
        held = {size: [0, 0] for size in sorted({one.bucket for one in self.course.pictures})}
        for one in self.course.pictures:
            held[one.bucket][one.reg] += 1
        return {size: (train, reg) for size, (train, reg) in held.items()}

    def reg_use(self) -> dict[int, int]:
        """Times shown -> number of regularization images shown so often."""
        shown = (self.shown[i] for i, one in enumerate(self.pictures) if one.reg)
        return dict(sorted(Counter(shown).items()))

    def _reg_shown(self) -> dict[int, int]:
        return {i: times for i, times in self.shown.items() if self.pictures[i].reg}


def make_plan(recipe: Recipe, check: Callable[[], None] = lambda: None) -> TrainingPlan:
    """Read the recipe's folders and the base checkpoint's header, and count.

    check: called for each picture; what it raises ends the reading.
    Raises CheckpointError for another family of model and ExperimentError for folders that cannot be trained on;
    what only prevents the start is in `problems`.
    """
    header = read_header(Path(recipe.base))
    require_sdxl(header)
    reading = reading_rules(recipe)
    concepts = concepts_of(recipe)
    dataset, placements = place_pictures(read_recipe_pictures(recipe, concepts, reading, check), concepts)
    dataset, held_out, placements = _hold_out(dataset, placements, recipe)
    course = _course(recipe, concepts, dataset, placements)
    course.require_countable(recipe.epochs, recipe.steps)
    ends = epoch_ends(recipe, course)
    saves, shown = find_saves(recipe, course, ends, len(dataset.train))
    state = state_bytes(header, recipe)
    disk_bytes = disk_at_most(recipe, saves, saved_bytes(header, recipe), state)
    latents = {(height // 8, width // 8) for width, height in (one.bucket for one in course.pictures)}
    again, short = _again(header, recipe, latents)
    free = free_bytes(Path(recipe.output))
    return TrainingPlan(
        recipe=recipe,
        reading=reading,
        concepts=concepts,
        dataset=dataset,
        held_out=held_out,
        placements=placements,
        course=course,
        steps=ends[-1],
        epochs=len(ends),
        saves=saves,
        looks=_looks(recipe, ends, saves),
        shown=shown,
        disk_bytes=disk_bytes,
        state_bytes=state,
        free_bytes=free,
        again=again,
        memory=estimate_memory(header, recipe, latents, again),
        notes=(
            *dataset.notes,
            *_remarks(recipe, dataset, saves, shown),
            *base_remarks(header, recipe),
            *caption_remarks(recipe, dataset),
            *mask_remarks(recipe, dataset),
        ),
        problems=(
            *base_problems(header, recipe),
            *vae_problems(header, recipe),
            *state_problems(recipe, state),
            *average_problems(recipe, ends[-1]),
            *output_problems(Path(recipe.output), disk_bytes - written_bytes(recipe, saves), free),
            *short,
        ),
    )


def _again(header: Header, recipe: Recipe, latents: set[tuple[int, int]]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The blocks to compute again, and what prevents the start."""
    try:
        return choose_blocks(header, recipe, latents), ()
    except ExperimentError as error:
        return choose_blocks(header, replace(recipe, memory_gb=None, checkpointing=True), latents), (str(error),)


def _hold_out(
    dataset: Dataset, placements: tuple[BucketPlacement, ...], recipe: Recipe
) -> tuple[Dataset, tuple[DatasetPicture, ...], tuple[BucketPlacement, ...]]:
    """Take `held_out` training images out, by the seed; their places go to the end. Raises ExperimentError."""
    count = len(dataset.train)
    if recipe.held_out >= count:
        raise ExperimentError(
            f"held_out is {recipe.held_out}, but there are {counted(count, 'training image')}; leave some to train on."
        )
    out = _drawn(range(count), recipe.held_out, recipe.seed)
    stay = [i for i in range(len(placements)) if i not in out]
    train = tuple(dataset.train[i] for i in stay if i < count)
    kept = Dataset(train=train, reg=dataset.reg, skipped=dataset.skipped, notes=dataset.notes)
    return kept, tuple(dataset.train[i] for i in out), tuple(placements[i] for i in (*stay, *out))


def _drawn(numbers: range, count: int, seed: int) -> tuple[int, ...]:
    """`count` of the numbers at most, the same ones for the same seed, in order."""
    chance = Random(f"chosen {seed}")
    keys = {number: chance.random() for number in numbers}  # random() gives the same numbers in every Python
    return tuple(sorted(sorted(numbers, key=keys.__getitem__)[:count]))


def _looks(recipe: Recipe, ends: list[int], saves: tuple[Save, ...]) -> frozenset[int]:
    """When samples are generated and losses validated: at both ends, and as the recipe says."""
    if not (recipe.sample_prompts or recipe.validation):
        return frozenset()
    steps = {save.step for save in saves}
    if recipe.watch_every_steps:
        steps = set(range(recipe.watch_every_steps, ends[-1], recipe.watch_every_steps))
    elif recipe.watch_every_epochs:
        steps = set(ends[recipe.watch_every_epochs - 1 :: recipe.watch_every_epochs])
    return frozenset({0, ends[-1], *steps})


def _course(
    recipe: Recipe, concepts: tuple[Concept, ...], dataset: Dataset, placements: tuple[BucketPlacement, ...]
) -> Course:
    pictures = zip(dataset.train + dataset.reg, placements, strict=False)  # what is held out comes after them
    return Course(
        pictures=tuple(
            Showable(where.bucket, one.repeats, one.reg, concepts[one.concept].group) for one, where in pictures
        ),
        batch=recipe.batch,
        accumulation=recipe.accumulation,
        reg_ratio=recipe.reg_ratio,
        first_reg=recipe.compatible("reg"),
        seed=recipe.seed,
    )


def _remarks(recipe: Recipe, dataset: Dataset, saves: tuple[Save, ...], shown: Counter[int]) -> Iterator[str]:
    if recipe.save_every_steps and len(saves) > 1:
        apart, wanted = saves[0].exposures, max(1, round(saves[0].exposures))
        if abs(apart - wanted) > 0.1:
            even = round(wanted * saves[-1].step / saves[-1].exposures)
            yield (
                f"Saves are {counted(apart, 'exposure')} apart; save_every_steps {even} would make that {wanted}, "
                f"as in runs saved by epochs."
            )
    unused = len(dataset.reg) - sum(1 for i in shown if i >= len(dataset.train))
    if unused:
        why = 'compat "reg" uses the first ones only' if recipe.compatible("reg") else "the run is too short for all"
        yield f"{unused:,} of {counted(len(dataset.reg), 'regularization image')} will never be shown: {why}."
    wordless = sum(1 for one in dataset.train if not one.caption)
    if wordless:
        images = counted(wordless, "training image")
        yield f"{images} without a caption: name the folder '1_ohwx man', or write captions."
