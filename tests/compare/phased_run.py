"""A real run that tells at any instant what it is doing, for who kills it: a shared file counts who is in each phase.

Several phases at once: files are written by threads while the next pictures are drawn.
"""

import mmap
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch._dynamo  # noqa: F401  what building a model would import in every process anew
from killed_run import EXPERIMENT

from ohwx_compare.compare import shelf
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.files.ledger import schema, writer
from ohwx_compare.hosts.native import NativeHost

PHASES = ("between", "load", "render", "detect", "inpaint", "PNG write", "commit")
FLUSH = 0.02  # s, a hard disk's; an SSD's commits are over before a kill at a random moment finds them

TWELVE = replace(
    EXPERIMENT,
    job=replace(EXPERIMENT.job, steps=4, sampler="Euler", rng="CPU"),
    axes=(
        Axis("checkpoint", tuple(CheckpointRef(name) for name in ("tiny_base", "tiny_reg", "tiny_noreg"))),
        Axis("seed", (1, 2, 3, 4)),
    ),
    faces=(FaceSettings(model="drawn_yolov8.pt", top_k=1, denoise=0.5, steps=2),),
)


class Phases:
    """The phases of the run whose file is `file`, one byte each: how many threads are in it."""

    def __init__(self, file: Path):
        self.lock = threading.Lock()
        with file.open("r+b") as opened:
            self.counts = mmap.mmap(opened.fileno(), len(PHASES))

    def names(self) -> set[str]:
        """Those that the run is in, "between" where it is in no other; none before it has begun."""
        found = {name for name, count in zip(PHASES, self.counts[:], strict=True) if count}
        return found - {"between"} or found

    def clear(self) -> None:
        self.counts[:] = bytes(len(PHASES))

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.count(name, 1)
        try:
            yield
        finally:
            self.count(name, -1)

    def count(self, name: str, more: int) -> None:
        with self.lock:
            self.counts[PHASES.index(name)] += more

    def during(self, name: str, function):
        def timed(*arguments, **more):
            with self(name):
                return function(*arguments, **more)

        return timed


class PhasedHost(NativeHost):
    """The real host; each picture that it is asked for is a line in `log` first."""

    def __init__(self, models: Path, phases: Phases, log: Path):
        super().__init__([models], device="cpu")
        self.phases, self.log = phases, log

    def use(self, checkpoint, **more):
        with self.phases("load"):
            self.loaded = super().use(checkpoint, **more)
        return self.loaded

    def render(self, jobs):
        self.say("render", jobs)
        with self.phases("render"):
            return list(super().render(jobs))

    def inpaint(self, jobs, images, masks):
        self.say("inpaint", [asked.job for asked in jobs])
        with self.phases("inpaint"):
            return list(super().inpaint(jobs, images, masks))

    def say(self, what, jobs):
        with self.log.open("a", encoding="utf-8") as file:
            file.writelines(f"{what} {self.loaded.sha256} {job.seed}\n" for job in jobs)


def draw(models: Path, detectors: Path, out: Path, file: Path) -> None:
    """Draw the twelve cells into `out` on a slow disk, phases into `file`, the log beside it."""
    phases, flush, connect = Phases(file), os.fsync, schema.connect

    def slow_flush(descriptor):
        time.sleep(FLUSH)
        flush(descriptor)

    def slow_connect(path, **more):  # a commit flushes journal, database and folder
        db = connect(path, **more)
        db.set_trace_callback(lambda sql: time.sleep(3 * FLUSH) if sql == "COMMIT" else None)
        return db

    os.fsync, schema.connect = slow_flush, slow_connect
    shelf.write_png = phases.during("PNG write", shelf.write_png)
    shelf.write_thumbnail = phases.during("PNG write", shelf.write_thumbnail)
    writer.Ledger.commit = phases.during("commit", writer.Ledger.commit)
    detector = find_detector("drawn_yolov8.pt", [detectors])
    detector.detect = phases.during("detect", detector.detect)
    host = PhasedHost(models, phases, file.with_suffix(".log"))
    with phases("between"):
        draw_run(TWELVE, host, lambda name: detector, out, resolve=in_folder(models, {}), options=Options(batch=4))
