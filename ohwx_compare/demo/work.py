"""The demo's work: datasets, two trainings, three comparisons, every picture read. Each resumes where it stopped.

What is whole is left alone and all else is a function of the sizes, so a demo that was killed ends with the answer of
one that was not. Trainings run side by side, and so do comparisons, one thread each: so small a model keeps two cores
busier in that way than by sharing every sum among them, and no core waits for one that another program has.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from ohwx_compare.core.events import Listener, Started
from ohwx_compare.demo.progress import DRAWN, READ, SHOWN, DemoProgress, drawing_left, training_left
from ohwx_compare.demo.readings import Readings, read_run, read_truths
from ohwx_compare.demo.sizes import ARMS, BASE, BATCH, PICTURE_SIDE, SUBJECT_IMAGES, Sizes
from ohwx_compare.files.atomic import replacing, write_text
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.study.study import read_study
from ohwx_compare.study.work import StudyTools, compare_all, plans_of, train_all
from ohwx_compare.toy.datasets import write_class, write_subject
from ohwx_compare.toy.reader import Reader
from ohwx_compare.toy.styles import PHOTO

__all__ = ["STUDY", "Parts", "work"]

STUDY = "experiment.json"  # the whole of it as a file of `ohwx experiment`, in the demo's folder
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
    here = _Work(folder, sizes, parts, DemoProgress(listen))
    listen(Started("demo", _STAGES, _cost(here)))
    _prepare(here)
    study = read_study(folder / STUDY)
    tools = StudyTools(
        detectors=(folder / "detectors",), hashes=parts.hashes, listen=here.progress, asked=asked, batch=_TOGETHER,
        lanes=_LANES,
    )  # fmt: skip
    here.progress.enter("training with and without regularization images", BATCH * SHOWN)
    plans = plans_of(study, folder)
    train_all(plans, tools)
    here.progress.enter("generating the subject, “a man” and small faces")
    runs = compare_all(study, study.experiments(plans, folder), folder, tools)
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
    write_text(here.folder / STUDY, json.dumps(here.sizes.study(here.parts.detector), indent=2) + "\n")
    for path, write_model in models.items():
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as beside:
                write_model(beside)
