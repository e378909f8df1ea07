"""A run: an experiment's cells drawn into a folder, each checkpoint visited once, each cell committed when it is whole.

The batch is the unit of drawing, so that a resumed run draws what an undisturbed one does: all PNGs of a batch are
written, then its cells are committed. On resume a batch whose PNGs are there is adopted, one with no committed cell is
drawn whole, and a committed cell is never drawn again. What other run folders lend is taken by its key in the same way.

A picture is taken for a checkpoint's only if the file, as it is now, has the sha256 that drew it: a hash from an
earlier process counts where the file's identity proves the bytes the same, else the whole file is read. A file that
must be loaded anyway is not read for that.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.compare.batches import Batch, batches, by_checkpoint, cells_by_job, cost
from ohwx_compare.compare.drawing import Drawing
from ohwx_compare.compare.face_pass import require_built
from ohwx_compare.compare.host import Checkpoint, Host, Interruption, Loaded
from ohwx_compare.compare.resolve import Resolve, resolve_all
from ohwx_compare.compare.shelf import Shelf, Stored, run_folders
from ohwx_compare.core.events import Failed, Image, Listener, Skipped, Started
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import CheckpointError, Interrupted, LedgerError, OhwxError, OutOfMemoryError
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.files.ledger.rows import CheckpointRow, Result
from ohwx_compare.files.ledger.writer import Ledger

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Options", "RunResult", "draw_run"]

_SHORT = "fewer pictures were drawn together than asked for: there was no memory for more"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run goes about its work."""

    batch: int = 4  # most pictures drawn together
    reuse: tuple[Path, ...] = ()  # run folders, or folders that hold some: their pictures are taken where keys agree


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


