"""The numbers of a training where people look for them: a CSV file, TensorBoard's files, Weights & Biases."""

import csv
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ohwx_compare.core.events import Event, Learned, Listener, Validated
from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.tensorboard import EventFile

__all__ = ["logging_too"]

_Write = Callable[[int, Mapping[str, float]], None]


@contextmanager
def logging_too(recipe: Recipe, listen: Listener) -> Iterator[Listener]:
    """A listener that writes numbers into the logs that the recipe names, then passes each event on to `listen`.

    "csv" is the output's losses.csv, "tensorboard" a file below its folder logs, "wandb" a run of the project ohwx.
    Raises ExperimentError where wandb is not installed, OSError where the disk is full.
    """
    with ExitStack() as stack:
        writers = [stack.enter_context(_WRITERS[name](recipe)) for name in recipe.log]

        def told(event: Event) -> None:
            listen(event)
            for step, numbers in _numbers(event, recipe):
                for write in writers:
                    write(step, numbers)

        yield told


def _numbers(event: Event, recipe: Recipe) -> Iterator[tuple[int, Mapping[str, float]]]:
    if isinstance(event, Learned):
        rates = {"unet": recipe.lr_unet, "te1": recipe.lr_te1, "te2": recipe.lr_te2}
        numbers = {f"rate/{part}": rate * event.rate for part, rate in rates.items() if rate}
        memory = {} if event.memory is None else {"memory_gb": event.memory / 1e9}
        yield event.step, {"loss": event.loss, "norm": event.norm, **numbers, **memory}
    elif isinstance(event, Validated):
        for kind, losses in event.losses.items():
            yield event.step, {f"validation/{kind}/{level}": loss for level, loss in losses.items()}


@contextmanager
def _csv(recipe: Recipe) -> Iterator[_Write]:
    """Columns are the steps' own numbers; validation has a file beside, a row for each number."""
    steps, looks = (Path(recipe.output) / name for name in ("losses.csv", "validation.csv"))

    def write(step: int, numbers: Mapping[str, float]) -> None:
        if "loss" in numbers:
            _append(steps, ("step", *numbers), [(step, *numbers.values())])
        else:
            _append(looks, ("step", "what", "loss"), [(step, name, loss) for name, loss in numbers.items()])

    yield write


def _append(path: Path, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows] if is_new else rows)


@contextmanager
def _tensorboard(recipe: Recipe) -> Iterator[_Write]:
    with EventFile(Path(recipe.output) / "logs") as file:
        yield file.add


@contextmanager
def _wandb(recipe: Recipe) -> Iterator[_Write]:
    try:
        wandb = importlib.import_module("wandb")
    except ImportError as error:
        said = 'log names "wandb", which is not installed; pip install wandb, or take it out.'
        raise ExperimentError(said) from error
    run = wandb.init(project="ohwx", name=recipe.name, dir=recipe.output, config=recipe.to_dict())
    try:
        yield lambda step, numbers: run.log(dict(numbers), step=step)
    finally:
        run.finish()


_WRITERS = {"csv": _csv, "tensorboard": _tensorboard, "wandb": _wandb}
