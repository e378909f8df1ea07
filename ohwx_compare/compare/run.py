"""A run: an experiment's cells drawn into a folder, each checkpoint visited once, each cell committed when it is whole.

The batch is the unit of drawing, so that a resumed run draws what an undisturbed one does: all PNGs of a batch are
written, then its cells are committed. On resume a batch whose PNGs are there is adopted, one with no committed cell is
drawn whole, and a committed cell is never drawn again.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.compare.batches import Batch, batches, by_checkpoint, cost
from ohwx_compare.compare.drawing import Drawing
from ohwx_compare.compare.face_pass import require_built
from ohwx_compare.compare.host import Checkpoint, Host, Interruption, Loaded
from ohwx_compare.compare.resolve import Resolve, resolve_all
from ohwx_compare.compare.shelf import Shelf, Stored
from ohwx_compare.core.axes import CheckpointRef
from ohwx_compare.core.events import Failed, Image, Listener, Skipped, Started
from ohwx_compare.core.experiment import Cell, Experiment
from ohwx_compare.core.job import Job
from ohwx_compare.core.outcome import Outcome
from ohwx_compare.errors import Interrupted, LedgerError, OhwxError
from ohwx_compare.files.ledger import CheckpointRow, Ledger, Result

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["RunResult", "run"]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run did, in cells."""

    folder: Path
    drawn: int
    reused: int  # there already, or adopted from disk
    failed: int
    skipped: int  # at the user's wish
    is_interrupted: bool  # the user asked to stop after the cell in hand; cells are left
    seconds: float


def run(
    experiment: Experiment,
    host: Host,
    detectors: "Callable[[str], Detector]",
    folder: Path,
    on_event: Listener = lambda event: None,
    *,
    resolve: Resolve,
    batch: int = 4,
) -> RunResult:
    """Draw what `folder` lacks of `experiment`; the caller closes `host`.

    detectors: gives a tab's detector by name; asked once for each name, before anything is drawn.
    resolve: the file of a reference; all are asked before anything is drawn, and all missing ones named together.
    batch: most pictures drawn together.
    A cell that fails is recorded and the run goes on; the next run tries it again. Raises LedgerError where the folder
    cannot be used, DetectorError, CheckpointError, ExperimentError and UnsupportedKeyError before anything is drawn,
    Interrupted where the user stops at once; the folder is consistent then.
    """
    started = time.monotonic()
    cells = experiment.cells()
    for tabs in {cell.faces for cell in cells}:
        require_built(tabs)
    chosen = resolve_all(experiment.checkpoints, resolve)
    found = {name: detectors(name) for name in sorted({tab.model for cell in cells for tab in cell.faces})}
    with Ledger(folder) as ledger:
        ledger.plan(experiment)
        visits = _Visits(Drawing(host, found, Shelf(folder), on_event), ledger)
        visits.announce(cells)
        for ref, group in by_checkpoint(cells):
            visits.visit(ref, chosen[ref], batches(group, batch))
        is_interrupted = visits.is_stopping and sum(visits.counts.values()) < len(cells)
        return RunResult(
            folder=folder, **visits.counts, is_interrupted=is_interrupted, seconds=time.monotonic() - started
        )


