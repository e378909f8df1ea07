"""A worker generates pictures: wanted ones in, finished ones out; it knows neither run folder nor ledger."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from ohwx_compare.compare.face_pass import detail
from ohwx_compare.compare.host import Checkpoint, Host, Loaded
from ohwx_compare.compare.work import Wanted
from ohwx_compare.core.experiment.outcome import FaceRecord, Outcome
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import CheckpointError, HostError, OhwxError, OtherBytesError
from ohwx_compare.files.packed import PackedPicture

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["DrawnPicture", "HostWorker", "StationCard", "Worker"]


@dataclass(frozen=True, kw_only=True)
class DrawnPicture:
    """A picture as a worker gives it back."""

    image: Image.Image | PackedPicture  # RGB, packed already or not
    outcome: Outcome
    notes: tuple[str, ...] = ()  # of this picture alone, not those of the picture before its face pass
    keys: tuple[tuple[str, str], ...] = ()  # of its infotext, besides the job's own; of pictures from noise
    faces: tuple[FaceRecord, ...] = ()


@dataclass(frozen=True)
class StationCard:
    """What computes at a station."""

    device: str  # the model of the card or processor
    dtype: str
    versions: str  # of the program and of torch
    pixels: int = 0  # `PIXELS` there; 0 in versions that did not tell

    @property
    def words(self) -> str:
        """As a person reads it."""
        return f"{self.device}, {self.dtype}, {self.versions}"


class Worker(Protocol):
    """Generates with one checkpoint at a time, for the process that holds the run folder and alone commits.

    Where it is no longer there, whatever it is asked raises WorkerGoneError.
    """

    name: str  # as shown to people, different from every other worker's of a run
    reports_steps: bool  # it tells its steps to a listener of its own; else the run reports them, stage by stage

    def about(self) -> StationCard | None:
        """What computes there; None where that is not known, or is this process."""
        ...

    def equip(self, detectors: Mapping[str, "Detector"]) -> None:
        """Be given the detectors of a run by the names that its face passes have for them."""
        ...

    def fingerprints(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Of each job; see `Host.fingerprint`."""
        ...

    def besides(self, checkpoint: Checkpoint, jobs: Sequence[Job]) -> list[str]:
        """Of each job; see `Host.beside`."""
        ...

    def sha256(self, checkpoint: Checkpoint) -> str:
        """See `Host.sha256`."""
        ...

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """See `Host.glance`."""
        ...

    def use(self, checkpoint: Checkpoint) -> Loaded:
        """Load `checkpoint` and verify it. Raises CheckpointError or HostError.

        Where its hash is sampled, the whole file is read from now on, beside what is drawn.
        """
        ...

    def confirm(self, loaded: Loaded) -> None:
        """Return once the whole file has the hash of `loaded`. Raises OtherBytesError where it has another."""
        ...

    def expect(self, checkpoint: Checkpoint) -> None:
        """Be told what will be used next, while the one in use is still at work; returns at once, raises nothing."""
        ...

    def draw(
        self, loaded: Loaded, stage: Sequence[Wanted], before: Callable[[str], Image.Image]
    ) -> Iterator[DrawnPicture]:
        """Generate one stage of a batch (`BatchWork.stages`), in order; `loaded` is loaded where it is not in use.

        before: gives the picture of a key, whose faces are inpainted. Raises what `Host` and detectors raise, and
        HostError where the file is no longer what was `loaded`.
        """
        ...

    def is_back(self) -> bool:
        """Whether one that was gone is there again."""
        ...

    def close(self) -> None:
        """Free what it holds; safe to call twice, and from another thread while it is at work."""
        ...


