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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.compare.batches import batches, by_checkpoint
from ohwx_compare.compare.behind import one_at_a_time
from ohwx_compare.compare.commit import Commits
from ohwx_compare.compare.crew import Crew, conduct
from ohwx_compare.compare.drawing import HostWorker
from ohwx_compare.compare.face_pass import detector_key, require_built
from ohwx_compare.compare.host import Host
from ohwx_compare.compare.resolve import Resolve, resolve_all, resolve_detectors
from ohwx_compare.compare.shared import SharedRun
from ohwx_compare.compare.shelf import Shelf, run_folders
from ohwx_compare.compare.work import keys_with
from ohwx_compare.core.events import Listener
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.words import counted

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Options", "RunResult", "draw_run"]


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
    host: Host | Crew,
    detectors: "Callable[[str], Detector]",
    folder: Path,
    on_event: Listener = lambda event: None,
    *,
    resolve: Resolve,
    options: Options = Options(),
) -> RunResult:
    """Generate what `folder` lacks of `experiment`; the caller closes `host`, or the workers of a crew.

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
    crew = host if isinstance(host, Crew) else Crew([HostWorker(host, found)], host.interruption)
    with Ledger(folder, adopt=options.adopt, tell=on_event) as ledger:
        if ledger.adopted:
            on_event(ledger.adopted)
        ledger.plan(experiment)
        shelf = Shelf(folder, lenders, ledger.pictures())
        known = crew.agree(cells, chosen, found, on_event) if isinstance(host, Crew) else host
        seen = {name: detector_key(detector) for name, detector in found.items()}
        keys = keys_with(known.fingerprint, seen, shelf, lambda cell: known.beside(chosen[cell.checkpoint], cell.job))
        commits = Commits(ledger, shelf, on_event)
        plan = {ref: (chosen[ref], batches(group, options.batch)) for ref, group in by_checkpoint(cells)}
        shared = SharedRun(commits, keys, plan, crew.workers, crew.interruption, crew.note)
        shared.announce()
        conduct(shared)
        counts = commits.counts
        is_interrupted = shared.is_stopping and sum(counts.values()) < len(cells)
        spent = time.monotonic() - started
        sampled = len(shared.sampled)
        return RunResult(folder=folder, **counts, sampled=sampled, is_interrupted=is_interrupted, seconds=spent)