class _Visits:
    """One run: the checkpoints in turn, their batches in turn, and what came of each cell into the ledger."""

    def __init__(self, drawing: Drawing, ledger: Ledger):
        self.drawing, self.ledger = drawing, ledger
        self.host, self.shelf, self.on_event = drawing.host, drawing.shelf, drawing.on_event
        self.results = ledger.results()
        self.counts = dict.fromkeys(("drawn", "reused", "failed", "skipped"), 0)
        self.is_stopping = False
        self._seen: dict[Job, dict[str, tuple[Cell, str]]] = {}  # job: pixel digest: first cell, checkpoint sha256

    def announce(self, cells: Sequence[Cell]) -> None:
        """Say what is to come; what the ledger holds already is not counted as cost."""
        steps = sum(cost(group) for _, group in by_checkpoint(filter(self._is_open, cells)))
        self.on_event(Started(self.ledger.folder.resolve().name, len(cells), steps))

    def visit(self, ref: CheckpointRef, checkpoint: Checkpoint, plan: Sequence[Batch]) -> None:
        """Draw one checkpoint's batches; it is not even loaded where all of them are there."""
        cells = [cell for batch in plan for cell in batch]
        sha256 = self._known_sha256(ref, checkpoint)
        if sha256 and all(self._is_done(cell, sha256) for cell in cells):
            self._reuse(cells, sha256)
            return
        self._ask()
        if self.is_stopping:
            return
        try:
            loaded = self.host.use(checkpoint)
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001  the boundary of a cell, here of all that lack this checkpoint
            there = [cell for cell in cells if sha256 and self._is_done(cell, sha256)]
            self._reuse(there, sha256)
            for cell in cells:
                if cell not in there:  # also one drawn before, with a file that is no longer this one
                    self._fail(cell, error)
            return
        self._remember(ref, loaded)
        for batch in plan:
            self._try(batch, loaded)

    def _try(self, batch: Batch, loaded: Loaded) -> None:
        todo = [cell for cell in batch if not self._is_done(cell, loaded.sha256)]
        self._reuse([cell for cell in batch if cell not in todo], loaded.sha256)
        if not todo or self._looks_away(todo):
            return
        try:
            self._draw(batch, todo, loaded)
        except (Interrupted, LedgerError):
            raise
        except Exception as error:  # noqa: BLE001  the boundary of a cell: a batch that fails is tried cell by cell
            if len(todo) == 1:
                self._fail(todo[0], error, loaded)
                return
            for cell in todo:
                self._try((cell,), loaded)

    def _draw(self, batch: Batch, todo: Sequence[Cell], loaded: Loaded) -> None:
        started = time.monotonic()
        befores = self.drawing.befores(batch, todo, loaded)
        if self._looks_away(todo, is_begun=True):
            return
        lasts = self.drawing.lasts(batch, todo, befores, loaded)
        seconds = (time.monotonic() - started) / len(todo)
        for cell in todo:
            before, last = befores[cell.job], lasts[cell.number]
            is_new = not self.drawing.drawn.isdisjoint((before.record.key, last.record.key))
            self._commit(cell, before, last, loaded, seconds if is_new else None)

    def _commit(self, cell: Cell, before: Stored, last: Stored, loaded: Loaded, seconds: float | None) -> None:
        record = last.record
        is_after = bool(cell.faces)
        result = Result(
            outcome=record.outcome,
            before_key=before.record.key,
            key=record.key,
            before=before.path,
            after=last.path if is_after else None,
            before_thumb=before.thumb,
            after_thumb=last.thumb if is_after else None,
            faces=record.faces,
            infotext=last.infotext,
            notes=(*record.notes, *self._about(cell, record.pixels, loaded)),
            seconds=seconds,
        )
        self.ledger.commit(cell, result)
        self.results[cell.number] = result
        if seconds is None:
            self.counts["reused"] += 1
            self.on_event(Skipped(cell.number, cell.label, "its pictures are on disk"))
        else:
            self.counts["drawn"] += 1
            self.on_event(Image(cell.number, cell.label, result.outcome.value))

    def _fail(self, cell: Cell, error: Exception, loaded: Loaded | None = None) -> None:
        text = str(error) if isinstance(error, OhwxError) else f"{type(error).__name__}: {error}"
        before = self.shelf.find(self.drawing.keys(cell, loaded.sha256).before) if loaded else None
        paths = {"before": before.path, "before_thumb": before.thumb, "infotext": before.infotext} if before else {}
        self.ledger.commit(cell, Result(outcome=Outcome.FAILED, error=text, **paths))
        self.counts["failed"] += 1
        self.on_event(Failed(cell.number, cell.label, text))

    def _reuse(self, cells: Iterable[Cell], sha256: str) -> None:
        for cell in cells:
            stored = self.shelf.find(self.results[cell.number].key)
            self._seen.setdefault(cell.job, {}).setdefault(stored.record.pixels, (cell, sha256))
            self.counts["reused"] += 1
            self.on_event(Skipped(cell.number, cell.label, "drawn before"))

    def _ask(self) -> Interruption:
        """What the user wants now. Raises Interrupted where nothing at all shall be drawn any more."""
        asked = self.host.interruption()
        if asked is Interruption.STOP:
            raise Interrupted("Stopped; what is finished is kept.")
        self.is_stopping |= asked is Interruption.FINISH_CELL
        return asked

    def _looks_away(self, cells: Sequence[Cell], *, is_begun: bool = False) -> bool:
        """Whether the user wants `cells` left alone."""
        if self._ask() is Interruption.SKIP:
            self.counts["skipped"] += len(cells)
            for cell in cells:
                self.on_event(Skipped(cell.number, cell.label, "skipped by the user"))
            return True
        return self.is_stopping and not is_begun

    def _is_open(self, cell: Cell) -> bool:
        result = self.results.get(cell.number)
        return result is None or result.outcome == Outcome.FAILED

    def _is_done(self, cell: Cell, sha256: str) -> bool:
        if self._is_open(cell):
            return False
        result = self.results[cell.number]
        keys = self.drawing.keys(cell, sha256)
        is_same = (result.before_key, result.key) == (keys.before, keys.last)
        return is_same and all(self.shelf.find(key) for key in (keys.before, keys.last))

    def _about(self, cell: Cell, pixels: str, loaded: Loaded) -> list[str]:
        """What a person should know about the checkpoint that drew this cell."""
        notes = []
        wanted = cell.checkpoint.short_hash
        if wanted and not loaded.sha256.startswith(wanted):
            notes.append(f"drawn with {loaded.checkpoint.name} [{loaded.sha256[:10]}] in place of {cell.checkpoint}")
        first, sha256 = self._seen.setdefault(cell.job, {}).setdefault(pixels, (cell, loaded.sha256))
        if first.checkpoint != cell.checkpoint:
            why = "the files are copies" if sha256 == loaded.sha256 else "though the checkpoint files differ"
            notes.append(f"same pixels as cell {first.number} of {first.checkpoint}: {why}")
        return notes

    def _known_sha256(self, ref: CheckpointRef, checkpoint: Checkpoint) -> str | None:
        """The file's sha256 as of its last use, if size and time are still the same; it spares a load, not a check."""
        row = self.ledger.checkpoints().get(str(ref))
        return row.sha256 if row and row == _row(ref, checkpoint, row.sha256) else None

    def _remember(self, ref: CheckpointRef, loaded: Loaded) -> None:
        row = _row(ref, loaded.checkpoint, loaded.sha256)
        if row:
            self.ledger.remember(row)


def _row(ref: CheckpointRef, checkpoint: Checkpoint, sha256: str) -> CheckpointRow | None:
    try:
        stat = checkpoint.path.stat()
    except OSError:
        return None
    path = str(checkpoint.path)
    return CheckpointRow(ref=str(ref), path=path, sha256=sha256, size=stat.st_size, modified_ns=stat.st_mtime_ns)
