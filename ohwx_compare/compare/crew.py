"""Several workers on one run, each asked by a thread of its own; this process alone holds the run folder."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ohwx_compare.compare.behind import Behind
from ohwx_compare.compare.conductor import Conductor
from ohwx_compare.compare.drawing import StationCard, Worker
from ohwx_compare.compare.host import Checkpoint, Interruption, run_on
from ohwx_compare.compare.shared import SharedRun
from ohwx_compare.core.events import Listener, Told
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.experiment.keys import PIXELS, PictureKeys
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import HostError, OhwxError, WorkerGoneError
from ohwx_compare.words import quoted

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Agreed", "Crew", "conduct", "difference"]

_LOOK = 0.2  # s; Windows shows Ctrl-C only to who looks up from waiting
_AGAIN = 10.0  # s between two looks whether a worker is back


@dataclass
class Crew:
    """Workers that generate one run together; their owner closes them."""

    workers: Sequence[Worker]  # at least one
    interruption: Callable[[], Interruption] = run_on
    cards: dict[Worker, str] = field(default_factory=dict)  # what computes at each that agreed

    def agree(
        self,
        cells: Sequence[Cell],
        chosen: Mapping[CheckpointRef, Checkpoint],
        detectors: "Mapping[str, Detector]",
        tell: Listener,
    ) -> "Agreed":
        """Give each worker the detectors; what the jobs of `cells` depend on, as all who stay have it.

        One that cannot begin, or whose pictures would be others than the first one's, is left out. Raises what that
        one raised where nobody stays.
        """
        jobs, staying, known = _jobs_of(cells), list[Worker](), None
        errors = list[OhwxError]()
        for worker in self.workers:
            try:
                card = worker.about()
                _require_version(card)
                worker.equip(detectors)
                own = Agreed.of(worker, jobs, [*chosen.values()])
                (known or own).require_alike(own)
            except OhwxError as error:
                errors.append(error)
                tell(Told(f"{worker.name} is left out: {error}"))
                worker.close()
            else:
                known = known or own
                staying.append(worker)
                self.cards[worker] = f"{card.device}, {card.versions}" if card else ""
        if known is None:
            raise errors[0]
        self.workers = staying
        if self.note(staying[0]):
            models = "; ".join(dict.fromkeys(self.cards[worker] for worker in staying))
            tell(Told(f"{models}: their pictures can differ in the last bits, so each cell says what generated it."))
        return known

    def note(self, worker: Worker) -> str:
        """What a cell of `worker` says of what computes there; "" where all are alike."""
        kinds = {self.cards.get(one, "") for one in self.workers}
        return f"generated on {self.cards[worker] or 'this machine'}" if len(kinds) > 1 else ""


@dataclass(frozen=True)
class Agreed:
    """What pictures depend on besides job and checkpoint, as the workers of a run have it."""

    fingerprints: Mapping[Job, Mapping[str, Any]]
    besides: Mapping[tuple[Checkpoint, Job], str]

    @classmethod
    def of(cls, worker: Worker, jobs: Sequence[Job], checkpoints: Sequence[Checkpoint]) -> "Agreed":
        """As `worker` has it. Raises what it raises."""
        told = dict(zip(jobs, worker.fingerprints(jobs), strict=True))
        besides = {one: worker.besides(one, jobs) for one in checkpoints}
        pairs = {(one, job): word for one, words in besides.items() for job, word in zip(jobs, words, strict=True)}
        return cls(told, pairs)

    def fingerprint(self, job: Job) -> Mapping[str, Any]:
        """See `Host.fingerprint`."""
        return self.fingerprints[job]

    def beside(self, checkpoint: Checkpoint, job: Job) -> str:
        """See `Host.beside`."""
        return self.besides[checkpoint, job]

    def require_alike(self, other: "Agreed") -> None:
        """Raise HostError for what is not the same."""
        found = next(filter(None, map(difference, self.fingerprints.values(), other.fingerprints.values())), "")
        if not found and (apart := {one.name for one, _ in dict(self.besides.items() ^ other.besides.items())}):
            found = f"another file lies beside {min(apart)}"
        if found:
            raise HostError(f"it would generate another picture; {found}.")


def conduct(shared: SharedRun) -> None:
    """Have the workers of a run do all of it; one alone is asked by this thread.

    Raises what ends a run, HostError where every worker is gone before the end.
    """
    workers = shared.workers
    if len(workers) == 1:
        with Behind() as behind:
            Conductor(workers[0], shared, behind).run()
        return
    with ThreadPoolExecutor(len(workers), thread_name_prefix="worker") as pool:
        lanes = [pool.submit(_lane, worker, shared) for worker in workers]
        try:
            while wait(lanes, _LOOK, FIRST_EXCEPTION).not_done and not any(map(_has_failed, lanes)):
                pass
        except BaseException:  # Ctrl-C twice
            shared.sharing.stop()
            for worker in workers:
                worker.close()
            raise
    reasons = [lane.result() for lane in lanes]
    if not (shared.sharing.is_finished or shared.is_stopping):
        raise HostError(f"None of the workers is left: {' '.join(filter(None, reasons))} What is finished is kept.")


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first thing that two fingerprints do not share, in words; "" for none."""
    for name in one.keys() | other.keys():
        here, there = one.get(name), other.get(name)
        if isinstance(here, dict) and isinstance(there, dict):
            if inner := difference(here, there):
                return inner
        elif here != there:
            return f"{name} is {quoted(here)} and {quoted(there)}"
    return ""


def _require_version(card: StationCard | None) -> None:
    """Raise HostError where the program there generates other pixels for the same key."""
    if card and card.pixels != PIXELS:
        raise HostError(f"its version ({card.versions}) generates other pictures; install this one there.")


def _lane(worker: Worker, shared: SharedRun) -> str:
    """One worker's part; why it is no longer there, "" where it is."""
    try:
        while why := _left(worker, shared):
            while not worker.is_back():
                if not shared.sharing.is_needed(_AGAIN):
                    return why
            shared.commits.on_event(Told(f"{worker.name} is there again, and generates."))
            shared.sharing.join(worker)
    except BaseException:
        shared.sharing.stop()
        raise
    return ""


def _left(worker: Worker, shared: SharedRun) -> str:
    """Have `worker` do what it gets, to the end; why it left, "" where it did not."""
    try:
        with Behind() as behind:
            Conductor(worker, shared, behind).run()
    except WorkerGoneError as error:
        shared.sharing.leave(worker)
        shared.commits.on_event(Told(f"{error} The others generate what it leaves."))
        return str(error)
    return ""


def _has_failed(lane: Any) -> bool:
    return lane.done() and lane.exception() is not None


def _jobs_of(cells: Sequence[Cell]) -> list[Job]:
    """Every job that the keys of `cells` ask a fingerprint of."""
    asked: dict[Job, None] = {}

    def ask(job: Job) -> dict[str, Any]:
        asked[job] = None
        return {}

    names = {tab.model: "" for cell in cells for tab in cell.faces}
    keys = PictureKeys(ask, names)
    for cell in {(cell.job, cell.faces): cell for cell in cells}.values():
        keys.of(cell, "")
    return [*asked]
