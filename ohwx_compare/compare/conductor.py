"""One worker's part of a run, checkpoint by checkpoint and batch by batch: it generates, `Commits` records."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain

from PIL.Image import Image

from ohwx_compare.compare.batches import Batch, batches, cells_by_job
from ohwx_compare.compare.behind import Behind, BehindBatch
from ohwx_compare.compare.drawing import Worker
from ohwx_compare.compare.host import Interruption, Loaded
from ohwx_compare.compare.loads import is_there
from ohwx_compare.compare.shared import SharedRun
from ohwx_compare.compare.work import Wanted, needed
from ohwx_compare.core.events import Step, Told
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.errors import (
    CheckpointError,
    Interrupted,
    LedgerError,
    OtherBytesError,
    OutOfMemoryError,
    SkippedError,
    WorkerGoneError,
    sentence_of,
)
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.files.packed import PackedPicture, unpacked

__all__ = ["Conductor"]

_SHORT = "fewer pictures were generated together than asked for: there was no memory for more"


class Conductor:
    """One thread's: it asks one worker, and hands over what comes of it."""

    def __init__(self, worker: Worker, shared: SharedRun, behind: Behind):
        self.worker, self.shared, self.behind = worker, shared, behind
        self.sharing, self.commits, self.keys = shared.sharing, shared.commits, shared.keys
        self.shelf, self.on_event = shared.commits.shelf, shared.commits.on_event
        self._is_certain = True  # which file the checkpoint in hand is
        self._begun: tuple[CheckpointRef, FileIdentity]  # that checkpoint, and its file as it was before
        self._left: list[Cell] = []  # its cells that are done, not counted before that is certain
        self._most: int | None = None  # pictures that memory has room for together, once it had none for more

    def run(self) -> None:
        """Generate what this worker gets of the run. Raises WorkerGoneError; what it had in hand is given back."""
        while (ref := self.sharing.next(self.worker)) is not None:
            taken: list[Batch] = []
            with self._given_back(ref, taken):
                self._visit_surely(ref, taken)
        self._finish()

    @contextmanager
    def _given_back(self, ref: CheckpointRef, taken: Sequence[Batch]) -> Iterator[None]:
        """Where the worker is gone, those of `taken` that are not through are given back."""
        try:
            yield
        except WorkerGoneError:
            self.behind.settle()
            self.sharing.give_back(ref, [batch for batch in taken if not all(map(self.commits.is_counted, batch))])
            raise

    def _finish(self) -> None:
        """Return when all is written; a batch that met an error then is generated again, cell by cell."""
        self.behind.settle()
        while failed := self.behind.failed():
            for batch, cell in [(one, cell) for one in failed for cell in one.cells]:
                keys = self.keys(cell, batch.loaded.sha256)
                if batch.error and batch.size == 1:
                    self.commits.fail(cell, sentence_of(batch.error), keys.before)
                elif not (cell.number in batch.committed and self.commits.is_done(cell, keys)):
                    with self._given_back(cell.checkpoint, [(cell,)]):
                        self._try((cell,), batch.loaded)
            self.behind.settle()

    def _visit_surely(self, ref: CheckpointRef, taken: list[Batch]) -> None:
        """Generate batches of one checkpoint, each put into `taken`; it is not loaded where all of them are there."""

        def taking() -> Iterator[Batch]:
            for batch in self.sharing.batches(ref):
                taken.append(batch)
                yield batch

        rest = taking()
        with suppress(OtherBytesError):  # nothing was written yet, and by now the whole file is known
            return self._visit(ref, rest)
        try:
            return self._visit(ref, chain(tuple(taken), rest))
        except OtherBytesError as error:
            return self._without(ref, sentence_of(error), chain(tuple(taken), rest))

    def _visit(self, ref: CheckpointRef, batches_: Iterable[Batch]) -> None:
        self._left = []
        loaded = self._there(ref)
        if loaded is None:
            self.shared.ask()
            if self.shared.is_stopping:
                deque(batches_, 0)  # left to another run
                return
            try:
                loaded = self._use(ref)
            except (Interrupted, LedgerError, WorkerGoneError):
                raise
            except Exception as error:  # noqa: BLE001  the boundary of a cell, here of all that lack this checkpoint
                if self.sharing.refuse(self.worker, ref):
                    self.on_event(Told(f"{self.worker.name} leaves {ref} to others: {sentence_of(error)}"))
                else:
                    self._without(ref, sentence_of(error), batches_)
                return
            if following := self.sharing.following(self.worker):
                self.worker.expect(self.shared.plan[following][0])
        self._is_certain = not loaded.is_sampled
        for batch in batches_:
            self._try(batch, loaded)
        self._count_left(loaded)

    def _there(self, ref: CheckpointRef) -> Loaded | None:
        """The file, where every picture that its cells need of it is on the shelf or lent; None to load it.

        By a sample only where nothing is to be written.
        """
        loads, sources = self.shared.loads, self.shared.sources
        if not loads.may_be_spared(ref):
            return None
        checkpoint, cells = self.shared.plan[ref][0], self.shared.cells[ref]
        with suppress(CheckpointError):  # using it will say what is wrong
            before = FileIdentity.of(checkpoint.path)
            seen = None if sources.proven(ref, checkpoint) else self.worker.glance(checkpoint)
            if seen and seen.is_sampled:
                if not self._parted(cells, seen.sha256)[1]:
                    self.shared.sampled.add(ref)
                    self._begin(ref, seen, before)
                    return seen
                if not is_there(cells, seen.sha256, self.keys, self.shelf):
                    return None  # the whole is read while it generates
            loaded = Loaded(checkpoint, sources.sha256(self.worker, ref, checkpoint))
            if is_there(cells, loaded.sha256, self.keys, self.shelf):
                self._remember(ref, loaded, before)
                return loaded
        return None

    def _use(self, ref: CheckpointRef) -> Loaded:
        checkpoint, began = self.shared.plan[ref][0], time.monotonic()
        before = FileIdentity.of(checkpoint.path)
        loaded = self.worker.use(checkpoint)
        self.shared.require_same(ref, loaded, self.worker)
        self.sharing.loaded(self.worker, time.monotonic() - began)
        if loaded.is_sampled:
            self._begin(ref, loaded, before)
        else:
            self._remember(ref, loaded, before)
        return loaded

    def _begin(self, ref: CheckpointRef, loaded: Loaded, before: FileIdentity) -> None:
        """Take the file for what its sample says, until more is known or has to be."""
        self._begun = ref, before
        self.shared.loads.settle(ref, loaded.sha256)

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

    def _without(self, ref: CheckpointRef, why: str, batches_: Iterable[Batch]) -> None:
        """The checkpoint cannot be used: what it generated before stays, even if the file is gone; the rest fails."""
        cells = [cell for batch in batches_ for cell in batch]
        sources = self.shared.sources
        try:
            sha256 = sources.sha256(self.worker, ref, self.shared.plan[ref][0])
        except CheckpointError:
            sha256 = sources.recorded(ref)
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
        except (Interrupted, LedgerError, OtherBytesError, WorkerGoneError):
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
            started, drawn = time.monotonic(), dict[str, Image | PackedPicture]()
            self._stage(befores, writing, drawn)
            if self._looks_away(todo, is_begun=True):
                return
            for stage in afters:
                self._stage(stage, writing, drawn)
            self._confirm(loaded)
            spent = time.monotonic() - started
            self.sharing.drew(self.worker, sum(wanted.cost for stage in (befores, *afters) for wanted in stage), spent)
            seconds = spent / len(todo)
            also = (*filter(None, (self.shared.note(self.worker), _SHORT if self._most else "")),)
            for cell in todo:
                commit = partial(self.commits.commit, cell, keys[cell.number], loaded, seconds, also)
                self.behind.hand(writing, commit, cell=cell)

    def _stage(self, stage: Sequence[Wanted], writing: BehindBatch, drawn: dict[str, Image | PackedPicture]) -> None:
        """Have one stage of a batch generated, each picture handed to the writer as it comes, and kept in `drawn`."""

        def before(key: str) -> Image:
            return unpacked(drawn.get(key) or self.commits.image(key))

        loaded = writing.loaded
        pictures = self.worker.draw(loaded, stage, before)
        for wanted, picture in zip(stage, pictures, strict=True):
            self._confirm(loaded)
            drawn[wanted.key] = picture.image
            self.behind.hand(writing, partial(self.commits.keep, wanted, picture, loaded), key=wanted.key)
        steps = sum(wanted.cost for wanted in stage)
        if steps and not self.worker.reports_steps:
            self.on_event(Step(steps))

    def _looks_away(self, cells: Sequence[Cell], *, is_begun: bool = False) -> bool:
        """Whether the user wants `cells` left alone."""
        if self.shared.ask() is Interruption.SKIP:
            self.behind.settle()
            self.commits.skip(cells)
            return True
        return self.shared.is_stopping and not is_begun

    def _remember(self, ref: CheckpointRef, loaded: Loaded, before: FileIdentity) -> None:
        """Record the file that `loaded` was read from; `before` is its identity before that."""
        self.shared.sources.remember(ref, loaded, before)
        self.shared.loads.settle(ref, loaded.sha256)


@dataclass(frozen=True)
class _Failure:
    why: str
    is_of_memory: bool
    is_skip: bool  # the user's wish, no fault
