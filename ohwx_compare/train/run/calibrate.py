"""How long a run will take here and how much memory, estimated from a few of its own steps.

It is the real thing in small: the plan's own encoders, weights, optimiser and batches, in a process of its own, whose
peak is the run's. Only one file is written into the output, and it is removed again.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import torch

from ohwx_compare.core.geometry import Size
from ohwx_compare.errors import ExperimentError, TrainingError
from ohwx_compare.files.atomic import write_stream
from ohwx_compare.numerals import decode_json
from ohwx_compare.train.learn.setup import Setup, set_up
from ohwx_compare.train.outside.child import ROOT, environment
from ohwx_compare.train.outside.machine import peak_memory
from ohwx_compare.train.plan.course import CourseStep
from ohwx_compare.train.plan.plan import TrainingPlan, make_plan
from ohwx_compare.train.plan.saves import state_steps
from ohwx_compare.train.recipe.recipe import Recipe, read_recipe, write_recipe
from ohwx_compare.train.run.loop import take
from ohwx_compare.train.run.samples import Samples
from ohwx_compare.train.run.validation import validate

__all__ = ["Foretold", "calibrate", "foretell"]

_Kind = tuple[tuple[Size, int], ...]  # of each batch of a step: its bucket and number of pictures
_STEPS = 4  # of each kind of batch; the first warms up
PIECE = 32 << 20  # bytes written to learn how fast the disk is
Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """A whole run's seconds by what they are spent on, and its peak memory in bytes (None: the system does not say)."""

    start: float  # loading, encoding pictures and captions
    steps: float
    looks: float  # samples and validation
    writing: float  # checkpoints and states
    peak: int | None

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.start + self.steps + self.looks + self.writing


def foretell(recipe: Recipe, device: str) -> Foretold:
    """Calibrate in a process of its own.

    Raises TrainingError, with that process's last words, where it fails, and ExperimentError for a recipe that takes
    several processes.
    """
    if recipe.shard:
        raise ExperimentError(
            f"A calibration takes one process and shard is {recipe.shard}; plan without it, or set shard to null."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.json"
        write_recipe(path, recipe)
        command = [sys.executable, "-m", "ohwx_compare.train.run.calibrate", str(path), device]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(os.environ),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise TrainingError(f"The calibration failed: {said or f'it ended with status {done.returncode}'}")
    return Foretold(**decode_json(done.stdout))


def calibrate(plan: TrainingPlan, device: str, clock: Clock = time.perf_counter) -> Foretold:
    """Take a few steps of each kind of batch and sample once; the plan's counts multiply what is measured."""
    kinds = Counter(_kind(plan, step) for _, _, step in plan.walk())
    chosen: dict[_Kind, CourseStep] = {}
    for _, _, step in plan.walk():
        chosen.setdefault(_kind(plan, step), step)
        if len(chosen) == len(kinds):
            break
    some = {i for step in chosen.values() for batch in step for i in batch}
    few = {kind: numbers[:1] for kind, numbers in plan.validated.items()}
    began = clock()
    encoding: list[float] = []
    setup = set_up(_narrowed(plan, some.union(*few.values())), device, on_picture=lambda made: encoding.append(clock()))
    _settle(device)
    start = clock() - began
    each = (encoding[-1] - encoding[0]) / max(1, len(encoding) - 1) if encoding else 0.0
    start += each * (len(plan.needed) - len(encoding))
    steps = {kind: _step_seconds(setup, step, device, clock) for kind, step in chosen.items()}
    looks = len(plan.looks) * _look_seconds(setup, plan, clock)
    peak = peak_memory(device)  # before the bytes below
    return Foretold(
        start=start,
        steps=sum(kinds[kind] * seconds for kind, seconds in steps.items()),
        looks=looks,
        writing=_written_bytes(plan) * _seconds_a_byte(Path(plan.recipe.output), clock),
        peak=peak,
    )


def _kind(plan: TrainingPlan, step: CourseStep) -> _Kind:
    """What a step's time depends on: the size and number of its pictures."""
    return tuple((plan.placements[batch[0]].bucket, len(batch)) for batch in step)


def _narrowed(plan: TrainingPlan, pictures: set[int]) -> TrainingPlan:
    """The plan with only these pictures to encode."""
    return replace(plan, shown=Counter(dict.fromkeys(pictures, 1)), recipe=replace(plan.recipe, validation=1))


def _step_seconds(setup: Setup, step: CourseStep, device: str, clock: Clock) -> float:
    seconds = []
    for number in range(1, _STEPS + 1):
        began = clock()
        taken = take(setup, number, 1, step)
        _settle(device)
        taken.learned()  # raises for NaN
        seconds.append(clock() - began)
    return median(seconds[1:])


def _look_seconds(setup: Setup, plan: TrainingPlan, clock: Clock) -> float:
    """Seconds of one look: every picture takes as long as the first of its kind, every prompt as long as the first."""
    began = clock()
    kinds, recipe = len(validate(setup)), plan.recipe
    seconds = (clock() - began) / max(1, kinds) * sum(map(len, plan.validated.values()))
    if recipe.sample_prompts:
        with tempfile.TemporaryDirectory() as folder:
            one = replace(setup.plan.recipe, output=folder, sample_prompts=recipe.sample_prompts[:1], sample_seeds=(1,))
            began = clock()
            list(Samples(replace(setup, plan=replace(setup.plan, recipe=one))).draw(0, lambda done: None))
            seconds += (clock() - began) * len(recipe.sample_prompts) * len(recipe.sample_seeds)
    return seconds


def _written_bytes(plan: TrainingPlan) -> int:
    checkpoint = Path(plan.recipe.base).stat().st_size
    return checkpoint * len(plan.saves) + plan.state_bytes * len(state_steps(plan.recipe, plan.saves))


def _seconds_a_byte(folder: Path, clock: Clock) -> float:
    """Seconds to write and hash a byte until it is on the disk, where the output goes."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    path = there / "ohwx-calibration"
    data = torch.randint(0, 256, (PIECE,), dtype=torch.uint8).numpy().tobytes()
    try:
        began = clock()
        write_stream(path, [data])
        return (clock() - began) / PIECE
    finally:
        path.unlink(missing_ok=True)


def _settle(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def _main(recipe: str, device: str) -> None:
    plan = make_plan(read_recipe(Path(recipe)))
    plan.require_runnable()
    sys.stdout.write(json.dumps(asdict(calibrate(plan, device))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
