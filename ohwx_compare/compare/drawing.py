"""Cells of one checkpoint onto the shelf: what lies there is taken, the rest is drawn; before images, then faces."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from PIL import Image

from ohwx_compare.compare.batches import Batch, cells_by_job, face_cost
from ohwx_compare.compare.face_pass import detail
from ohwx_compare.compare.host import Checkpoint, Host, Loaded
from ohwx_compare.compare.shelf import PictureRecord, Shelf, Stored, file_name, pixel_digest
from ohwx_compare.core.events import Listener, Saved, Step
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.experiment.keys import PictureKeys
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.infotext.infotext import EXTRA_KEY, Infotext, from_job, parse, render
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import HostError

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["CellKeys", "Drawing"]

Key = TypeVar("Key")


@dataclass(frozen=True)
class CellKeys:
    """The keys of one cell; `last` is the one of the picture it ends with.

    Where a picture is there already, the key is the one that it carries, also an earlier version's.
    """

    before: str
    last: str


class Drawing:
    """What a run draws with: the host, the detectors, and the shelf that takes the pictures."""

    def __init__(self, host: Host, detectors: Mapping[str, "Detector"], shelf: Shelf, on_event: Listener):
        self.host, self.detectors, self.shelf, self.on_event = host, detectors, shelf, on_event
        self.drawn: set[str] = set()  # keys of what was drawn since, not adopted
        self._keys = PictureKeys(host.fingerprint, {name: found.sha256 for name, found in detectors.items()})
        self._in_use: Loaded | None = None

    def use(self, checkpoint: Checkpoint) -> Loaded:
        """Load `checkpoint`. Raises what the host raises."""
        self._in_use = None
        self._in_use = self.host.use(checkpoint)
        return self._in_use

    def keys(self, cell: Cell, sha256: str) -> CellKeys:
        """The keys that `cell` has with the checkpoint file of this sha256."""
        return CellKeys(*map(self.shelf.key_here, self._keys.of(cell, sha256)))

    def is_there(self, cells: Iterable[Cell], sha256: str) -> bool:
        """Whether no picture of `cells`, drawn with the checkpoint file of this sha256, need be drawn."""
        keys = (self.keys(cell, sha256) for cell in cells)
        return all(self.shelf.has(key) for pair in keys for key in (pair.before, pair.last))

    def befores(self, batch: Batch, todo: Sequence[Cell], loaded: Loaded) -> dict[Job, Stored]:
        """The picture before the face pass of every job of `todo`, which is what `batch` still lacks."""
        cells_of = cells_by_job(batch)
        keys = {job: self.keys(cells_of[job][0], loaded.sha256).before for job in cells_by_job(todo)}
        names = {job: _name(cells[0], before=any(cell.faces for cell in cells)) for job, cells in cells_of.items()}
        jobs = self._missing(keys, names, is_fresh=len(todo) == len(batch))
        if jobs:
            self._require(loaded)
        for job, drawn in zip(jobs, self.host.render(jobs), strict=True):
            first = cells_of[job][0]
            record = self._record(first, keys[job], loaded, Outcome.DRAWN)
            record = replace(record, pixels=pixel_digest(drawn.image), notes=drawn.notes)
            self._put(names[job], drawn.image, replace(first, faces=()), record, drawn.keys)
        self._step(sum(job.steps for job in jobs))
        return {job: self.shelf.find(key) for job, key in keys.items()}

    def lasts(
        self, batch: Batch, todo: Sequence[Cell], befores: Mapping[Job, Stored], loaded: Loaded
    ) -> dict[int, Stored]:
        """The picture that each cell of `todo` ends with, by its number: after the face pass where it has one."""
        found: dict[int, Stored] = {}
        for tabs in dict.fromkeys(cell.faces for cell in todo):
            cells = {self.keys(cell, loaded.sha256).last: cell for cell in todo if cell.faces == tabs}
            if tabs:
                names = {key: _name(cell) for key, cell in cells.items()}
                missing = self._missing({key: key for key in cells}, names, is_fresh=len(todo) == len(batch))
                self._draw_faces(tabs, {key: cells[key] for key in missing}, befores, loaded)
            found |= {c.number: self.shelf.find(self.keys(c, loaded.sha256).last) for c in todo if c.faces == tabs}
        return found

    def _draw_faces(
        self,
        tabs: tuple[FaceSettings, ...],
        cells: Mapping[str, Cell],
        befores: Mapping[Job, Stored],
        loaded: Loaded,
    ) -> None:
        if not cells:
            return
        self._require(loaded)
        jobs = [cell.job for cell in cells.values()]
        images = [self.shelf.load(befores[job]) for job in jobs]
        details = detail(self.host, [self.detectors[tab.model] for tab in tabs], tabs, jobs, images)
        for (key, cell), after in zip(cells.items(), details, strict=True):
            before = befores[cell.job].record
            record = self._record(cell, key, loaded, after.outcome)
            notes = (*before.notes, *(note for note in after.notes if note not in before.notes))
            record = replace(record, pixels=before.pixels, notes=notes, faces=after.faces)
            self._put(_name(cell), after.image, cell, record, self._host_keys(cell, befores[cell.job]))
        self._step(sum(face_cost(job, tabs) for job in jobs))

    def _missing(self, keys: Mapping[Key, str], names: Mapping[Key, str], *, is_fresh: bool) -> list[Key]:
        """What must be drawn; what another folder lends is taken in under its name.

        All of a batch that never was whole, else what is not on the shelf. Lent pictures are not the batch's, whether
        taken in before or now, so a resumed run draws what an undisturbed one does.
        """
        for name, key in keys.items():
            self.shelf.borrow(key, names[name])
        own = {name: key for name, key in keys.items() if not self.shelf.is_lent(key)}
        missing = [name for name, key in own.items() if self.shelf.find(key) is None]
        return list(own) if missing and is_fresh else missing

    def _require(self, loaded: Loaded) -> None:
        """Load what is to draw, if it was thought that nothing lacks. Raises HostError if it is another now."""
        if self._in_use != loaded and self.use(loaded.checkpoint) != loaded:
            raise HostError(f"{loaded.checkpoint.name} changed while this run went on; start the run again.")

    def _record(self, cell: Cell, key: str, loaded: Loaded, outcome: Outcome) -> PictureRecord:
        run = self.shelf.folder.resolve().name
        return PictureRecord(key=key, cell=cell.number, run=run, checkpoint=loaded.sha256, outcome=outcome, pixels="")

    def _put(
        self, name: str, image: Image.Image, cell: Cell, record: PictureRecord, keys: Iterable[tuple[str, str]]
    ) -> None:
        whole = self._infotext(cell, record)
        infotext = whole.without(EXTRA_KEY)
        for key, value in keys:
            if infotext.get(key) is None:
                infotext = infotext.with_value(key, value)
        infotext = infotext.with_value(EXTRA_KEY, whole.get(EXTRA_KEY))  # the longest last
        stored = self.shelf.put(name, image, render(infotext), record)
        self.drawn.add(record.key)
        self.on_event(Saved(stored.path))

    def _infotext(self, cell: Cell, record: PictureRecord) -> Infotext:
        model = CheckpointRef(self._in_use.checkpoint.name).stem
        return from_job(cell.job, model=model, model_hash=self._in_use.sha256, faces=cell.faces, extra=record.to_json())

    def _host_keys(self, cell: Cell, before: Stored) -> list[tuple[str, str]]:
        """What the host added to the infotext of a picture before its face pass."""
        own = self._infotext(replace(cell, faces=()), before.record)
        return [(pair.key, pair.value) for pair in parse(before.infotext).pairs if own.get(pair.key) is None]

    def _step(self, steps: float) -> None:
        if steps and not self.host.reports_steps:
            self.on_event(Step(steps))


def _name(cell: Cell, *, before: bool = False) -> str:
    return file_name(cell.number, cell.checkpoint, cell.job.seed, before=before)
