"""The demo's work: datasets, two trainings, two comparisons, every picture read. Each stage goes on where it stopped.

What is whole is left alone and all else is a function of the sizes, so a demo that was killed ends with the answer of
one that was not.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from ohwx_compare.compare.host import Interruption
from ohwx_compare.compare.page import write_page
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, run
from ohwx_compare.compare.sheet import write_sheets
from ohwx_compare.core.events import Listener, Started
from ohwx_compare.core.experiment import Experiment
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.errors import Interrupted
from ohwx_compare.files.atomic import SUFFIX
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.ledger import Run, open_run
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.toy.datasets import write_class, write_subject
from ohwx_compare.toy.demo.progress import DRAWN, READ, SHOWN, Progress, drawing_left, training_left
from ohwx_compare.toy.demo.readings import Readings, read_run, read_truths
from ohwx_compare.toy.demo.sizes import ARMS, BASE, BATCH, SIDE, SUBJECT_IMAGES, Sizes
from ohwx_compare.toy.reader import Reader
from ohwx_compare.toy.styles import PHOTO
from ohwx_compare.train.loop import train
from ohwx_compare.train.plan import make_plan

__all__ = ["Parts", "work"]

_STAGES = 7
_TOGETHER = 8  # pictures drawn at once
_WORDS = {"comparison": "drawing the subject", "class": "drawing “a man”", "faces": "drawing small faces"}


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
    progress: Progress
    asked: Callable[[], bool]


@contextmanager
def _one_thread() -> Iterator[None]:
    """So small a model gains little from a second one, and waits long for it where another program has the core."""
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
    here = _Work(folder, sizes, parts, Progress(listen), asked)
    listen(Started("demo", _STAGES, _cost(here)))
    _prepare(here)
    for arm in ARMS:
        _train(here, arm)
    runs = {name: _compare(here, name, each) for name, each in sizes.experiments(parts.detector).items()}
    here.progress.enter("reading every picture", READ)
    reader = parts.load_reader()
    read = {
        name: read_run(reader, each, sizes, (PHOTO,) if name == "class" else sizes.styles, here.progress.advance)
        for name, each in runs.items()
    }
    return Readings(
        subject=read["comparison"],
        drift=read["class"],
        small=read["faces"],
        truths=read_truths(reader, sizes, here.progress.advance),
    )


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
        (root / "train", SUBJECT_IMAGES, lambda: write_subject(root / "train", count=SUBJECT_IMAGES, size=SIDE)),
        (root / "reg", sizes.reg_images, lambda: write_class(root / "reg", "man", count=sizes.reg_images, size=SIDE)),
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
    for path, write in models.items():
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(path.name + SUFFIX)
            write(beside)
            os.replace(beside, path)  # noqa: PTH105  the one call that replaces on Windows too


def _train(here: _Work, arm: str) -> None:
    how = "with" if arm == "reg" else "without"
    here.progress.enter(f"training {how} regularization images", BATCH * SHOWN)
    plan = make_plan(here.sizes.recipe(here.folder, arm))
    if not train(plan, here.progress, here.asked).is_finished:
        raise Interrupted


def _compare(here: _Work, name: str, experiment: Experiment) -> Run:
    """An ordinary run of `experiment` into the folder `name`, with its sheets and page."""
    here.progress.enter(_WORDS[name])
    folder, hashes = here.folder, here.parts.hashes
    host = NativeHost(
        [folder],
        device="cpu",
        interruption=lambda: Interruption.FINISH_CELL if here.asked() else Interruption.RUN_ON,
        hashes=hashes,
    )
    try:
        result = run(
            experiment,
            host,
            cache(lambda detector: find_detector(detector, [folder / "detectors"], device="cpu")),
            folder / name,
            here.progress,
            resolve=in_folder(folder, {}, hashes),
            options=Options(batch=_TOGETHER),
        )
    finally:
        host.close()
    finished = open_run(folder / name)
    write_sheets(finished)
    write_page(finished)
    if result.is_interrupted:
        raise Interrupted
    return finished
