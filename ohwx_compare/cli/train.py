"""`ohwx train`: carry out a recipe, or show what it will do, step by step, before it starts."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import Bar, clock
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import require_device
from ohwx_compare.errors import Interrupted
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
        "recipe",
        metavar="RECIPE.json",
        type=Path,
        help="the recipe; or settings of kohya_ss (JSON), of sd-scripts (TOML), or a file with its command line",
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
    parser.add_argument("--json", action="store_true", help="print the plan, or the result, as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, or print the plan. Returns 1 where something prevents the start."""
    imported = read_any(options.recipe, [name.strip() for name in options.without.split(",") if name.strip()])
    plan = make_plan(imported.recipe)
    plan = replace(plan, notes=(*imported.notes, *plan.notes))
    if not options.plan:
        return _train(plan, options)
    foretold = _foretold(plan, options) if options.calibrate and not plan.problems else None
    if options.json:
        measured = {"seconds": foretold and foretold.seconds, "peak_bytes": foretold and foretold.peak}
        print_json(plan.to_dict() | measured)
    else:
        print("\n".join(_lines(plan)))
        if foretold:
            print(_told(foretold))
    for problem in plan.problems:
        print(f"ohwx: {problem}", file=sys.stderr)
    return 1 if plan.problems else 0


def _train(plan: TrainingPlan, options: argparse.Namespace) -> int:
    import torch

    from ohwx_compare.train.learn.group import join
    from ohwx_compare.train.run.loop import train

    require_device(options.device)
    group, device = join(device=options.device)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not group.leads:
        train(plan, lambda event: None, device=device, group=group)
        group.leave()
        return 0
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
    if options.json:
        result = {"step": outcome.step, "finished": outcome.is_finished, "saved": [str(p) for p in outcome.checkpoints]}
        print_json(result)
    else:
        print(*outcome.checkpoints or ["already finished" if outcome.is_finished else "stopped"], sep="\n")
    if not outcome.is_finished:
        raise Interrupted
    return 0


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
    yield f"memory  {memory.total / 1e9:.2f} GB ({parts}), by the tensors' shapes; the runtime needs under 1 GB more"
    for line in (*plan.dataset.skipped, *plan.notes):
        yield f"note    {line}"
