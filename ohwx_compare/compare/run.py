"""A run: an experiment's cells generated into a folder, each checkpoint loaded once, each cell committed when whole.

The batch is the unit of generation, so that a resumed run gives what an undisturbed one does: all PNGs of a batch are
written, then its cells are committed, behind the next batches (`Behind`). On resume a batch whose PNGs are there is
adopted, one with no committed cell is generated whole, and a committed cell is never generated again. Pictures of other
run folders are found by key as well.

A picture counts as a checkpoint's only if the file, as it is now, has the sha256 that generated it. A hash from an
earlier process counts where the file's identity proves the bytes the same. Where it does not, a match of size, time and
sample is enough to leave finished cells alone and to begin; before anything is written, the whole file is read, on a
thread while the first batch is generated. Should it be another file, what was begun is dropped and begun anew.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from PIL.Image import Image

from ohwx_compare.compare.batches import Batch, batches, by_checkpoint, cells_by_job, cost
from ohwx_compare.compare.behind import Behind, BehindBatch, one_at_a_time
from ohwx_compare.compare.commit import Commits
from ohwx_compare.compare.drawing import HostWorker, Worker
from ohwx_compare.compare.face_pass import detector_key, require_built
from ohwx_compare.compare.host import Checkpoint, Host, Interruption, Loaded
from ohwx_compare.compare.loads import Loads, is_there
from ohwx_compare.compare.resolve import Resolve, resolve_all, resolve_detectors
from ohwx_compare.compare.shelf import Shelf, run_folders
from ohwx_compare.compare.sources import Sources
from ohwx_compare.compare.work import KeysOf, Wanted, keys_with, needed
from ohwx_compare.core.events import Listener, Started, Step
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.errors import (
    CheckpointError,
    Interrupted,
    LedgerError,
    OtherBytesError,
    OutOfMemoryError,
    SkippedError,
    sentence_of,
)
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.words import counted

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Options", "RunResult", "draw_run"]

_SHORT = "fewer pictures were generated together than asked for: there was no memory for more"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run works."""

    batch: int = 4  # most pictures drawn together
    reuse: tuple[Path, ...] = ()  # run folders, or folders that hold some: their pictures are taken where keys agree
    adopt: bool = False  # take over a run folder that was made elsewhere


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run did, in cells."""

    folder: Path
    drawn: int
    reused: int  # there already, or adopted from disk
    failed: int
    skipped: int  # at the user's wish
    sampled: int  # checkpoints whose cells were all there and whose file was only looked at: size, time and a sample
    is_interrupted: bool  # the user asked to stop after the cell in hand; cells are left
    seconds: float

    @property
    def about_files(self) -> str:
        """What a person should know of files that were only looked at; "" where there is nothing."""
        names = counted(self.sampled, "checkpoint")
        return f"{names} not read whole: size, time and a sample are unchanged" if self.sampled else ""


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
    """Generate what `folder` lacks of `experiment`; the caller closes `host`.

    detectors: gives a tab's detector by name; called once for each name, before anything is generated.
    resolve: the file of a reference; called for all of them first, and all missing ones are named together.
    A cell that fails is recorded and the run continues; the next run tries it again. Raises LedgerError where the
    folder cannot be used, was made elsewhere, is another run's or another experiment's, or is full; DetectorError,
    CheckpointError, ExperimentError and UnsupportedKeyError before anything is generated; Interrupted where the user
    stops at once. The folder is consistent then.
    """
    started = time.monotonic()
    cells = experiment.cells()
    for tabs in {cell.faces for cell in cells}:
        require_built(tabs)
    chosen = resolve_all(experiment.checkpoints, resolve)
    found = resolve_detectors((tab.model for cell in cells for tab in cell.faces), detectors, folder)
    lenders = run_folders(options.reuse)
    on_event = one_at_a_time(on_event)
    with Ledger(folder, adopt=options.adopt, tell=on_event) as ledger, Behind() as behind:
        if ledger.adopted:
            on_event(ledger.adopted)
        ledger.plan(experiment)
        plan = {ref: batches(group, options.batch) for ref, group in by_checkpoint(cells)}
        shelf = Shelf(folder, lenders, ledger.pictures())
        seen = {name: detector_key(detector) for name, detector in found.items()}
        keys = keys_with(host.fingerprint, seen, shelf, lambda cell: host.beside(chosen[cell.checkpoint], cell.job))
        commits = Commits(ledger, shelf, on_event)
        run = _Conductor(host, HostWorker(host, found), commits, behind, keys, {r: (chosen[r], plan[r]) for r in plan})
        run.announce()
        for ref in plan:
            run.visit(ref)
        run.finish()
        counts = commits.counts
        is_interrupted = run.is_stopping and sum(counts.values()) < len(cells)
        spent = time.monotonic() - started
        return RunResult(folder=folder, **counts, sampled=run.sampled, is_interrupted=is_interrupted, seconds=spent)


class _Conductor:
    """One run, checkpoint by checkpoint and batch by batch: a worker generates, `Commits` records."""

    def __init__(
        self,
        host: Host,
        worker: Worker,
        commits: Commits,
        behind: Behind,
        keys: KeysOf,
        plan: Mapping[CheckpointRef, tuple[Checkpoint, Sequence[Batch]]],
    ):
        self.host, self.worker, self.commits, self.keys, self.plan = host, worker, commits, keys, plan
        self.behind = behind
        self.ledger, self.shelf, self.on_event = commits.ledger, commits.shelf, commits.on_event
        self.is_stopping = False
        self.sampled = 0
        self._is_certain = True  # which file the checkpoint in hand is
        self._begun: tuple[CheckpointRef, FileIdentity]  # that checkpoint, and its file as it was before
        self._left: list[Cell] = []  # its cells that are done, not counted before that is certain
        self.sources = Sources(host, self.ledger)
        self._cells = {ref: [cell for batch in own for cell in batch] for ref, (_, own) in plan.items()}
        known = {ref: seems for ref, (checkpoint, _) in plan.items() if (seems := self.sources.seems(ref, checkpoint))}
        self._loads = Loads(self._cells, known, keys, self.shelf)
        self._next = dict(pairwise(plan))
        self._most: int | None = None  # pictures that memory has room for together, once it had none for more

    def announce(self) -> None:
        """Announce the run; what seems to be there is not counted as cost."""
        cells = [cell for own in self._cells.values() for cell in own]
        steps = sum(cost(tuple(filter(self._loads.is_open, own))) for own in self._cells.values())
        self.on_event(Started(self.ledger.folder.resolve().name, len(cells), steps))

    def finish(self) -> None:
        """Return when all is written; a batch that met an error then is generated again, cell by cell."""
        self.behind.settle()
        while failed := self.behind.failed():
            for batch, cell in [(one, cell) for one in failed for cell in one.cells]:
                keys = self.keys(cell, batch.loaded.sha256)
                if batch.error and batch.size == 1:
                    self.commits.fail(cell, sentence_of(batch.error), keys.before)
                elif not (cell.number in batch.committed and self.commits.is_done(cell, keys)):
                    self._try((cell,), batch.loaded)
            self.behind.settle()

    def visit(self, ref: CheckpointRef) -> None:
        """Generate one checkpoint's batches; it is not even loaded where all of them are there."""
        with suppress(OtherBytesError):  # nothing was written yet, and by now the whole file is known
            return self._visit(ref)
        try:
            return self._visit(ref)
        except OtherBytesError as error:
            return self._without(ref, sentence_of(error))

    def _visit(self, ref: CheckpointRef) -> None:
        self._left = []
        loaded = self._there(ref)
        if loaded is None:
            self._ask()
            if self.is_stopping:
                return
            try:
                loaded = self._use(ref)
            except (Interrupted, LedgerError):
                raise
            except Exception as error:  # noqa: BLE001  the boundary of a cell, here of all that lack this checkpoint
                self._without(ref, sentence_of(error))
                return
            if following := self._following(ref):
                self.worker.expect(following)
        self._is_certain = not loaded.is_sampled
        for batch in self.plan[ref][1]:
            self._try(batch, loaded)
        self._count_left(loaded)

    def _following(self, ref: CheckpointRef) -> Checkpoint | None:
        """The checkpoint that will be loaded after this one."""
        other = self._next.get(ref)
        while other and self._loads.may_be_spared(other):
            other = self._next.get(other)
        return self.plan[other][0] if other else None

    def _there(self, ref: CheckpointRef) -> Loaded | None:
        """The file, where every picture that its cells need of it is on the shelf or lent; None to load it.

        By a sample only where nothing is to be written.
        """
        if not self._loads.may_be_spared(ref):
            return None
        checkpoint = self.plan[ref][0]
        with suppress(CheckpointError):  # using it will say what is wrong
            before = FileIdentity.of(checkpoint.path)
            seen = None if self.sources.proven(ref, checkpoint) else self.host.glance(checkpoint)
            if seen and seen.is_sampled:
                if not self._parted(self._cells[ref], seen.sha256)[1]:
                    self.sampled += 1
                    self._begin(ref, seen, before)
                    return seen
                if not is_there(self._cells[ref], seen.sha256, self.keys, self.shelf):
                    return None  # the whole is read while it generates
            loaded = Loaded(checkpoint, self.sources.sha256(ref, checkpoint))
            if is_there(self._cells[ref], loaded.sha256, self.keys, self.shelf):
                self._remember(ref, loaded, before)
                return loaded
        return None

    def _use(self, ref: CheckpointRef) -> Loaded:
        checkpoint = self.plan[ref][0]
        before = FileIdentity.of(checkpoint.path)
        loaded = self.worker.use(checkpoint)
        if loaded.is_sampled:
            self._begin(ref, loaded, before)
        else:
            self._remember(ref, loaded, before)
        return loaded

    def _begin(self, ref: CheckpointRef, loaded: Loaded, before: FileIdentity) -> None:
        """Take the file for what its sample says, until more is known or has to be."""
        self._begun = ref, before
        self._loads.settle(ref, loaded.sha256)

    def _confirm(self, loaded: Loaded) -> None:
        """Be certain which file the checkpoint in hand is, before anything is written for it.

        Raises OtherBytesError where it is not the one that its sample took it for.
        """
        if not self._is_certain:
            self.worker.confirm(loaded)
            ref, before = self._begun
            self._remember(ref, loaded, before)
            self._count_left(loaded)

    def _count_left(self, loaded: Loaded) -> None:
        """Count the cells that are done and wait for it; from now on they do not wait."""
        self._is_certain = True
        if self._left:
            self.behind.settle()
        for cell in self._left:
            self.commits.reuse(cell, loaded.sha256)
        self._left = []

    def _without(self, ref: CheckpointRef, why: str) -> None:
        """The checkpoint cannot be used: what it generated before stays, even if the file is gone; the rest fails."""
        cells = self._cells[ref]
        try:
            sha256 = self.sources.sha256(ref, self.plan[ref][0])
        except CheckpointError:
            sha256 = self.sources.recorded(ref)
        self.behind.settle()
        done, lost = self._parted(cells, sha256) if sha256 else ((), cells)
        for cell in done:
            self.commits.reuse(cell, sha256)
        for cell in lost:  # also one generated before, with a file that is no longer this one
            self.commits.fail(cell, why)

    def _parted(self, cells: Sequence[Cell], sha256: str) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Those of `cells` that this file generated and the ledger has, and the others."""
        done: list[Cell] = []
        todo: list[Cell] = []
        for cell in cells:
            is_done = self.commits.is_recorded(cell) and self.commits.is_done(cell, self.keys(cell, sha256))
            (done if is_done else todo).append(cell)
        return done, todo

    def _try(self, batch: Batch, loaded: Loaded) -> None:
        done, todo = self._parted(batch, loaded.sha256)
        self._left += done
        if self._is_certain:
            self._count_left(loaded)
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
        self.behind.settle()
        if failure.is_skip:
            self.commits.skip(todo)
            return
        if len(todo) == 1:
            self._confirm(loaded)
            self.commits.fail(todo[0], failure.why, self.keys(todo[0], loaded.sha256).before)
            return
        if failure.is_of_memory:
            self._most = max(len(cells_by_job(todo)) // 2, 1)
        for cell in todo:
            self._try((cell,), loaded)

    def _failure(self, batch: Batch, todo: Sequence[Cell], loaded: Loaded) -> "_Failure | None":
        """Generate `todo`; what went wrong, if anything."""
        try:
            self._draw(batch, todo, loaded)
        except (Interrupted, LedgerError, OtherBytesError):
            raise
        except Exception as error:  # noqa: BLE001  the boundary of a cell: a batch that fails is tried cell by cell
            return _Failure(sentence_of(error), isinstance(error, OutOfMemoryError), isinstance(error, SkippedError))
        return None

    def _draw(self, batch: Batch, todo: Sequence[Cell], loaded: Loaded) -> None:
        """Generate what `todo`, the rest of `batch`, lacks, and have it written, unless the user does not want it."""
        keys = {cell.number: self.keys(cell, loaded.sha256) for cell in batch}
        whole = needed(batch, todo, keys)
        self.behind.settle([wanted.key for wanted in (*whole.befores, *whole.afters)])
        self.commits.borrow(whole)
        befores, *afters = whole.lacking(self.shelf, is_fresh=len(todo) == len(batch)).stages
        with self.behind.batch(loaded, len(todo)) as writing:
            started, drawn = time.monotonic(), dict[str, Image]()
            self._stage(befores, writing, drawn)
            if self._looks_away(todo, is_begun=True):
                return
            for stage in afters:
                self._stage(stage, writing, drawn)
            self._confirm(loaded)
            seconds, also = (time.monotonic() - started) / len(todo), (_SHORT,) if self._most else ()
            for cell in todo:
                commit = partial(self.commits.commit, cell, keys[cell.number], loaded, seconds, also)
                self.behind.hand(writing, commit, cell=cell)

    def _stage(self, stage: Sequence[Wanted], writing: BehindBatch, drawn: dict[str, Image]) -> None:
        """Have one stage of a batch generated, each picture handed to the writer as it comes, and kept in `drawn`."""

        def before(key: str) -> Image:
            return drawn[key] if key in drawn else self.commits.image(key)

        loaded = writing.loaded
        pictures = self.worker.draw(loaded, stage, before)
        for wanted, picture in zip(stage, pictures, strict=True):
            self._confirm(loaded)
            drawn[wanted.key] = picture.image
            self.behind.hand(writing, partial(self.commits.keep, wanted, picture, loaded), key=wanted.key)
        steps = sum(wanted.cost for wanted in stage)
        if steps and not self.worker.reports_steps:
            self.on_event(Step(steps))

    def _ask(self) -> Interruption:
        """What the user wants now. Raises Interrupted where the run shall stop at once."""
        asked = self.host.interruption()
        if asked is Interruption.STOP:
            raise Interrupted("Stopped; what is finished is kept.")
        self.is_stopping |= asked is Interruption.FINISH_CELL
        return asked

    def _looks_away(self, cells: Sequence[Cell], *, is_begun: bool = False) -> bool:
        """Whether the user wants `cells` left alone."""
        if self._ask() is Interruption.SKIP:
            self.behind.settle()
            self.commits.skip(cells)
            return True
        return self.is_stopping and not is_begun

    def _remember(self, ref: CheckpointRef, loaded: Loaded, before: FileIdentity) -> None:
        """Record the file that `loaded` was read from; `before` is its identity before that."""
        self.sources.remember(ref, loaded, before)
        self._loads.settle(ref, loaded.sha256)


@dataclass(frozen=True)
class _Failure:
    why: str
    is_of_memory: bool
    is_skip: bool  # the user's wish, no fault
