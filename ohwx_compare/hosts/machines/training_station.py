"""A training in a worker's process: it is begun, tells its news to who asks, and gives its files away in blocks."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from ohwx_compare.core.events import Event
from ohwx_compare.errors import TrainingError
from ohwx_compare.files.arrivals import SENT_BLOCK
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.hosts.native import default_device
from ohwx_compare.train.plan.plan import TrainingPlan, make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.identity import identity_of
from ohwx_compare.train.run.loop import TrainingResult, train

__all__ = ["TrainingStation", "run_of"]

_STATES = "state"  # folder of what a training resumes from, which stays where it was trained


class TrainingStation:
    """One training at a time."""

    def __init__(self, device: str | None = None, threads: int | None = None):
        """device: None: CUDA where there is one. threads: of the CPU; None: torch's own number."""
        self._device, self._threads = device or default_device().type, threads
        self._training: _Training | None = None

    def begin(self, recipe: Recipe, run: str) -> None:
        """Begin a training, or resume it where its folder here has a state.

        run: `run_of` its plan where it was asked for. Raises TrainingError where base or pictures here are others,
        ExperimentError and CheckpointError for what is not here.
        """
        plan = make_plan(recipe)
        plan.require_runnable()
        if run_of(plan) != run:
            raise TrainingError(
                f"{recipe.name} would be another training there: base, pictures or captions are not those that are "
                "here. Copy them there, under the same paths."
            )
        self._training = _Training(plan, self._device, self._threads)

    def news(self, stop: bool) -> tuple[list[Event], TrainingResult | None]:
        """What happened since it was asked last, and the result once there is one. Raises what the training raises.

        stop: whether to stop after the step in hand.
        """
        if self._training is None:
            raise TrainingError("Nothing is being trained there.")
        return self._training.news(stop)

    def sees(self, path: Path) -> bool:
        """Whether this file is here too."""
        return path.is_file()

    def files(self, folder: Path) -> list[tuple[str, int]]:
        """Every file of a finished training, its states apart: name below `folder`, "/" between, and bytes."""
        return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in sorted(_kept(folder))]

    def block(self, path: Path, start: int) -> bytes:
        """A file from byte `start`, 64 MiB of it at most. Raises TrainingError."""
        try:
            with path.open("rb") as file:
                file.seek(start)
                return file.read(SENT_BLOCK)
        except OSError as error:
            raise TrainingError(f"{path} cannot be read there: {error.strerror or error}.") from error


def run_of(plan: TrainingPlan) -> str:
    """Which run a plan is, by all that decides its steps: recipe, base, pictures. Raises CheckpointError."""
    return identity_of(plan, Hashes(cache_folder())(Path(plan.recipe.base))).run


class _Training:
    """A thread that trains."""

    def __init__(self, plan: TrainingPlan, device: str, threads: int | None):
        self._events: list[Event] = []
        self._is_asked, self._turn = False, threading.Lock()
        self._result = ThreadPoolExecutor(1, "training").submit(self._run, plan, device, threads)

    def news(self, stop: bool) -> tuple[list[Event], TrainingResult | None]:
        self._is_asked |= stop
        has_ended = self._result.done()
        with self._turn:
            told, self._events = self._events, []
        return told, self._result.result() if has_ended and not told else None

    def _run(self, plan: TrainingPlan, device: str, threads: int | None) -> TrainingResult:
        if threads:
            torch.set_num_threads(threads)
        return train(plan, self._heard, lambda: self._is_asked, device)

    def _heard(self, event: Event) -> None:
        with self._turn:
            self._events.append(event)


def _kept(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.relative_to(folder).parts[0] != _STATES:
            yield path
