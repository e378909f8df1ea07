"""`ohwx train`: carry out a recipe, or show what it will do, step by step, before it starts."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import Bar, clock
from ohwx_compare.cli.drawing import add_ray_flags
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import require_device
from ohwx_compare.errors import ExperimentError, Interrupted
from ohwx_compare.train.plan.plan import TrainingPlan, make_plan
from ohwx_compare.train.recipe.forms import read_any
from ohwx_compare.train.recipe.presets import PRESETS
from ohwx_compare.words import counted

if TYPE_CHECKING:  # loads torch, which --plan alone does without
    from ohwx_compare.train.run.calibrate import Foretold

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Train as the recipe says, into its output folder; the same command again resumes where it stopped. With "
        "--plan, print what it will do: steps, saves and exposures, use of regularization images, disk and memory."
    )
    parser.epilog = f"presets: {', '.join(PRESETS)}. example: ohwx train --plan recipe.json"
    parser.add_argument(
        "recipes",
        metavar="RECIPE.json",
        nargs="+",
        type=Path,
        help="the recipe; or settings of kohya_ss or OneTrainer (JSON), of sd-scripts (TOML), or a file with its "
        "command line. Several are trained one after the other, with --ray side by side",
    )
    parser.add_argument("--plan", action="store_true", help="print the plan and do nothing else")
    parser.add_argument(
        "--calibrate", action="store_true", help="with --plan: take a few steps to measure time and memory here"
    )
    parser.add_argument(
        "--without",
        metavar="SETTINGS",
        default="",
        help="settings of Kohya's trainer to give up, though they change the training: random_crop,max_token_length",
    )
    parser.add_argument("--device", metavar="DEVICE", help="where to compute (default: CUDA if there is one, or cpu)")
    add_ray_flags(parser, "train, a recipe each", sends=False)
    parser.add_argument(
        "--json", action="store_true", help="print the plan, or the result, as JSON; of several recipes a list"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, or print the plans. Returns 1 where something prevents the start."""
    plans = [_plan_of(path, options) for path in options.recipes]
    outputs = [str(Path(plan.recipe.output).absolute()) for plan in plans]
    if twice := [output for output in outputs if outputs.count(output) > 1]:
        raise ExperimentError(f"Two recipes have the output {twice[0]}; give each a folder of its own.")
    if options.plan:
        told = [_show(plan, options) for plan in plans]
    else:
        told = _train_on_ray(plans, options) if options.ray else [_train(plan, options) for plan in plans]
    if options.json and (results := [one for one in told if one]):
        print_json(results[0] if len(plans) == 1 else results)
    return 1 if options.plan and any(plan.problems for plan in plans) else 0


def _plan_of(path: Path, options: argparse.Namespace) -> TrainingPlan:
    imported = read_any(path, [name.strip() for name in options.without.split(",") if name.strip()])
    plan = make_plan(imported.recipe)
    return replace(plan, notes=(*imported.notes, *plan.notes))


def _show(plan: TrainingPlan, options: argparse.Namespace) -> dict[str, Any]:
    """Print a plan, or return it for JSON."""
    foretold = _foretold(plan, options) if options.calibrate and not plan.problems else None
    if not options.json:
        print("\n".join(_lines(plan)))
        if foretold:
            print(_told(foretold))
    for problem in plan.problems:
        print(f"ohwx: {problem}", file=sys.stderr)
    return plan.to_dict() | {"seconds": foretold and foretold.seconds, "peak_bytes": foretold and foretold.peak}


