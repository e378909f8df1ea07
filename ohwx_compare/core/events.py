"""What long work reports while it runs: typed events, so that a bar, a page and a test can all listen.

A listener is any callable that takes one event. Engines never print.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ohwx_compare.words import counted

__all__ = [
    "Adopted",
    "Adopting",
    "Encoding",
    "Entered",
    "Event",
    "Failed",
    "Hashing",
    "Image",
    "Learned",
    "Listener",
    "Missed",
    "Paused",
    "Sampled",
    "Saved",
    "Skipped",
    "Started",
    "Step",
    "Told",
    "Validated",
]

_NAMED = 5  # labels that a sentence lists


@dataclass(frozen=True)
class Started:
    """A piece of work begins; `total` counts its cells, `cost` its sampling steps (img2img's own count included)."""

    what: str
    total: int
    cost: float = 0.0


@dataclass(frozen=True)
class Entered:
    """A stage of the work begins: its number, from 1 to the `total` of `Started`, and what is done in it."""

    number: int
    what: str


@dataclass(frozen=True)
class Step:
    """`count` sampling steps of cost are done since the last event."""

    count: float


@dataclass(frozen=True)
class Told:
    """A sentence about who does the work: one of several workers leaves, or joins."""

    words: str


@dataclass(frozen=True)
class Hashing:
    """A large file is read whole for its hash, perhaps beside other work: `done` of `total` bytes, 0 at the start.

    At the end, also of a reading that broke off, `done` is `total`.
    """

    file: str
    done: int
    total: int


@dataclass(frozen=True)
class Image:
    """A cell is finished: its number from 1, a label a person can read, and what came of it."""

    number: int
    label: str
    outcome: str


@dataclass(frozen=True)
class Saved:
    """A file is complete on disk."""

    path: str


@dataclass(frozen=True)
class Skipped:
    """A cell was not generated because it is there already, or because the user skipped it."""

    number: int
    label: str
    reason: str


@dataclass(frozen=True)
class Failed:
    """One cell failed; the run continues."""

    number: int
    label: str
    error: str


@dataclass(frozen=True)
class Learned:
    """A training step is done: its number from 1, epoch, mean loss, the share of the full rate, the gradient's norm."""

    step: int
    epoch: int
    loss: float
    rate: float
    norm: float
    memory: int | None = None  # bytes, the most that was in use so far: of the GPU's, or of the process on a CPU


@dataclass(frozen=True)
class Sampled:
    """A sample of a training: after `step` steps, when each training image had been shown `exposures` times."""

    step: int
    exposures: float
    path: str
    prompt: str
    seed: int


@dataclass(frozen=True)
class Validated:
    """Mean squared errors at fixed noise after `step` steps: kind of picture -> timestep -> mean over its pictures."""

    step: int
    exposures: float
    losses: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Missed:
    """Something beside the work failed; the work continues without it."""

    step: int
    what: str
    error: str


@dataclass(frozen=True)
class Encoding:
    """`done` of `total` pictures of a training are read from the cache or encoded; `made` is how many were encoded."""

    done: int
    total: int
    made: int = 0

    @property
    def words(self) -> str:
        """As a person reads it."""
        return f"pictures: {self.done} of {self.total} ready, {self.made} encoded"


@dataclass(frozen=True)
class Adopting:
    """A run folder from elsewhere is taken over: `done` of `total` pictures are compared with what was recorded."""

    done: int
    total: int

    @property
    def words(self) -> str:
        """As a person reads it."""
        return f"adopting: {self.done} of {counted(self.total, 'picture')} compared"


@dataclass(frozen=True)
class Adopted:
    """A run folder from elsewhere was taken over: how many cells are kept, and the labels of those that are not."""

    kept: int
    undone: tuple[str, ...]

    @property
    def words(self) -> str:
        """As a person reads it; of many labels the first ones."""
        said = (
            f"This run was made elsewhere, or by an earlier version, and is adopted: {counted(self.kept, 'cell')} kept"
        )
        if not self.undone:
            return f"{said}."
        names = ", ".join(self.undone[:_NAMED]) + (", ..." if len(self.undone) > _NAMED else "")
        lost = counted(len(self.undone), "cell")
        return f"{said}, {lost} to be generated again because a picture is missing or was changed: {names}."


@dataclass(frozen=True)
class Paused:
    """The work is paused, or resumes, after `step` steps."""

    step: int
    waits: bool


Event = (
    Started
    | Entered
    | Step
    | Told
    | Hashing
    | Image
    | Saved
    | Skipped
    | Failed
    | Learned
    | Sampled
    | Validated
    | Missed
    | Adopted
    | Adopting
    | Encoding
    | Paused
)
Listener = Callable[[Event], None]
