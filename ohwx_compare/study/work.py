"""A study carried out: its trainings, then its comparisons, each in an ordinary folder that resumes where it stopped.

What is whole is left alone and all else is a function of the file, so a study that was killed ends as one that was not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from ohwx_compare.compare.behind import one_at_a_time
from ohwx_compare.compare.crew import Crew
from ohwx_compare.compare.drawing import Worker
from ohwx_compare.compare.host import Host, Interruption
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.events import Listener
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.errors import Interrupted
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.hosts.machines.trainers import Trainers
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.judge.run.measuring import Scorers
from ohwx_compare.look.page import write_page
from ohwx_compare.look.sheet import write_sheets
from ohwx_compare.study.study import Study
from ohwx_compare.train.plan.plan import TrainingPlan, make_plan
from ohwx_compare.train.run.finished import is_finished
from ohwx_compare.train.run.identity import identity_of
from ohwx_compare.train.run.loop import train

__all__ = ["StudyTools", "compare_all", "plans_of", "side_by_side", "stand_ins_of", "train_all"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class StudyTools:
    """What a study is carried out with."""

    detectors: tuple[Path, ...]  # folders of them
    hashes: Hashes
    listen: Listener
    asked: Callable[[], bool]  # whether to stop after what is in hand
    device: str = "cpu"
    batch: int = 4  # most pictures generated together
    lanes: int = 1  # trainings or comparisons at once
    trainers: Trainers | None = None  # who trains in place of this process, as many trainings at once as they are
    workers: Sequence[Worker] = ()  # who generate in place of this process, all of them one comparison
    scorers: Scorers | None = None  # who measure in place of this process


def plans_of(study: Study, out: Path) -> dict[str, TrainingPlan]:
    """The plan of every training, by its name. Raises ExperimentError."""
    return {name: make_plan(recipe) for name, recipe in study.recipes(out).items()}


def train_all(plans: Mapping[str, TrainingPlan], tools: StudyTools) -> None:
    """Do what the trainings lack. Raises Interrupted where the user stops, and what a training raises."""

    trainers = tools.trainers
    if trainers:
        tools = replace(tools, lanes=len(trainers), listen=one_at_a_time(tools.listen))

    def one(plan: TrainingPlan, tools: StudyTools) -> None:
        if trainers and not is_finished(plan, identity_of(plan, tools.hashes(Path(plan.recipe.base)))):
            result = trainers.train(plan, tools.listen, tools.asked)
        else:
            result = train(plan, tools.listen, tools.asked, tools.device)
        if not result.is_finished:
            raise Interrupted

    side_by_side([partial(one, plan) for plan in plans.values()], tools)


def compare_all(study: Study, experiments: Mapping[str, Experiment], out: Path, tools: StudyTools) -> dict[str, Run]:
    """Do what the comparisons lack, with sheets and pages. Raises Interrupted where the user stops."""
    stand_ins = stand_ins_of(study, out)
    tools = replace(tools, lanes=1) if tools.workers else tools
    tasks: list[Callable[[StudyTools], Run]] = [
        partial(_compare, name, each, out, stand_ins) for name, each in experiments.items()
    ]
    return dict(zip(experiments, side_by_side(tasks, tools), strict=True))


def stand_ins_of(study: Study, out: Path) -> dict[str, str]:
    """What comparisons call the base -> its file, where that lies elsewhere than `out`."""
    base = study.path(study.recipe["base"]).absolute()
    return {} if base.is_relative_to(out.absolute()) else {base.name: str(base)}


def _compare(name: str, experiment: Experiment, out: Path, stand_ins: Mapping[str, str], tools: StudyTools) -> Run:
    """An ordinary run of `experiment` into the folder `name`."""
    with _host(out, tools) as host:
        result = draw_run(
            experiment,
            host,
            cache(lambda detector: find_detector(detector, tools.detectors, device=tools.device)),
            out / name,
            tools.listen,
            resolve=in_folder(out, stand_ins, tools.hashes),
            options=Options(batch=tools.batch, adopt=True),  # what is asked for is our own, whoever began it
        )
    finished = open_run(out / name)
    write_sheets(finished)
    write_page(finished)
    if result.is_interrupted:
        raise Interrupted
    return finished


@contextmanager
def _host(out: Path, tools: StudyTools) -> Iterator[Host | Crew]:
    """Who generates."""

    def interruption() -> Interruption:
        return Interruption.FINISH_CELL if tools.asked() else Interruption.RUN_ON

    if tools.workers:
        yield Crew(tools.workers, interruption)
        return
    host = NativeHost([out], device=tools.device, interruption=interruption, hashes=tools.hashes)
    try:
        yield host
    finally:
        host.close()


def side_by_side(tasks: Sequence[Callable[[StudyTools], T]], tools: StudyTools) -> list[T]:
    """What each gives. Where one raises, the others stop after what is in hand, and it is raised again."""
    failed = Event()
    own = replace(tools, asked=lambda: failed.is_set() or tools.asked())

    def done(task: Callable[[StudyTools], T]) -> T:
        try:
            return task(own)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(tools.lanes) as lanes:
        futures = [lanes.submit(done, task) for task in tasks]
    errors = [error for future in futures if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, Interrupted)):  # the cause before what it stopped
        raise error
    return [future.result() for future in futures]
