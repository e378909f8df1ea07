"""`ohwx experiment`: trainings, comparisons and the judgement of one file, each resumed where it stopped."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.drawing import add_ray_flags
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import at_least_1, folders_of_detectors, require_device, require_folder
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.judge.run.judgement import Judgement
    from ohwx_compare.study.study import Study
    from ohwx_compare.study.work import StudyTools
    from ohwx_compare.train.plan.plan import TrainingPlan

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Carry out a whole experiment: train every arm of the file with every seed, compare the saves at equal "
        "exposures with each other and with the base, and judge. The same command again resumes where it stopped. With "
        "--plan, print what all of it costs."
    )
    parser.epilog = "example: ohwx experiment --plan reg-or-not.json"
    parser.add_argument("file", metavar="FILE.json", type=Path, help="the experiment; docs/experiment.md has one")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder (default: beside FILE, with its name)")
    parser.add_argument("--plan", action="store_true", help="print what all of it costs, and do nothing else")
    parser.add_argument(
        "--detectors", metavar="DIR", type=Path, action="append", default=[], help="folder of detectors; repeatable"
    )
    parser.add_argument(
        "--batch", metavar="N", type=at_least_1, default=4, help="most pictures generated together (default: 4)"
    )
    parser.add_argument("--device", help="where to compute (default: cuda where there is one)")
    add_ray_flags(parser, "train, draw and measure")
    parser.add_argument("--json", action="store_true", help="print plan or result as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    from ohwx_compare.study.study import read_study
    from ohwx_compare.study.work import plans_of

    out = (options.out or options.file.with_suffix("")).absolute()
    require_folder(out)
    study = read_study(options.file)
    plans = plans_of(study, out)
    experiments = study.experiments(plans, out)
    problems = [f"{name}: {problem}" for name, plan in plans.items() for problem in plan.problems]
    if options.plan:
        _tell_plan(plans, experiments, options)
        for problem in problems:
            print(f"ohwx: {problem}", file=sys.stderr)
        return 1 if problems else 0
    if problems:
        raise ExperimentError(problems[0])
    return _carry_out(study, plans, experiments, out, options)


def _tell_plan(
    plans: Mapping[str, "TrainingPlan"], experiments: Mapping[str, Experiment], options: argparse.Namespace
) -> None:
    if options.json:
        told = {name: _costs(each, options.batch) for name, each in experiments.items()}
        print_json({"trainings": {name: plan.to_dict() for name, plan in plans.items()}, "comparisons": told})
    else:
        print(*_lines(plans, experiments, options.batch), sep="\n")


def _costs(experiment: Experiment, batch: int) -> dict[str, int]:
    from ohwx_compare.compare.batches import batches, by_checkpoint, cells_by_job
    from ohwx_compare.compare.cost.plan import most_bytes

    cells = experiment.cells()
    groups = dict(by_checkpoint(cells))
    return {
        "cells": len(cells),
        "checkpoints": len(groups),
        "pictures": sum(len(cells_by_job(group)) for group in groups.values()),
        "face_passes": sum(bool(cell.faces) for cell in cells),
        "batches": sum(len(batches(group, batch)) for group in groups.values()),
        "disk_bytes": most_bytes(experiment),
    }


def _lines(plans: Mapping[str, "TrainingPlan"], experiments: Mapping[str, Experiment], batch: int) -> Iterator[str]:
    for name, plan in plans.items():
        exposures = ", ".join(f"{save.exposures:g}" for save in plan.saves)
        size = f"{plan.disk_bytes / 1e9:.2f} GB"
        yield f"train {name}: {counted(plan.steps, 'step')}, saved at exposures {exposures}, {size}"
    for name, each in experiments.items():
        costs = _costs(each, batch)
        size = f"{counted(costs['cells'], 'cell')} over {counted(costs['checkpoints'], 'checkpoint')}"
        work = f"{counted(costs['pictures'], 'picture')}, {counted(costs['face_passes'], 'face pass', 'face passes')}"
        yield f"compare {name}: {size}, {work}, at most {costs['disk_bytes'] / 1e6:,.0f} MB"
    steps = sum(plan.steps for plan in plans.values())
    pictures = sum(_costs(each, batch)["disk_bytes"] for each in experiments.values())
    disk = sum(plan.disk_bytes for plan in plans.values()) + pictures
    yield f"in all: {counted(steps, 'training step')}, at most {disk / 1e9:.2f} GB on disk"
    yield "`ohwx train --plan --calibrate` and `ohwx plan --calibrate` measure the time here"


def _carry_out(
    study: "Study",
    plans: Mapping[str, "TrainingPlan"],
    experiments: Mapping[str, Experiment],
    out: Path,
    options: argparse.Namespace,
) -> int:
    from ohwx_compare.files.hashes import Hashes, cache_folder
    from ohwx_compare.hosts.native import default_device
    from ohwx_compare.study.work import StudyTools, compare_all, train_all

    if not options.ray:
        require_device(options.device)
    folders = folders_of_detectors([*options.detectors, *_own(out / "detectors")], study.path(study.recipe["base"]))
    bar = Bar()
    with closing(bar), CtrlC(bar.say, "current step or pictures") as asked:
        own = StudyTools(
            detectors=tuple(folders), hashes=Hashes(cache_folder()), listen=bar, asked=lambda: asked.asked,
            device=default_device().type if options.ray else options.device or default_device().type,
            batch=options.batch,
        )  # fmt: skip
        with _by(own, study, out, options) as tools:
            train_all(plans, tools)
            runs = compare_all(study, experiments, out, tools)
            found = _judged(study, out, tools) if study.judge else None
    pages = [str(out / name / "index.html") for name in runs]
    if options.json:
        from ohwx_compare.look.report.numbers import judgement_json

        print_json({"folder": str(out), "pages": pages, "judgement": judgement_json(found) if found else None})
        return 0
    if found:
        from ohwx_compare.look.report.markdown import judgement_markdown

        print(judgement_markdown(found))
    print(*pages, sep="\n")
    return 0


@contextmanager
def _by(tools: "StudyTools", study: "Study", out: Path, options: argparse.Namespace) -> Iterator["StudyTools"]:
    """`tools`, with the actors of a Ray cluster where the flags ask for one."""
    if not options.ray:
        yield tools
        return
    from ohwx_compare.hosts.machines.native_station import NativeSettings
    from ohwx_compare.hosts.machines.on_ray import ray_machines
    from ohwx_compare.hosts.machines.scorers import taught
    from ohwx_compare.hosts.machines.trainers import Trainers
    from ohwx_compare.hosts.native import Beside
    from ohwx_compare.study.work import stand_ins_of

    settings = NativeSettings(
        checkpoints=out, device=options.device, beside=Beside(), detectors=tools.detectors,
        stand_ins=tuple(stand_ins_of(study, out).items()),
    )  # fmt: skip
    with ray_machines(settings, options.ray, options.workers, sends=options.send) as machines:
        yield replace(
            tools, trainers=Trainers(machines.trainers), workers=machines.workers,
            scorers=partial(taught, machines.scorers),
        )  # fmt: skip


def _own(folder: Path) -> list[Path]:
    return [folder] if folder.is_dir() else []


def _judged(study: "Study", out: Path, tools: "StudyTools") -> "Judgement":
    """The judgement of the comparison that the file names, with its report."""
    from ohwx_compare.judge.run.judging import JudgeRequest, judge_folder
    from ohwx_compare.judge.run.measures import Given, folders_given
    from ohwx_compare.judge.weights import weights_folders
    from ohwx_compare.look.report.markdown import judgement_markdown
    from ohwx_compare.look.report.page import write_judgement

    asked = study.judge or {}
    photos, held_out, negatives = (
        study.path(asked[name]) if asked.get(name) else None for name in ("photos", "held_out", "negatives")
    )
    base = study.path(study.recipe["base"])
    given = Given(
        photos=folders_given(photos), held_out=held_out, negatives=folders_given(negatives), base=base,
        weights=tuple(weights_folders(base.parent)), device=tools.device,
    )  # fmt: skip
    request = JudgeRequest(
        folder=out / (asked.get("comparison") or next(iter(study.comparisons))),
        given=given,
        detectors=tools.detectors,
        class_token=asked.get("class_token", ""),
        adopt=True,
    )
    found = judge_folder(request, tools.listen, tools.asked, tools.scorers)
    write_judgement(found, judgement_markdown(found))
    return found