class HostWorker:
    """A worker in this process: a host, which its owner closes, and the detectors, by name."""

    def __init__(self, host: Host, detectors: Mapping[str, "Detector"] | None = None):
        self.host, self.detectors = host, detectors or {}
        self.name, self.reports_steps = host.name, host.reports_steps
        self._in_use: Loaded | None = None
        self._whole: _Whole | None = None

    def about(self) -> StationCard | None:
        """None: this process."""
        return None

    def equip(self, detectors: Mapping[str, "Detector"]) -> None:
        """Take them."""
        self.detectors = detectors

    def fingerprints(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """The host's."""
        return [self.host.fingerprint(job) for job in jobs]

    def besides(self, checkpoint: Checkpoint, jobs: Sequence[Job]) -> list[str]:
        """The host's."""
        return [self.host.beside(checkpoint, job) for job in jobs]

    def sha256(self, checkpoint: Checkpoint) -> str:
        """The host's."""
        return self.host.sha256(checkpoint)

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """The host's."""
        return self.host.glance(checkpoint)

    def is_back(self) -> bool:
        """False: where this process is gone, all is."""
        return False

    def close(self) -> None:
        """Nothing: the host is its owner's."""

    def use(self, checkpoint: Checkpoint) -> Loaded:
        """Load `checkpoint`. Raises what the host raises."""
        self._in_use = None
        seen = self.host.glance(checkpoint)
        is_sampled = seen is not None and seen.is_sampled
        self._in_use = self.host.use(checkpoint, sampled=True) if is_sampled else self.host.use(checkpoint)
        self._whole = _Whole(self.host, checkpoint) if self._in_use.is_sampled else None
        return self._in_use

    def confirm(self, loaded: Loaded) -> None:
        """See `Worker.confirm`."""
        if not loaded.is_sampled:
            return
        name = loaded.checkpoint.name
        if self._whole is None or self._whole.checkpoint != loaded.checkpoint:
            self._whole = _Whole(self.host, loaded.checkpoint)
        try:
            sha256 = self._whole.sha256()
        except (CheckpointError, HostError) as error:
            raise OtherBytesError(str(error)) from error
        if sha256 != loaded.sha256:
            raise OtherBytesError(f"{name} changed where no sample showed it; its pictures are generated again.")

    def expect(self, checkpoint: Checkpoint) -> None:
        """Tell the host."""
        self.host.expect(checkpoint)

    def draw(
        self, loaded: Loaded, stage: Sequence[Wanted], before: Callable[[str], Image.Image]
    ) -> Iterator[DrawnPicture]:
        """See `Worker.draw`."""
        if not stage:
            return
        if self._in_use != loaded and self.use(loaded.checkpoint) != loaded:
            raise HostError(f"{loaded.checkpoint.name} changed during this run; start the run again.")
        try:
            yield from self._drawn(stage, before)
        except OhwxError:
            self._in_use = None  # the host may have lost it
            raise

    def _drawn(self, stage: Sequence[Wanted], before: Callable[[str], Image.Image]) -> Iterator[DrawnPicture]:
        jobs, tabs = [wanted.cell.job for wanted in stage], stage[0].cell.faces
        if not tabs:
            for drawn in self.host.render(jobs):
                yield DrawnPicture(image=drawn.image, outcome=Outcome.DRAWN, notes=drawn.notes, keys=drawn.keys)
            return
        images = [before(wanted.before or "") for wanted in stage]
        for after in detail(self.host, [self.detectors[tab.model] for tab in tabs], tabs, jobs, images):
            yield DrawnPicture(image=after.image, outcome=after.outcome, notes=after.notes, faces=after.faces)


class _Whole:
    """A thread that reads a checkpoint's file whole for its hash."""

    def __init__(self, host: Host, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        self._host, self._sha256 = host, ""
        self._error: OhwxError | None = None
        self._thread = threading.Thread(target=self._read, name="read whole", daemon=True)
        self._thread.start()

    def sha256(self) -> str:
        """Waits for it. Raises CheckpointError or HostError where it could not be read."""
        self._thread.join()
        if self._error:
            raise self._error
        return self._sha256

    def _read(self) -> None:
        try:
            self._sha256 = self._host.sha256(self.checkpoint)
        except (CheckpointError, HostError) as error:
            self._error = error