def draw_run(
    experiment: Experiment,
    host: Host,
    detectors: "Callable[[str], Detector]",
    folder: Path,
    on_event: Listener = lambda event: None,
    *,
    resolve: Resolve,
    options: Options = Options(),
) -> RunResult:
    """Draw what `folder` lacks of `experiment`; the caller closes `host`.

    detectors: gives a tab's detector by name; asked once for each name, before anything is drawn.
    resolve: the file of a reference; all are asked before anything is drawn, and all missing ones named together.
    A cell that fails is recorded and the run goes on; the next run tries it again. Raises LedgerError where the folder
    cannot be used, is another run's or another experiment's, or is full; DetectorError, CheckpointError,
    ExperimentError and UnsupportedKeyError before anything is drawn; Interrupted where the user stops at once. The
    folder is consistent then.
    """
    started = time.monotonic()
    cells = experiment.cells()
    for tabs in {cell.faces for cell in cells}:
        require_built(tabs)
    chosen = resolve_all(experiment.checkpoints, resolve)
    found = {name: detectors(name) for name in sorted({tab.model for cell in cells for tab in cell.faces})}
    lenders = run_folders(options.reuse)
    with Ledger(folder) as ledger:
        ledger.plan(experiment)
        visits = _Visits(Drawing(host, found, Shelf(folder, lenders), on_event), ledger)
        visits.announce(cells)
        plan = {ref: batches(group, options.batch) for ref, group in by_checkpoint(cells)}
        for number, (ref, own) in enumerate(plan.items()):
            later = list(plan.items())[number + 1 :]
            following = (chosen[other] for other, others in later if not visits.whole(chain(*others)))
            visits.visit(ref, chosen[ref], own, following)
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
        self._most: int | None = None  # pictures that memory has room for together, once it had none for more
        self._seen: dict[Job, dict[str, tuple[Cell, str]]] = {}  # job: pixel digest: first cell, checkpoint sha256

    def announce(self, cells: Sequence[Cell]) -> None:
        """Say what is to come; what is there, by the looks of it, is not counted as cost."""
        drawers = self.shelf.checkpoints

        def is_open(cell: Cell) -> bool:
            return not any(self.drawing.is_there((cell,), sha256) for sha256 in drawers)

        steps = sum(cost(tuple(filter(is_open, group))) for _, group in by_checkpoint(cells))
        self.on_event(Started(self.ledger.folder.resolve().name, len(cells), steps))

    def visit(
        self, ref: CheckpointRef, checkpoint: Checkpoint, plan: Sequence[Batch], following: Iterator[Checkpoint]
    ) -> None:
        """Draw one checkpoint's batches; it is not even loaded where all of them are there.

        following: the checkpoints after it that will be loaded, asked for once this one is.
        """
        cells = [cell for batch in plan for cell in batch]
        there = self._there(ref, checkpoint, cells)
        if there is None:
            self._ask()
            if self.is_stopping:
                return
            try:
                there = self._use(ref, checkpoint)
            except (Interrupted, LedgerError):
                raise
            except Exception as error:  # noqa: BLE001  the boundary of a cell, here of all that lack this checkpoint
                self._without(ref, checkpoint, cells, _words(error))
                return
            if expected := next(following, None):
                self.host.expect(expected)
        for batch in plan:
            self._try(batch, there)

    def whole(self, cells: Iterable[Cell]) -> set[str]:
        """Hashes of files of which every picture that `cells` need is on the shelf or lent."""
        cells = tuple(cells)
        return {sha256 for sha256 in self.shelf.checkpoints if self.drawing.is_there(cells, sha256)}

    def _there(self, ref: CheckpointRef, checkpoint: Checkpoint, cells: Sequence[Cell]) -> Loaded | None:
        """The file, where every picture that `cells` need of it is on the shelf or lent."""
        whole = self.whole(cells)
        if not whole:
            return None  # it must be loaded anyway
        with suppress(CheckpointError):  # using it will say what is wrong
            before = FileIdentity.of(checkpoint.path)
            loaded = Loaded(checkpoint, self._sha256(ref, checkpoint))
            if loaded.sha256 in whole:
                self._remember(ref, loaded, before)
                return loaded
        return None

    def _use(self, ref: CheckpointRef, checkpoint: Checkpoint) -> Loaded:
        before = FileIdentity.of(checkpoint.path)
        loaded = self.drawing.use(checkpoint)
        self._remember(ref, loaded, before)
        return loaded

    def _without(self, ref: CheckpointRef, checkpoint: Checkpoint, cells: Sequence[Cell], why: str) -> None:
        """The checkpoint cannot be used: what it drew before stays, also where the file is gone; the rest fails."""
        try:
            sha256 = self._sha256(ref, checkpoint)
        except CheckpointError:
            row = self.ledger.checkpoints().get(str(ref))
            sha256 = row.sha256 if row else None
        there = [cell for cell in cells if sha256 and self._is_done(cell, sha256)]
        self._reuse(there, sha256)
        for cell in cells:
            if cell not in there:  # also one drawn before, with a file that is no longer this one
                self._fail(cell, why)

    def _try(self, batch: Batch, loaded: Loaded) -> None:
        todo = [cell for cell in batch if not self._is_done(cell, loaded.sha256)]
        self._reuse([cell for cell in batch if cell not in todo], loaded.sha256)
        parts = batches(todo, self._most) if self._most else [tuple(todo)]
        if not todo or self._looks_away(todo):
            return
        if len(parts) > 1:
            for part in parts:
                self._try(part, loaded)
            return
        failure = self._failure(batch, todo, loaded)  # its error is gone by now, and with it the tensors that it held
        if failure is None:
            return
        if len(todo) == 1:
            self._fail(todo[0], failure.why, loaded)
            return
        if failure.is_of_memory:
            self._most = max(len(cells_by_job(todo)) // 2, 1)
        for cell in todo:
            self._try((cell,), loaded)

    def _failure(self, batch: Batch, todo: Sequence[Cell], loaded: Loaded) -> "_Failure | None":
        """Draw `todo`; what went wrong, if anything."""
        try:
            self._draw(batch, todo, loaded)
        except (Interrupted, LedgerError):
            raise
        except Exception as error:  # noqa: BLE001  the boundary of a cell: a batch that fails is tried cell by cell
            return _Failure(_words(error), isinstance(error, OutOfMemoryError))
        return None

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
        if self._most and seconds is not None:
            result = replace(result, notes=(*result.notes, _SHORT))
        self.ledger.commit(cell, result)
        self.results[cell.number] = result
        if seconds is None:
            self.counts["reused"] += 1
            self.on_event(Skipped(cell.number, cell.label, "its pictures are on disk"))
        else:
            self.counts["drawn"] += 1
            self.on_event(Image(cell.number, cell.label, result.outcome.value))

    def _fail(self, cell: Cell, text: str, loaded: Loaded | None = None) -> None:
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

    def _is_done(self, cell: Cell, sha256: str) -> bool:
        result = self.results.get(cell.number)
        if result is None or result.outcome == Outcome.FAILED:
            return False
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

    def _sha256(self, ref: CheckpointRef, checkpoint: Checkpoint) -> str:
        """The file's, as it is now. Raises CheckpointError where it cannot be read."""
        row = self.ledger.checkpoints().get(str(ref))
        if row and row.file.proves(FileIdentity.of(checkpoint.path)):
            return row.sha256
        return self.host.sha256(checkpoint)

    def _remember(self, ref: CheckpointRef, loaded: Loaded, before: FileIdentity) -> None:
        """Record the file that `loaded` was read from; `before` is its identity before that."""
        path = loaded.checkpoint.path
        now = FileIdentity.of(path)
        if now.size is None or now.modified_ns is None:  # gone again: nothing to compare a later file with
            return
        row = CheckpointRow(
            ref=str(ref),
            path=str(path),
            sha256=loaded.sha256,
            size=now.size,
            modified_ns=now.modified_ns,
            identity=now.proof if now.proves(before) else (),
        )
        if row != self.ledger.checkpoints().get(str(ref)):
            self.ledger.remember(row)


@dataclass(frozen=True)
class _Failure:
    why: str
    is_of_memory: bool


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, OhwxError) else f"{type(error).__name__}: {error}"
