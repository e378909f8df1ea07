"""Several workers on one run, each asked by a thread of its own; this process alone holds the run folder."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from ohwx_compare.compare.behind import Behind
from ohwx_compare.compare.conductor import Conductor
from ohwx_compare.compare.course import Course
from ohwx_compare.compare.drawing import Worker
from ohwx_compare.compare.host import Interruption, run_on
from ohwx_compare.core.events import Listener, Told
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.experiment.keys import PictureKeys
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import HostError, WorkerGoneError
from ohwx_compare.words import quoted

__all__ = ["Crew", "conduct", "difference"]

_LOOK = 0.2  # s; Windows shows Ctrl-C only to who looks up from waiting
_AGAIN = 10.0  # s between two looks whether a worker is back


@dataclass
class Crew:
    """Workers that generate one run together; their owner closes them."""

    workers: Sequence[Worker]  # at least one
    interruption: Callable[[], Interruption] = run_on

    def agree(self, cells: Sequence[Cell], tell: Listener) -> Callable[[Job], Mapping[str, Any]]:
        """The fingerprint of each job of `cells`, as the workers have it: all those that stay have the same.

        Raises what `Worker.fingerprints` raises of the first one, HostError where that is gone.
        """
        jobs = _jobs_of(cells)
        first, *others = self.workers
        known = dict(zip(jobs, first.fingerprints(jobs), strict=True))
        staying = [first]
        for worker in others:
            if why := _other(worker, known):
                tell(Told(f"{worker.name} is left out: {why}"))
                worker.close()
            else:
                staying.append(worker)
        self.workers = staying
        return known.__getitem__


def conduct(course: Course) -> None:
    """Have the workers of a run do all of it; one alone is asked by this thread.

    Raises what ends a run, HostError where every worker is gone before the end.
    """
    workers = course.workers
    if len(workers) == 1:
        with Behind() as behind:
            Conductor(workers[0], course, behind).run()
        return
    with ThreadPoolExecutor(len(workers), thread_name_prefix="worker") as pool:
        lanes = [pool.submit(_lane, worker, course) for worker in workers]
        try:
            while wait(lanes, _LOOK, FIRST_EXCEPTION).not_done and not any(map(_has_failed, lanes)):
                pass
        except BaseException:  # Ctrl-C twice
            course.sharing.stop()
            for worker in workers:
                worker.close()
            raise
    reasons = [lane.result() for lane in lanes]
    if not (course.sharing.is_finished or course.is_stopping):
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


def _lane(worker: Worker, course: Course) -> str:
    """One worker's part; why it is no longer there, "" where it is."""
    try:
        while why := _left(worker, course):
            while not worker.is_back():
                if not course.sharing.is_needed(_AGAIN):
                    return why
            course.commits.on_event(Told(f"{worker.name} is there again, and generates."))
            course.sharing.join(worker)
    except BaseException:
        course.sharing.stop()
        raise
    return ""


def _left(worker: Worker, course: Course) -> str:
    """Have `worker` do what it gets, to the end; why it left, "" where it did not."""
    try:
        with Behind() as behind:
            Conductor(worker, course, behind).run()
    except WorkerGoneError as error:
        course.sharing.leave(worker)
        course.commits.on_event(Told(f"{error} The others generate what it leaves."))
        return str(error)
    return ""


def _has_failed(lane: Any) -> bool:
    return lane.done() and lane.exception() is not None


def _other(worker: Worker, known: Mapping[Job, Mapping[str, Any]]) -> str:
    """Why its pictures would not be the ones that `known` fingerprints stand for; "" where they would."""
    try:
        own = worker.fingerprints([*known])
    except HostError as error:
        return str(error)
    found = next(filter(None, map(difference, known.values(), own)), "")
    return found and f"it would generate another picture; {found}."


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
