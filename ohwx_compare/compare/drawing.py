"""Cells of one checkpoint onto the shelf: what lies there is taken, the rest is drawn; before images, then faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from PIL import Image

from ohwx_compare.compare.batches import Batch, face_cost, pictures
from ohwx_compare.compare.face_pass import detail
from ohwx_compare.compare.host import Host, Loaded
from ohwx_compare.compare.shelf import Record, Shelf, Stored, file_name, pixel_digest
from ohwx_compare.core.axes import CheckpointRef
from ohwx_compare.core.events import Listener, Saved, Step
from ohwx_compare.core.experiment import Cell
from ohwx_compare.core.face import FaceSettings
from ohwx_compare.core.infotext import from_job, render
from ohwx_compare.core.job import Job
from ohwx_compare.core.keys import after_key, before_key
from ohwx_compare.core.outcome import Outcome

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Drawing", "Keys"]

Key = TypeVar("Key")


@dataclass(frozen=True)
class Keys:
    """The keys of one cell; `last` is the one of the picture it ends with."""

    before: str
    last: str


class Drawing:
    """What a run draws with: the host, the detectors, and the shelf that takes the pictures."""

    def __init__(self, host: Host, detectors: Mapping[str, "Detector"], shelf: Shelf, on_event: Listener):
        self.host, self.detectors, self.shelf, self.on_event = host, detectors, shelf, on_event
        self.drawn: set[str] = set()  # keys of what was drawn since, not adopted

    def keys(self, cell: Cell, sha256: str) -> Keys:
        """The keys that `cell` has with the checkpoint file of this sha256."""
        before = before_key(cell.job, self.host.fingerprint(cell.job), sha256)
        if not cell.faces:
            return Keys(before, before)
        return Keys(before, after_key(before, cell.faces, [self.detectors[tab.model].sha256 for tab in cell.faces]))

    def befores(self, batch: Batch, todo: Sequence[Cell], loaded: Loaded) -> dict[Job, Stored]:
        """The picture before the face pass of every job of `todo`, which is what `batch` still lacks."""
        cells_of = pictures(batch)
        keys = {job: self.keys(cells_of[job][0], loaded.sha256).before for job in pictures(todo)}
        jobs = self._missing(keys, is_fresh=len(todo) == len(batch))
        for job, drawn in zip(jobs, self.host.render(jobs), strict=True):
            first = cells_of[job][0]
            record = self._record(first, keys[job], loaded, Outcome.DRAWN)
            record = replace(record, pixels=pixel_digest(drawn.image), notes=drawn.notes)
            name = file_name(first.number, first.checkpoint, job.seed, before=any(c.faces for c in cells_of[job]))
            self._put(name, drawn.image, replace(first, faces=()), record, loaded)
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
                missing = self._missing({key: key for key in cells}, is_fresh=len(todo) == len(batch))
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
        jobs = [cell.job for cell in cells.values()]
        images = [self.shelf.load(befores[job]) for job in jobs]
        details = detail(self.host, [self.detectors[tab.model] for tab in tabs], tabs, jobs, images) if jobs else []
        for (key, cell), after in zip(cells.items(), details, strict=True):
            before = befores[cell.job].record
            record = self._record(cell, key, loaded, after.outcome)
            notes = (*before.notes, *(note for note in after.notes if note not in before.notes))
            record = replace(record, pixels=before.pixels, notes=notes, faces=after.faces)
            self._put(
                file_name(cell.number, cell.checkpoint, cell.job.seed, before=False), after.image, cell, record, loaded
            )
        self._step(sum(face_cost(job, tabs) for job in jobs))

    def _missing(self, keys: Mapping[Key, str], *, is_fresh: bool) -> list[Key]:
        """What must be drawn: all of a batch that never was whole, else what is not on the shelf."""
        missing = [name for name, key in keys.items() if self.shelf.find(key) is None]
        return list(keys) if missing and is_fresh else missing

    def _record(self, cell: Cell, key: str, loaded: Loaded, outcome: Outcome) -> Record:
        run = self.shelf.folder.resolve().name
        return Record(key=key, cell=cell.number, run=run, checkpoint=loaded.sha256, outcome=outcome, pixels="")

    def _put(self, name: str, image: Image.Image, cell: Cell, record: Record, loaded: Loaded) -> None:
        drawn_with = CheckpointRef(loaded.checkpoint.name).stem
        infotext = from_job(
            cell.job, model=drawn_with, model_hash=loaded.sha256, faces=cell.faces, extra=record.to_json()
        )
        stored = self.shelf.put(name, image, render(infotext), record)
        self.drawn.add(record.key)
        self.on_event(Saved(stored.path))

    def _step(self, steps: float) -> None:
        if steps and not self.host.reports_steps:
            self.on_event(Step(steps))
