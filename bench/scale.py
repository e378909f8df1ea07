"""How many cards one head keeps busy: workers in this process that deliver a recorded picture after a card's time.

    python bench/scale.py                              # all of it, as tables in Markdown: 8 minutes
    python bench/scale.py --workers 100 --seconds 60   # one line of the first
    python bench/scale.py --plan 50000                 # one of the second: a run before its first picture

All that is simulated is the card: it sleeps, and gives the bytes of one 1,024 px PNG, its thumbnail and digests. The
head checks the bytes, writes both files with an infotext of their own, flushes them, and commits each cell, as it does
for a run. Each worker has its thread, as a worker far away has. Printed: the share of its time that a card generates,
cells a second, seconds of this process's CPU a cell.
"""

import argparse
import hashlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from ohwx_compare.compare.crew import Crew
from ohwx_compare.compare.drawing import DrawnPicture, HostWorker
from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.compare.work import Wanted
from ohwx_compare.core.events import Event, Started
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef, PromptPair
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.packed import PackedPicture, packed
from ohwx_compare.testing.fake_host import FakeHost

SIDE = 1024
WARM = 6.0  # s before the measuring begins: all workers start at once
STYLES, CHECKPOINTS = 275, 10
WORKERS = (1, 10, 50, 100, 150, 200, 300, 500, 1000)
PLANS = (11_000, 50_000)  # more than the second no experiment may have


def recorded() -> PackedPicture:
    """A picture about as hard to pack as one of SDXL: 1.4 MB."""
    chance = np.random.default_rng(0)
    coarse = Image.fromarray(chance.integers(0, 256, (16, 16, 3), dtype=np.uint8)).resize((SIDE, SIDE))
    grain = chance.normal(0, 1.6, (SIDE, SIDE, 1))
    pixels = np.asarray(coarse.filter(ImageFilter.GaussianBlur(20)), dtype=np.float64) + grain
    return packed(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


class Card(HostWorker):
    """A worker whose card takes `seconds` for a picture."""

    def __init__(self, number: int, picture: PackedPicture, seconds: float):
        super().__init__(FakeHost(Path()))
        self.name, self.picture, self.seconds = f"card {number}", picture, seconds
        self.spells: list[tuple[float, float]] = []  # from when to when it generated

    def use(self, checkpoint: Checkpoint) -> Loaded:
        return Loaded(checkpoint, hashlib.sha256(checkpoint.name.encode()).hexdigest())

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        return None

    def draw(
        self, loaded: Loaded, stage: Sequence[Wanted], before: Callable[[str], Image.Image]
    ) -> Iterator[DrawnPicture]:
        for wanted in stage:
            began = time.monotonic()
            time.sleep(self.seconds)
            self.spells.append((began, time.monotonic()))
            digest = hashlib.sha256(wanted.key.encode()).hexdigest()  # each picture is another
            yield DrawnPicture(image=replace(self.picture, pixels=digest), outcome=Outcome.DRAWN)

    def busy(self, start: float, end: float) -> float:
        """Seconds of that time in which it generated."""
        return sum(max(min(b, end) - max(a, start), 0.0) for a, b in self.spells)


def experiment_of(cells: int) -> Experiment:
    seeds = max(cells // (STYLES * CHECKPOINTS), 1)
    names = tuple(CheckpointRef(f"me-{number:06d}.safetensors") for number in range(CHECKPOINTS))
    prompts = tuple(
        PromptPair(f"ohwx man in style {number}, portrait, {'detailed, ' * 20}") for number in range(STYLES)
    )
    axes = (Axis("checkpoint", names), Axis("prompt", prompts), Axis("seed", tuple(range(seeds))))
    return Experiment(job=Job(prompt="ohwx man", seed=0, steps=30, width=SIDE, height=SIDE), axes=axes)


def run(count: int, cells: int, seconds: float, picture: PackedPicture, card: float) -> dict[str, float]:
    """Measure `count` cards of `card` s a picture for so many seconds."""
    cards = [Card(number, picture, card) for number in range(count)]
    began = threading.Event()
    started: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            started.append(time.monotonic())
            began.set()

    def asked() -> Interruption:
        is_over = began.is_set() and time.monotonic() > started[0] + WARM + seconds
        return Interruption.FINISH_CELL if is_over else Interruption.RUN_ON

    folder = Path(tempfile.mkdtemp(prefix="scale"))
    try:
        before = time.process_time()
        result = draw_run(
            experiment_of(cells), Crew(cards, asked), no_detector, folder / "out", listen,
            resolve=lambda ref: Checkpoint(ref.name, Path("/nowhere") / ref.name), options=Options(batch=1),
        )  # fmt: skip
        spent = time.process_time() - before
    finally:
        shutil.rmtree(folder)
    start, end = started[0] + WARM, started[0] + WARM + seconds
    busy = sum(one.busy(start, end) for one in cards) / (count * seconds)
    return {"busy": busy, "a_second": busy * count / card, "cpu": spent / max(result.drawn, 1), "cells": result.drawn}


def no_detector(name: str) -> Any:
    raise LookupError(name)


def plan(cells: int) -> Mapping[str, float]:
    """What a run costs before its first picture: it is stopped there."""
    folder, began = Path(tempfile.mkdtemp(prefix="scale")), time.process_time()
    try:
        experiment = experiment_of(cells)
        announced: list[float] = []

        def listen(event: Event) -> None:
            if isinstance(event, Started):
                announced.append(time.process_time() - began)

        draw_run(
            experiment, Crew([Card(0, recorded(), 0.0)], lambda: Interruption.FINISH_CELL), no_detector,
            folder / "out", listen, resolve=lambda ref: Checkpoint(ref.name, Path("/nowhere") / ref.name),
        )  # fmt: skip
    finally:
        shutil.rmtree(folder)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    return {"cells": len(experiment.cells()), "cpu": announced[0], "megabytes": most}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--cells", type=int, default=11_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="to measure, after 6 s")
    parser.add_argument("--card", type=float, default=3.0, help="seconds of a card for a cell")
    parser.add_argument("--plan", type=int, help="cells of a run that is stopped before its first picture")
    options = parser.parse_args()
    if options.plan:
        told = plan(options.plan)
        print(f"| {told['cells']:,} | {told['cpu']:.1f} s | {told['megabytes']:,.0f} MB |", flush=True)
        return
    if not options.workers:
        print("| cells | CPU before the first picture | memory, whole process |\n|---|---|---|", flush=True)
        for cells in PLANS:  # each in a process of its own; before the workers, whose memory Linux would count for it
            subprocess.run([sys.executable, __file__, "--plan", str(cells)], check=True)
    picture = recorded()
    sizes = f"{len(picture.png):,} bytes, a thumbnail of {len(picture.thumb):,}"
    print(f"\nA picture of {sizes}, {options.card:g} s a cell.\n")
    print("| workers | busy | cells/s | of | CPU of the head, a cell |\n|---|---|---|---|---|", flush=True)
    for count in options.workers or WORKERS:
        got = run(count, options.cells, options.seconds, picture, options.card)
        rates = f"{got['a_second']:.1f} | {count / options.card:.1f}"
        print(f"| {count:,} | {got['busy']:.1%} | {rates} | {1000 * got['cpu']:.1f} ms |", flush=True)


if __name__ == "__main__":
    main()
