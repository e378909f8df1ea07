"""Several workers on one run, each asked by a thread of its own; this process alone holds the run folder."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ohwx_compare.compare.behind import Behind
from ohwx_compare.compare.conductor import Conductor
from ohwx_compare.compare.drawing import Worker
from ohwx_compare.compare.host import Interruption, run_on
from ohwx_compare.compare.shared import SharedRun
from ohwx_compare.core.events import Listener, Told
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.experiment.keys import PictureKeys
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import HostError, OhwxError, WorkerGoneError
from ohwx_compare.words import quoted

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Crew", "conduct", "difference"]

_LOOK = 0.2  # s; Windows shows Ctrl-C only to who looks up from waiting
_AGAIN = 10.0  # s between two looks whether a worker is back


@dataclass
class Crew:
    """Workers that generate one run together; their owner closes them."""

    workers: Sequence[Worker]  # at least one
    interruption: Callable[[], Interruption] = run_on

    def agree(
        self, cells: Sequence[Cell], detectors: "Mapping[str, Detector]", tell: Listener
    ) -> Callable[[Job], Mapping[str, Any]]:
        """Give each worker the detectors; the fingerprint of each job of `cells`, as all who stay have it.

        One that cannot begin, or whose pictures would be others than the first one's, is left out. Raises what that
        one raised where nobody stays.
        """
        jobs, staying, known = _jobs_of(cells), list[Worker](), dict[Job, Mapping[str, Any]]()
        errors = list[OhwxError]()
        for worker in self.workers:
            try:
                worker.equip(detectors)
                own: dict[Job, Mapping[str, Any]] = dict(zip(jobs, worker.fingerprints(jobs), strict=True))
                _require_alike(known or own, own)
            except OhwxError as error:
                errors.append(error)
                tell(Told(f"{worker.name} is left out: {error}"))
                worker.close()
            else:
                known = known or own
                staying.append(worker)
        if not staying:
            raise errors[0]
        self.workers = staying
        return known.__getitem__


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


def _require_alike(known: Mapping[Job, Mapping[str, Any]], own: Mapping[Job, Mapping[str, Any]]) -> None:
    """Raise HostError for fingerprints that are not the `known` ones."""
    if found := next(filter(None, map(difference, known.values(), own.values())), ""):
        raise HostError(f"it would generate another picture; {found}.")


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
