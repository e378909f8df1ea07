"""The demo's work: datasets, two trainings, three comparisons, every picture read. Each resumes where it stopped.

What is whole is left alone and all else is a function of the sizes, so a demo that was killed ends with the answer of
one that was not. Trainings run side by side, and so do comparisons, one thread each: so small a model keeps two cores
busier in that way than by sharing every sum among them, and no core waits for one that another program has.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from threading import Event
from typing import TypeVar

import torch

from ohwx_compare.compare.host import Interruption
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.events import Listener, Started
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.demo.progress import DRAWN, READ, SHOWN, DemoProgress, drawing_left, training_left
from ohwx_compare.demo.readings import Readings, read_run, read_truths
from ohwx_compare.demo.sizes import ARMS, BASE, BATCH, PICTURE_SIDE, SUBJECT_IMAGES, Sizes
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.errors import Interrupted
from ohwx_compare.files.atomic import replacing
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.look.page import write_page
from ohwx_compare.look.sheet import write_sheets
from ohwx_compare.toy.datasets import write_class, write_subject
from ohwx_compare.toy.reader import Reader
from ohwx_compare.toy.styles import PHOTO
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.run.loop import train

__all__ = ["Parts", "work"]

T = TypeVar("T")

_STAGES = 4
_LANES = 2  # trainings or comparisons at once
_TOGETHER = 8  # pictures drawn at once


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the demo starts from."""

    write_base: Callable[[Path], None]  # writes the toy checkpoint to a path
    write_detector: Callable[[Path], None]  # the same for the face detector
    detector: str  # its file name
    load_reader: Callable[[], Reader]
    hashes: Hashes


@dataclass(frozen=True, eq=False)
class _Work:
    folder: Path
    sizes: Sizes
    parts: Parts
    progress: DemoProgress
    asked: Callable[[], bool]


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_one_thread()
def work(folder: Path, sizes: Sizes, parts: Parts, listen: Listener, asked: Callable[[], bool]) -> Readings:
    """Do what `folder` lacks; `asked` tells whether to stop after what is in hand.

    Raises Interrupted then, and what training and comparison raise; all that is finished is kept.
    """
    failed = Event()
    here = _Work(folder, sizes, parts, DemoProgress(listen), lambda: failed.is_set() or asked())
    listen(Started("demo", _STAGES, _cost(here)))
    _prepare(here)
    here.progress.enter("training with and without regularization images", BATCH * SHOWN)
    _side_by_side(failed, [partial(_train, here, arm) for arm in ARMS])
    here.progress.enter("generating the subject, “a man” and small faces")
    experiments = sizes.experiments(parts.detector)
    runs = _side_by_side(failed, [partial(_compare, here, name, each) for name, each in experiments.items()])
    here.progress.enter("reading every picture", READ)
    reader = parts.load_reader()
    read = {
        name: read_run(reader, each, sizes, (PHOTO,) if name == "class" else sizes.styles, here.progress.advance)
        for name, each in zip(experiments, runs, strict=True)
    }
    return Readings(
        subject=read["comparison"],
        drift=read["class"],
        small=read["faces"],
        truths=read_truths(reader, sizes, here.progress.advance),
    )


def _side_by_side(failed: Event, tasks: list[Callable[[], T]]) -> list[T]:
    """What each gives. Where one raises, the others stop after what is in hand, and it is raised again."""

    def done(task: Callable[[], T]) -> T:
        try:
            return task()
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(_LANES) as lanes:
        futures = [lanes.submit(done, task) for task in tasks]
    errors = [error for future in futures if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, Interrupted)):  # the cause before what it stopped
        raise error
    return [future.result() for future in futures]


def _cost(here: _Work) -> float:
    folder, sizes = here.folder, here.sizes
    experiments = sizes.experiments(here.parts.detector)
    training = sum(training_left(folder, sizes, arm) for arm in ARMS) * BATCH * SHOWN
    drawing = sum(drawing_left(folder / name, experiment) for name, experiment in experiments.items())
    cells = sum(len(experiment.cells()) for experiment in experiments.values())
    toys = sum(count for _, count, _ in _datasets(here))
    return training + drawing + toys * DRAWN + (cells + 2 * sizes.truths) * READ


def _datasets(here: _Work) -> list[tuple[Path, int, Callable[[], object]]]:
    """Folder, pictures and writer of each dataset that is not whole."""
    root, sizes = here.folder / "datasets", here.sizes
    both = [
        (
            root / "train",
            SUBJECT_IMAGES,
            lambda: write_subject(root / "train", count=SUBJECT_IMAGES, size=PICTURE_SIDE),
        ),
        (
            root / "reg",
            sizes.reg_images,
            lambda: write_class(root / "reg", "man", count=sizes.reg_images, size=PICTURE_SIDE),
        ),
    ]
    return [one for one in both if len(list(one[0].glob("*/*.png"))) < one[1]]


def _prepare(here: _Work) -> None:
    here.progress.enter("datasets and base checkpoint", DRAWN)
    for _, count, write in _datasets(here):
        write()
        here.progress.advance(count)
    models = {
        here.folder / BASE: here.parts.write_base,
        here.folder / "detectors" / here.parts.detector: here.parts.write_detector,
    }
    for path, write_model in models.items():
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as beside:
                write_model(beside)


def _train(here: _Work, arm: str) -> None:
    plan = make_plan(here.sizes.recipe(here.folder, arm))
    if not train(plan, here.progress, here.asked).is_finished:
        raise Interrupted


def _compare(here: _Work, name: str, experiment: Experiment) -> Run:
    """An ordinary run of `experiment` into the folder `name`, with its sheets and page."""
    folder, hashes = here.folder, here.parts.hashes
    host = NativeHost(
        [folder],
        device="cpu",
        interruption=lambda: Interruption.FINISH_CELL if here.asked() else Interruption.RUN_ON,
        hashes=hashes,
    )
    try:
        result = draw_run(
            experiment,
            host,
            cache(lambda detector: find_detector(detector, [folder / "detectors"], device="cpu")),
            folder / name,
            here.progress,
            resolve=in_folder(folder, {}, hashes),
            options=Options(batch=_TOGETHER, adopt=True),  # what is asked for is our own, whoever began it
        )
    finally:
        host.close()
    finished = open_run(folder / name)
    write_sheets(finished)
    write_page(finished)
    if result.is_interrupted:
        raise Interrupted
    return finished
