"""`Host`: what generates the pictures. Owned by its consumer, the comparison; implemented in `hosts/`.

A host is stateful: `use` a checkpoint, then `render` and `inpaint` with it, `close` at the end, also after an error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from ohwx_compare.core.request.job import InpaintJob, Job

__all__ = ["Checkpoint", "Host", "Interruption", "Loaded", "Rendered", "run_on"]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file that a host can use."""

    name: str  # file name with folders below the checkpoint folder, "/" between them
    path: Path


@dataclass(frozen=True)
class Loaded:
    """A checkpoint and its file's hash, as read from the file and not from a cache of names."""

    checkpoint: Checkpoint
    sha256: str  # of the whole file, lower case hex
    is_sampled: bool = field(default=False, compare=False)  # the whole was not read in this process, only a sample


@dataclass(frozen=True)
class Rendered:
    """One picture and what a person should know about how it came to be."""

    image: Image.Image  # RGB
    notes: tuple[str, ...] = field(default=())  # "the VAE ran in float32 to decode: ...", "prompt cut", ...
    keys: tuple[tuple[str, str], ...] = field(default=())  # of its infotext, besides the job's own: hires fix, LoRAs
    layer: Image.Image | None = None  # RGBA, of soft inpainting: what lies over what was drawn


class Interruption(Enum):
    """What the user asked for since the last look."""

    RUN_ON = "run on"
    FINISH_CELL = "finish this cell, then stop"
    SKIP = "skip this cell"
    STOP = "stop now"


def run_on() -> Interruption:
    """What a user who never interrupts asks for."""
    return Interruption.RUN_ON


class Host(Protocol):
    """Generates pictures with one checkpoint at a time."""

    name: str
    reports_steps: bool  # it tells its steps to a listener of its own; else a run reports them, batch by batch

    def checkpoints(self) -> list[Checkpoint]:
        """All files that `use` accepts, sorted by name."""
        ...

    def sha256(self, checkpoint: Checkpoint) -> str:
        """Of the file as it is now, without loading it, read whole once a process; another thread may ask.

        64 lower case hex digits. Raises CheckpointError.
        """
        ...

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """What the file seems to be, at the cost of a sample; None where nothing is known of it. Raises nothing."""
        ...

    def use(self, checkpoint: Checkpoint, *, sampled: bool = False) -> Loaded:
        """Load `checkpoint` and verify it. Raises CheckpointError or HostError.

        sampled: its hash may be that of a `glance`; who asks for that reads the whole before anything is written.
        """
        ...

    def expect(self, checkpoint: Checkpoint) -> None:
        """Be told what will be used next, while the one in use is still at work; returns at once, raises nothing."""
        ...

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """Generate jobs of one size, in order; they may be one batch.

        Raises OutOfMemoryError where that is too much at once; `inpaint` too.
        """
        ...

    def inpaint(
        self, jobs: Sequence[InpaintJob], images: Sequence[Image.Image], masks: Sequence[Image.Image]
    ) -> Iterator[Rendered]:
        """Inpaint the white of each mask ("L", the image's size) in each image (RGB); whole pictures come back."""
        ...

    def fingerprint(self, job: Job) -> dict[str, Any]:
        """What else changes this job's pixels besides job and checkpoint: JSON values. Needs no loaded checkpoint.

        The same for the same job as long as the host lives. An entry that a host gains later is left out where it is
        off, so that what was generated before it is still found.
        """
        ...

    def beside(self, checkpoint: Checkpoint, job: Job) -> str:
        """What lies beside a checkpoint and changes this job's pixels with it alone, as one word; "" for nothing."""
        ...

    def interruption(self) -> Interruption:
        """What the user asked for; a request is reported once."""
        ...

    def close(self) -> None:
        """Put the user's model and settings back and free memory; safe to call twice."""
        ...
