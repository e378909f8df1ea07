"""The results of a run: pictures onto the shelf, then cells into the ledger, each counted and reported as an event.

Only the process that holds the run folder's lock has its `Commits`; a worker hands pictures in and touches no file.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image as Picture

from ohwx_compare.compare.drawing import DrawnPicture
from ohwx_compare.compare.host import Loaded
from ohwx_compare.compare.shelf import PictureRecord, Shelf, Stored
from ohwx_compare.compare.work import BatchWork, CellKeys, Wanted
from ohwx_compare.core.events import Event, Failed, Image, Listener, Saved, Skipped
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.infotext.infotext import EXTRA_KEY, Infotext, from_job, parse, render
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.images import pixel_digest
from ohwx_compare.files.ledger.rows import PictureRow, Result
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.files.packed import PackedPicture

__all__ = ["Commits"]

_KINDS = ("drawn", "reused", "failed", "skipped")


class Commits:
    """The run folder as it fills; its methods raise LedgerError where it cannot be written."""

    def __init__(self, ledger: Ledger, shelf: Shelf, on_event: Listener):
        self.ledger, self.shelf, self.on_event = ledger, shelf, on_event
        self.results = ledger.results()
        self._turn = threading.Lock()  # of the threads that write
        self._came: dict[int, str] = {}  # what came of each cell, one of `_KINDS`, by its number
        self._drawn: set[str] = set()  # keys of what was generated since, not adopted
        self._seen: dict[Job, dict[str, tuple[Cell, str]]] = {}  # job: pixel digest: first cell, checkpoint sha256

    @property
    def counts(self) -> dict[str, int]:
        """Cells that were drawn, reused, failed and skipped."""
        counts = Counter(self._came.values())
        return {kind: counts[kind] for kind in _KINDS}

    def borrow(self, work: BatchWork) -> None:
        """Copy in what other folders lend of it, and look again at what a face pass will start from."""
        for wanted in (*work.befores, *work.afters):
            self.shelf.borrow(wanted.key, wanted.name)
        for key in dict.fromkeys(wanted.before for wanted in work.afters if not self.shelf.has(wanted.key)):
            self.shelf.recheck(key or "")

    def image(self, key: str) -> Picture.Image:
        """The picture of this key, RGB. Raises ImageError."""
        return self.shelf.load(self.shelf.get(key))

    def keep(self, wanted: Wanted, drawn: DrawnPicture, loaded: Loaded) -> None:
        """Put a picture onto the shelf, which must hold the one before it; it is on disk on return."""
        record = PictureRecord(
            key=wanted.key,
            cell=wanted.cell.number,
            run=self.shelf.folder.resolve().name,
            checkpoint=loaded.sha256,
            outcome=drawn.outcome,
            pixels="",
            notes=drawn.notes,
            faces=drawn.faces,
        )
        pixels = drawn.image.pixels if isinstance(drawn.image, PackedPicture) else pixel_digest(drawn.image)
        if wanted.before is None:
            record, keys = replace(record, pixels=pixels), drawn.keys
        else:
            before = self.shelf.get(wanted.before)
            earlier = before.record.notes
            notes = (*earlier, *(note for note in drawn.notes if note not in earlier))
            record = replace(record, pixels=before.record.pixels, own=pixels, notes=notes)
            keys = _host_keys(wanted.cell, before, loaded)
        whole = _infotext(wanted.cell, record, loaded)
        text = whole.without(EXTRA_KEY)
        for key, value in keys:
            if text.get(key) is None:
                text = text.with_value(key, value)
        text = text.with_value(EXTRA_KEY, whole.get(EXTRA_KEY))  # the longest last
        stored = self.shelf.put(wanted.name, drawn.image, render(text), record, pixels)
        self._drawn.add(record.key)
        self.on_event(Saved(stored.path))

    def commit(self, cell: Cell, keys: CellKeys, loaded: Loaded, seconds: float, also: Sequence[str] = ()) -> None:
        """Record a cell whose pictures are on the shelf.

        seconds: its share of the batch's time. also: further notes, for a cell with a picture generated just now.
        """
        before, last = self.shelf.get(keys.before), self.shelf.get(keys.last)
        record, is_new = last.record, not self._drawn.isdisjoint((before.record.key, last.record.key))
        with self._turn:
            about = self._about(cell, record.pixels, loaded)
        result = Result(
            outcome=record.outcome,
            before_key=before.record.key,
            key=record.key,
            before=before.path,
            after=last.path if cell.faces else None,
            before_thumb=before.thumb,
            after_thumb=last.thumb if cell.faces else None,
            faces=record.faces,
            infotext=last.infotext,
            notes=(*record.notes, *about, *(also if is_new else ())),
            seconds=seconds if is_new else None,
        )
        self.ledger.commit(cell, result, (before.written, last.written))
        self.results[cell.number] = result
        if is_new:
            self._count(cell, "drawn", Image(cell.number, cell.label, result.outcome.words))
        else:
            self._count(cell, "reused", Skipped(cell.number, cell.label, "its pictures are there"))

    def reuse(self, cell: Cell, sha256: str) -> None:
        """Count a cell that `is_done`; sha256: of its checkpoint file."""
        if stored := self.shelf.find(self.results[cell.number].key or ""):
            with self._turn:
                self._seen.setdefault(cell.job, {}).setdefault(stored.record.pixels, (cell, sha256))
        self._count(cell, "reused", Skipped(cell.number, cell.label, "generated before"))

    def fail(self, cell: Cell, why: str, before_key: str | None = None) -> None:
        """Record that a cell failed, with the picture before its face pass where there is one."""
        result, written = Result(outcome=Outcome.FAILED, error=why), list[PictureRow]()
        if before_key and (before := self.shelf.find(before_key)):
            result = replace(result, before=before.path, before_thumb=before.thumb, infotext=before.infotext)
            written.append(before.written)
        self.ledger.commit(cell, result, written)
        self._count(cell, "failed", Failed(cell.number, cell.label, why))

    def skip(self, cells: Sequence[Cell]) -> None:
        """Count cells that the user wants left alone; nothing is recorded of them."""
        for cell in cells:
            self._count(cell, "skipped", Skipped(cell.number, cell.label, "skipped by the user"))

    def _count(self, cell: Cell, kind: str, event: Event) -> None:
        """What came of a cell, told once: of one that was given back and is looked at again nothing is told."""
        is_told = cell.number in self._came and kind == "reused"
        if not is_told:
            self._came[cell.number] = kind
            self.on_event(event)

    def is_counted(self, cell: Cell) -> bool:
        """Whether it is known what came of the cell in this run."""
        return cell.number in self._came

    def is_recorded(self, cell: Cell) -> bool:
        """Whether the ledger has the cell's pictures, of whatever checkpoint file."""
        result = self.results.get(cell.number)
        return result is not None and result.outcome is not Outcome.FAILED

    def is_done(self, cell: Cell, keys: CellKeys) -> bool:
        """Whether a recorded cell's pictures are those of `keys`, and still there."""
        result = self.results[cell.number]
        is_same = (result.before_key, result.key) == (keys.before, keys.last)
        return is_same and all(self.shelf.find(key) for key in dict.fromkeys((keys.before, keys.last)))

    def _about(self, cell: Cell, pixels: str, loaded: Loaded) -> list[str]:
        """What a person should know about the checkpoint of this cell."""
        notes = []
        wanted = cell.checkpoint.short_hash
        if wanted and not loaded.sha256.startswith(wanted):
            used = f"{loaded.checkpoint.name} [{loaded.sha256[:10]}]"
            notes.append(f"generated with {used} in place of {cell.checkpoint}")
        first, sha256 = self._seen.setdefault(cell.job, {}).setdefault(pixels, (cell, loaded.sha256))
        if first.checkpoint != cell.checkpoint:
            why = "the files are copies" if sha256 == loaded.sha256 else "although the checkpoint files differ"
            notes.append(f"same pixels as cell {first.number} of {first.checkpoint}: {why}")
        return notes


def _infotext(cell: Cell, record: PictureRecord, loaded: Loaded) -> Infotext:
    model = CheckpointRef(loaded.checkpoint.name).stem
    mine = {"cell": record.cell, "run": record.run}  # the rest stands in a chunk of its own
    return from_job(cell.job, model=model, model_hash=loaded.sha256, faces=cell.faces, extra=mine)


def _host_keys(cell: Cell, before: Stored, loaded: Loaded) -> tuple[tuple[str, str], ...]:
    """What the host added to the infotext of a picture before its face pass."""
    own = _infotext(replace(cell, faces=()), before.record, loaded)
    return tuple((pair.key, pair.value) for pair in parse(before.infotext).pairs if own.get(pair.key) is None)
