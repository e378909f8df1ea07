"""A real run that tells at any instant what it is doing, for who kills it: one byte of a shared file is its phase."""

import mmap
import os
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

PHASES = ("not begun", "between", "load", "render", "detect", "inpaint", "PNG write", "commit")
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


class Phase:
    """The phase byte of `file`, and who sets it."""

    def __init__(self, file: Path):
        with file.open("r+b") as opened:
            self.byte = mmap.mmap(opened.fileno(), 1)

    @property
    def name(self) -> str:
        return PHASES[self.byte[0]]

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        before = self.byte[0]
        self.byte[0] = PHASES.index(name)
        yield
        self.byte[0] = before

    def during(self, name: str, function):
        def timed(*arguments, **more):
            with self(name):
                return function(*arguments, **more)

        return timed


class PhasedHost(NativeHost):
    """The real host; each picture that it is asked for is a line in `log` first."""

    def __init__(self, models: Path, phase: Phase, log: Path):
        super().__init__([models], device="cpu")
        self.phase, self.log = phase, log

    def use(self, checkpoint, **more):
        with self.phase("load"):
            self.loaded = super().use(checkpoint, **more)
        return self.loaded

    def render(self, jobs):
        self.say("render", jobs)
        with self.phase("render"):
            return list(super().render(jobs))

    def inpaint(self, jobs, images, masks):
        self.say("inpaint", [asked.job for asked in jobs])
        with self.phase("inpaint"):
            return list(super().inpaint(jobs, images, masks))

    def say(self, what, jobs):
        with self.log.open("a", encoding="utf-8") as file:
            file.writelines(f"{what} {self.loaded.sha256} {job.seed}\n" for job in jobs)


def draw(models: Path, detectors: Path, out: Path, file: Path) -> None:
    """Draw the twelve cells into `out` on a slow disk, phases into `file`, the log beside it."""
    phase, flush, connect = Phase(file), os.fsync, schema.connect

    def slow_flush(descriptor):
        time.sleep(FLUSH)
        flush(descriptor)

    def slow_connect(path, **more):  # a commit flushes journal, database and folder
        db = connect(path, **more)
        db.set_trace_callback(lambda sql: time.sleep(3 * FLUSH) if sql == "COMMIT" else None)
        return db

    os.fsync, schema.connect = slow_flush, slow_connect
    shelf.write_png = phase.during("PNG write", shelf.write_png)
    shelf.write_thumbnail = phase.during("PNG write", shelf.write_thumbnail)
    writer.Ledger.commit = phase.during("commit", writer.Ledger.commit)
    detector = find_detector("drawn_yolov8.pt", [detectors])
    detector.detect = phase.during("detect", detector.detect)
    host = PhasedHost(models, phase, file.with_suffix(".log"))
    with phase("between"):
        draw_run(TWELVE, host, lambda name: detector, out, resolve=in_folder(models, {}), options=Options(batch=4))
