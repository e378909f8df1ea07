"""A host without a model, for tests and for trying the rest of the package: pictures that are functions of their job.

Every picture is a coarse mosaic from the sha256 of all that a real one would depend on, so a wrong checkpoint, job,
mask or order shows as another picture.
"""

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded, Rendered
from ohwx_compare.core.experiment.key_text import JOB_DEFAULTS
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.errors import HostError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.hashes import Hashes

__all__ = ["FakeHost", "Faults"]

_TILES = 8


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong on purpose."""

    wrong: frozenset[str] = frozenset()  # checkpoints for which another file turns out to be loaded
    sticks: bool = False  # draws with the first checkpoint for ever and says nothing
    fails: Callable[[Job], bool] = lambda job: False  # jobs that raise
    seconds: float = 0.0  # a picture takes this long


class FakeHost:
    """Generates mosaics with any files as checkpoints; see `ohwx_compare.compare.host.Host`.

    log: a file that gets a line for each use, expect, render and inpaint, flushed before the picture is given.
    hashes: as other hosts have them; without, every file is read each time.
    """

    name = "fake"
    linear = "torch"
    reports_steps = False

    def __init__(
        self, folder: Path, *, faults: Faults = Faults(), log: Path | None = None, hashes: Hashes | None = None
    ):
        self.folder = folder
        self.faults = faults
        self.log = log
        self.hashes = hashes
        self.requests: deque[Interruption] = deque()  # reported one a look, oldest first
        self.is_closed = False
        self._drawn_with = ""

    def checkpoints(self) -> list[Checkpoint]:
        """All .safetensors files below the folder, sorted by name."""
        paths = sorted(self.folder.rglob("*.safetensors"))
        return [Checkpoint(path.relative_to(self.folder).as_posix(), path) for path in paths]

    def sha256(self, checkpoint: Checkpoint) -> str:
        """Of the file's bytes. Raises CheckpointError where it cannot be read."""
        return self.hashes(checkpoint.path) if self.hashes else sha256(checkpoint.path)

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """By the hashes that it was given."""
        seen = self.hashes.glance(checkpoint.path) if self.hashes else None
        return Loaded(checkpoint, seen.contents.sha256, not seen.is_certain) if seen else None

    def use(self, checkpoint: Checkpoint, *, sampled: bool = False) -> Loaded:
        """Take the file's real sha256 as its weights. Raises HostError for one among `faults.wrong`."""
        self._say("use", checkpoint.name)
        seen = self.glance(checkpoint) if sampled else None
        loaded = seen or Loaded(checkpoint, self.sha256(checkpoint))
        if checkpoint.name in self.faults.wrong:
            raise HostError(f"Asked for {checkpoint.name}, but another file is loaded; try again.")
        if not (self.faults.sticks and self._drawn_with):
            self._drawn_with = sha256(checkpoint.path) if loaded.is_sampled else loaded.sha256
        return loaded

    def expect(self, checkpoint: Checkpoint) -> None:
        """Log it."""
        self._say("expect", checkpoint.name)

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """Generate each job by itself. Raises HostError for one that `faults.fails` names."""
        for job in jobs:
            self._work("render", job)
            yield Rendered(_mosaic(job.width, job.height, self._drawn_with, _told(asdict(job))))

    def inpaint(
        self, jobs: Sequence[InpaintJob], images: Sequence[Image.Image], masks: Sequence[Image.Image]
    ) -> Iterator[Rendered]:
        """Replace the white of each mask by a mosaic of job, picture and mask."""
        for asked, image, mask in zip(jobs, images, masks, strict=True):
            self._work("inpaint", asked.job)
            new = _mosaic(*image.size, self._drawn_with, _told(asdict(asked)), image.tobytes(), mask.tobytes())
            yield Rendered(Image.composite(new, image, mask))

    def fingerprint(self, job: Job) -> dict[str, Any]:
        """Nothing but its own name."""
        return {"host": self.name}

    def beside(self, checkpoint: Checkpoint, job: Job) -> str:
        """Nothing."""
        return ""

    def interruption(self) -> Interruption:
        """The oldest of `requests`."""
        return self.requests.popleft() if self.requests else Interruption.RUN_ON

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True

    def _work(self, what: str, job: Job) -> None:
        if self.faults.fails(job):
            raise HostError(f"The fake host was told to fail at seed {job.seed}.")
        time.sleep(self.faults.seconds)
        self._say(what, f"{self._drawn_with[:10]} {job.seed} {job.prompt}")

    def _say(self, what: str, about: str) -> None:
        if self.log:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{what} {about}\n")


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without what stands at its key default: a setting that comes later changes no picture of earlier ones."""
    plain = {name: _told(value) if isinstance(value, dict) else value for name, value in settings.items()}
    return {name: value for name, value in plain.items() if name not in JOB_DEFAULTS or value != JOB_DEFAULTS[name]}


def _mosaic(width: int, height: int, *parts: object) -> Image.Image:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode())
    draw = np.random.default_rng(list(digest.digest()))
    tiles = draw.integers(0, 256, (_TILES, _TILES, 3), dtype=np.uint8)
    return Image.fromarray(tiles).resize((width, height), Image.Resampling.NEAREST)
