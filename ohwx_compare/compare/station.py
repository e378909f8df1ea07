"""A worker in another process: the `Station` there, the `DistantWorker` here, and whatever carries values between them.

Pictures from noise stay at the station until the next batch, so a face pass is sent only those that it lacks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ohwx_compare.compare.drawing import DrawnPicture, HostWorker, StationCard
from ohwx_compare.compare.host import Checkpoint, Host, Loaded
from ohwx_compare.compare.work import Wanted
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import HostError
from ohwx_compare.files.arrivals import Arrivals, SentFile, blocks_of
from ohwx_compare.files.packed import PackedPicture, packed, unpacked

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Ask", "DistantWorker", "Station"]

Ask = Callable[..., Any]
"""`ask("draw", ...)` is `station.draw(...)`, or raises what that raised, or WorkerGoneError."""


class Station:
    """What generates, in its own process: a host with the detectors that a run names."""

    def __init__(
        self,
        host: Host,
        find: "Callable[[str], Detector]",
        card: StationCard,
        *,
        packs: bool = False,
        arrivals: Arrivals | None = None,
    ):
        """find: a detector by its name. packs: pictures leave as the bytes of their files, not as pixels.

        arrivals: where checkpoints lie that are sent; None: none are.
        """
        self.card, self._arrivals = card, arrivals
        self._sent: dict[Path, Path] = {}  # where a checkpoint lies that was sent, by its path there
        self._worker, self._find, self._packs = HostWorker(host), find, packs
        self._drawn: dict[str, Image.Image] = {}  # pictures from noise, by key

    def about(self) -> StationCard:
        """What computes here."""
        return self.card

    def equip(self, detectors: Mapping[str, tuple[str, str]]) -> None:
        """Find the detectors: the name that a face pass has for each -> its own name, and the note about it."""
        found = {}
        for name, (own, note) in detectors.items():
            found[name] = self._find(own)
            found[name].note = note
        self._worker.equip(found)

    def fingerprints(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """See `Worker.fingerprints`; this and what follows."""
        return self._worker.fingerprints(jobs)

    def besides(self, checkpoint: Checkpoint, jobs: Sequence[Job]) -> list[str]:
        """See `Worker`."""
        return self._worker.besides(self._here(checkpoint), jobs)

    def sha256(self, checkpoint: Checkpoint) -> str:
        """See `Worker`."""
        return self._worker.sha256(self._here(checkpoint))

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """See `Worker`."""
        seen = self._worker.glance(self._here(checkpoint))
        return seen and replace(seen, checkpoint=checkpoint)

    def use(self, checkpoint: Checkpoint) -> Loaded:
        """See `Worker`."""
        return replace(self._worker.use(self._here(checkpoint)), checkpoint=checkpoint)

    def confirm(self, loaded: Loaded) -> None:
        """See `Worker`."""
        self._worker.confirm(replace(loaded, checkpoint=self._here(loaded.checkpoint)))

    def expect(self, checkpoint: Checkpoint) -> None:
        """See `Worker`."""
        self._worker.expect(self._here(checkpoint))

    def lacks(self, checkpoint: Checkpoint, sent: SentFile) -> bool:
        """Whether the file is not here, neither at its path nor as one that was `sent` before."""
        if not checkpoint.path.is_file() and self._arrivals and (found := self._arrivals.find(sent)):
            self._sent[checkpoint.path] = found
        return not self._here(checkpoint).path.is_file()

    def receive(self, sent: SentFile, start: int, block: bytes) -> None:
        """See `Arrivals.receive`."""
        if self._arrivals is None:
            raise HostError(f"There is no folder here to keep {sent.name} in.")
        self._arrivals.receive(sent, start, block)

    def draw(
        self, loaded: Loaded, stage: Sequence[Wanted], befores: Mapping[str, Image.Image | PackedPicture]
    ) -> list[DrawnPicture]:
        """See `Worker.draw`. befores: pictures from noise that were not generated here just now, by key."""

        def before(key: str) -> Image.Image:
            return unpacked(befores.get(key) or self._drawn[key])

        here = replace(loaded, checkpoint=self._here(loaded.checkpoint))
        drawn = list(self._worker.draw(here, stage, before))
        if stage and stage[0].before is None:
            self._drawn = {wanted.key: unpacked(one.image) for wanted, one in zip(stage, drawn, strict=True)}
        return [replace(one, image=packed(unpacked(one.image))) for one in drawn] if self._packs else drawn

    def _here(self, checkpoint: Checkpoint) -> Checkpoint:
        """The same where its file lies on this machine."""
        return replace(checkpoint, path=self._sent.get(checkpoint.path, checkpoint.path))


class DistantWorker:
    """It satisfies `compare.drawing.Worker` by asking a `Station`."""

    def __init__(
        self, name: str, ask: Ask, close: Callable[[], None], *, reports_steps: bool = False, sends: bool = False
    ):
        """close: ends the station's process. sends: a checkpoint that it lacks is sent to it."""
        self.name, self.reports_steps, self._sends = name, reports_steps, sends
        self._ask, self._close = ask, close
        self._there: frozenset[str] = frozenset()  # keys of the pictures that the station has

    def about(self) -> StationCard:
        """What computes there."""
        return self._ask("about")

    def equip(self, detectors: Mapping[str, "Detector"]) -> None:
        """Have it find the same ones."""
        self._ask("equip", {name: (found.name, found.note) for name, found in detectors.items()})

    def fingerprints(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """The station's."""
        return self._ask("fingerprints", jobs)

    def besides(self, checkpoint: Checkpoint, jobs: Sequence[Job]) -> list[str]:
        """The station's."""
        return self._ask("besides", checkpoint, jobs)

    def sha256(self, checkpoint: Checkpoint) -> str:
        """The station's."""
        return self._ask("sha256", checkpoint)

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """The station's."""
        return self._ask("glance", checkpoint)

    def use(self, checkpoint: Checkpoint) -> Loaded:
        """Have it loaded there, sent before where it is not there."""
        if self._sends and checkpoint.path.is_file():
            self._send(checkpoint)
        return self._ask("use", checkpoint)

    def confirm(self, loaded: Loaded) -> None:
        """See `Worker.confirm`."""
        self._ask("confirm", loaded)

    def expect(self, checkpoint: Checkpoint) -> None:
        """Tell the station."""
        self._ask("expect", checkpoint)

    def draw(
        self, loaded: Loaded, stage: Sequence[Wanted], before: Callable[[str], Image.Image]
    ) -> Iterator[DrawnPicture]:
        """See `Worker.draw`."""
        if not stage:
            return
        sent = {key: before(key) for wanted in stage if (key := wanted.before) and key not in self._there}
        drawn = self._ask("draw", loaded, stage, sent)
        if stage[0].before is None:
            self._there = frozenset(wanted.key for wanted in stage)
        yield from drawn

    def is_back(self) -> bool:
        """False: its process is not started again."""
        return False

    def close(self) -> None:
        """End its process; safe to call twice."""
        self._close()

    def _send(self, checkpoint: Checkpoint) -> None:
        sent, start = SentFile.of(checkpoint.path), 0
        if self._ask("lacks", checkpoint, sent):
            for block in blocks_of(checkpoint.path):
                self._ask("receive", sent, start, block)
                start += len(block)
            self._ask("lacks", checkpoint, sent)