def _train_on_ray(plans: Sequence[TrainingPlan], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Have the actors of a cluster train, a recipe each; what came of it, for JSON."""
    from ohwx_compare.files.hashes import Hashes, cache_folder
    from ohwx_compare.hosts.machines.native_station import NativeSettings
    from ohwx_compare.hosts.machines.on_ray import ray_machines
    from ohwx_compare.hosts.machines.trainers import Trainers
    from ohwx_compare.hosts.native import Beside
    from ohwx_compare.study.work import StudyTools, train_all

    for plan in plans:
        plan.require_runnable()
    settings = NativeSettings(checkpoints=Path(), device=options.device, beside=Beside())
    bar = Bar()
    with (
        closing(bar),
        CtrlC(bar.say, "current steps") as asked,
        ray_machines(settings, options.ray, options.workers) as machines,
    ):
        tools = StudyTools(
            detectors=(), hashes=Hashes(cache_folder()), listen=bar, asked=lambda: asked.asked,
            trainers=Trainers(machines.trainers),
        )  # fmt: skip
        train_all({plan.recipe.output: plan for plan in plans}, tools)
    return [_result(plan.steps, [path for path in _files(plan) if path.is_file()], options) for plan in plans]


def _files(plan: TrainingPlan) -> list[Path]:
    return [Path(plan.recipe.output) / name for save in plan.saves for name in plan.files(save)]


def _result(
    step: int, saved: Sequence[Path], options: argparse.Namespace, *, is_finished: bool = True
) -> dict[str, Any]:
    """Print what came of a training, or return it for JSON."""
    if not options.json:
        print(*(saved or ("already finished" if is_finished else "stopped",)), sep="\n")
    return {"step": step, "finished": is_finished, "saved": [str(path) for path in saved]}


def _train(plan: TrainingPlan, options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from ohwx_compare.train.learn.group import join
    from ohwx_compare.train.run.loop import train

    require_device(options.device)
    group, device = join(device=options.device)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not group.leads:
        with CtrlC(lambda line: None):  # Ctrl-C reaches all of them: the leader says when to stop
            train(plan, lambda event: None, device=device, group=group)
            group.leave()
        return {}
    for line in (*plan.dataset.skipped, *plan.notes):
        print(f"note    {line}", file=sys.stderr)
    together = f", in {counted(group.size, 'process', 'processes')}" if group.size > 1 else ""
    print(f"{counted(plan.steps, 'step')} into {plan.recipe.output}, on {device}{together}", file=sys.stderr)
    bar = Bar()
    with CtrlC(bar.say, "current step") as interrupt:
        try:
            outcome = train(plan, bar, lambda: interrupt.asked, device, group)
            group.leave()
        finally:
            bar.close()
    result = _result(outcome.step, outcome.checkpoints, options, is_finished=outcome.is_finished)
    if not outcome.is_finished:
        if options.json:
            print_json(result)
        raise Interrupted
    return result


def _foretold(plan: TrainingPlan, options: argparse.Namespace) -> "Foretold":
    import torch

    from ohwx_compare.train.run.calibrate import foretell

    require_device(options.device)
    return foretell(plan.recipe, options.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _told(foretold: "Foretold") -> str:
    parts = ", ".join(f"{name} {clock(getattr(foretold, name))}" for name in ("start", "steps", "looks", "writing"))
    peak = f"; at most {foretold.peak / 1e9:.2f} GB of memory, the runtime included" if foretold.peak else ""
    return f"here    {clock(foretold.seconds)} ({parts}){peak}"


def _lines(plan: TrainingPlan) -> Iterator[str]:
    shown = sum(times for i, times in plan.shown.items() if not plan.pictures[i].reg)
    images = f"{counted(len(plan.dataset.train), 'training image')} shown {counted(shown, 'time')} in all"
    yield f"{counted(plan.steps, 'step')}, {counted(plan.epochs, 'epoch')}: {images}"
    if plan.dataset.reg:
        used = ", ".join(f"{images:,} of them {counted(times, 'time')}" for times, images in plan.reg_use().items())
        yield f"{counted(len(plan.dataset.reg), 'regularization image')}: {used}"
    for (width, height), (train, reg) in plan.buckets().items():
        yield f"bucket {width}x{height}: {train} training" + (f", {reg} regularization" if reg else "")
    yield ""
    width = max(len(save.name) for save in plan.saves)
    yield f"{'checkpoint':<{width}}  {'step':>7}  exposures of each image"
    for save in plan.saves:
        gone = "" if save.kept else "  (removed by keep_last)"
        yield f"{save.name:<{width}}  {save.step:>7,}  {save.exposures:g} ({save.least} to {save.most}){gone}"
    yield ""
    states = f"each state to resume from {plan.state_bytes / 1e9:.2f}"
    yield f"disk    {plan.disk_bytes / 1e9:.2f} GB at most ({states}), {plan.free_bytes / 1e9:.2f} GB free"
    memory = plan.memory
    parts = f"weights {memory.weights / 1e9:.2f}, gradients {memory.gradients / 1e9:.2f}, optimiser "
    parts += f"{memory.optimizer / 1e9:.2f}" + (f", masters {memory.masters / 1e9:.2f}" if memory.masters else "")
    parts += f", activations {memory.activations / 1e9:.2f} with {counted(len(plan.again), 'block')} recomputed"
    parts += f", samples or validation {memory.looks / 1e9:.2f} more" if memory.looks else ""
    each = f" on each of {plan.recipe.shard} cards" if plan.recipe.shard else ""
    needs = "by the tensors' shapes; the runtime needs under 1 GB more"
    yield f"memory  {memory.total / 1e9:.2f} GB{each} ({parts}), {needs}"
    for line in (*plan.dataset.skipped, *plan.notes):
        yield f"note    {line}"
