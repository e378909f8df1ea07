"""How long a planned run takes here: its own first batches with few steps, twice, extrapolated to all steps.

Time is linear in steps: a batch costs `fixed` (texts, VAE, saving) and `step` for each step. Both are measured for each
kind of batch that the plan holds, at its own size and number of pictures, on the machine and checkpoint it will run on.
How many faces there will be cannot be known; each tab counts as many as its top k allows, or one.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from ohwx_compare.compare.cost.plan import ComparisonPlan
from ohwx_compare.compare.face_pass import face_job
from ohwx_compare.compare.host import Checkpoint, Host
from ohwx_compare.compare.work import BatchWork
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.core.request.steps import expected_faces, face_steps, picture_steps
from ohwx_compare.files.images import load_rgb, write_png, write_thumbnail

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Pace", "seconds"]

FEW, MORE = 1, 4  # steps
AT_LEAST, AT_MOST = 2.0, 5  # seconds and times that a measurement is repeated for


@dataclass(frozen=True)
class Pace:
    """What one batch costs, in seconds."""

    fixed: float
    step: float

    def of(self, steps: float) -> float:
        """Seconds of a batch with so many steps."""
        return self.fixed + self.step * steps


def seconds(
    plan: ComparisonPlan,
    host: Host,
    detectors: Mapping[str, "Detector"],
    clock: Callable[[], float] = time.perf_counter,
) -> float | None:
    """Wall time that `plan` will take, sheets included; None where no checkpoint of it has a file.

    Loads the first checkpoint of the plan, switches to the second, whose switch stands for all that follow, and
    generates with the one loaded last; the caller closes `host`. Raises what the host raises.
    """
    found = [visit.checkpoint for visit in plan.visits if visit.checkpoint]
    if not found:
        return None if plan.visits else 0.0
    measure = _Measure(host, detectors, clock)
    first, *others = found
    load = measure.load(first)
    switch = measure.switch(first, others[0]) / _size(others[0]) if others else load / _size(first)
    loads = load + switch * (sum(map(_size, others)) + _size(first) * (len(plan.visits) - len(found)))
    return loads + sum(measure.cost(draw) for visit in plan.visits for draw in visit.draws)


class _Measure:
    """Each kind of batch measured once."""

    def __init__(self, host: Host, detectors: Mapping[str, "Detector"], clock: Callable[[], float]):
        self.host, self.detectors, self.clock = host, detectors, clock
        self.paces: dict[tuple[object, ...], Pace] = {}
        self.detections: dict[tuple[object, ...], float] = {}
        self.savings: dict[tuple[int, int], float] = {}

    def time(self, do: Callable[[], object]) -> float:
        """Seconds that `do` takes: the mean of as many repetitions as make it certain."""
        spent: list[float] = []
        while sum(spent) < AT_LEAST and len(spent) < AT_MOST:
            started = self.clock()
            do()
            spent.append(self.clock() - started)
        return sum(spent) / len(spent)

    def load(self, checkpoint: Checkpoint) -> float:
        """Seconds to load a checkpoint; a small one again and again, since the first load also loads the program."""
        started = self.clock()
        self.host.use(checkpoint)
        first = self.clock() - started
        if first > AT_LEAST:
            return first

        def again() -> None:
            self.host.close()
            self.host.use(checkpoint)

        return self.time(again)

    def switch(self, loaded: Checkpoint, other: Checkpoint) -> float:
        """Seconds to go from one checkpoint to another: a host may read no more than what differs."""
        turns = cycle((other, loaded))
        return self.time(lambda: self.host.use(next(turns)))

    def cost(self, draw: BatchWork) -> float:
        """Seconds of one batch's work, up to its pictures on the sheet."""
        total = 0.0
        if draw.jobs:
            total += self.render(draw.jobs).of(picture_steps(draw.jobs[0])) + sum(map(self.saving, draw.jobs))
        for tabs in dict.fromkeys(cell.faces for cell in draw.faces):
            jobs = [cell.job for cell in draw.faces if cell.faces == tabs]
            total += sum(self.tab(tab, jobs) for tab in tabs) + sum(map(self.saving, jobs))
        return total

    def render(self, jobs: Sequence[Job]) -> Pace:
        """The pace of a batch from noise."""
        kind: tuple[object, ...] = ("render", len(jobs), _kind(jobs[0]))
        if kind not in self.paces:
            self.paces[kind] = self.pace(lambda steps: list(self.host.render(_with_steps(jobs, steps))))
        return self.paces[kind]

    def tab(self, tab: FaceSettings, jobs: Sequence[Job]) -> float:
        """Seconds of one tab over pictures of one batch: detection, then face by face."""
        asked = [face_job(job, tab, 0) for job in jobs]
        kind: tuple[object, ...] = ("inpaint", len(jobs), _kind(asked[0].job), jobs[0].width, jobs[0].height, tab.model)
        if kind not in self.paces:
            images = [_noise(job) for job in jobs]
            detector = self.detectors[tab.model]
            detector.detect(images[:1], tab.confidence)  # warm
            self.detections[kind] = self.time(lambda: detector.detect(images, tab.confidence))
            masks = [_face(image.size) for image in images]
            self.paces[kind] = self.pace(lambda steps: list(self.host.inpaint(_few(asked, steps), images, masks)))
        return self.detections[kind] + expected_faces(tab) * self.paces[kind].of(face_steps(jobs[0], tab))

    def pace(self, draw: Callable[[int], object]) -> Pace:
        """Two lengths give the line, after a first one that warms up."""
        draw(FEW)
        few, more = (self.time(partial(draw, steps)) for steps in (FEW, MORE))
        step = max(more - few, 0.0) / (MORE - FEW)
        return Pace(max(few - FEW * step, 0.0), step)

    def saving(self, job: Job) -> float:
        """Seconds to write a picture and its thumbnail, read it, and write it once more on a sheet."""
        size = (job.width, job.height)
        if size not in self.savings:
            image = _noise(job)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "picture.png"

                def save() -> None:
                    write_png(path, image, "")
                    write_thumbnail(path.with_suffix(".jpg"), image)
                    write_png(path, load_rgb(path), "")

                self.savings[size] = self.time(save)
        return self.savings[size]


def _size(checkpoint: Checkpoint) -> int:
    return checkpoint.path.stat().st_size


def _kind(job: Job) -> tuple[object, ...]:
    """What a step's cost depends on."""
    return job.width, job.height, job.sampler, job.prompt.count(" AND ")


def _noise(job: Job) -> Image.Image:
    """A picture that no format compresses."""
    size = (job.width, job.height)
    return Image.merge("RGB", [Image.effect_noise(size, 64) for _ in range(3)])


def _with_steps(jobs: Iterable[Job], steps: int) -> list[Job]:
    """They cost as much a step without their second pass, whose steps are counted by its share of the pixels."""
    return [replace(job, steps=steps, hires_upscaler=None) for job in jobs]


def _few(asked: Iterable[InpaintJob], steps: int) -> list[InpaintJob]:
    """The same inpaints with so many steps: of s steps, int(d * s) + 1 run at denoise d."""
    return [replace(one, job=replace(one.job, steps=2 * steps - 2 or 1, denoise=0.5)) for one in asked]


def _face(size: tuple[int, int]) -> Image.Image:
    """A mask of a quarter of the width and height, in the middle."""
    width, height = size
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle((width * 3 // 8, height * 3 // 8, width * 5 // 8, height * 5 // 8), fill=255)
    return mask
