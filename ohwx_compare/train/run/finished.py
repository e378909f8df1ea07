"""Whether a run's result is in its folder already, and how the result of a shorter one makes way for more steps."""

from pathlib import Path
from typing import Any

from ohwx_compare.errors import CheckpointError, TrainingError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.numerals import decode_json
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.run.identity import RunIdentity
from ohwx_compare.train.run.state import newest
from ohwx_compare.words import counted

__all__ = ["is_finished", "make_way"]


def is_finished(plan: TrainingPlan, identity: RunIdentity) -> bool:
    """Whether the run has ended before.

    Raises TrainingError where a file of its names is another run's, where the result there is of more steps, or of
    fewer and no state is left to go on from.
    """
    folder = Path(plan.recipe.output)
    for save in reversed(plan.saves):
        for name in plan.files(save):
            if (folder / name).exists() and not identity.owns(dict(read_header(folder / name).metadata), "ohwx."):
                raise TrainingError(
                    f"{folder / name} belongs to another run: recipe, base or pictures differ. Choose another output "
                    "or name."
                )
    result = folder / plan.files(plan.saves[-1])[0]
    if not result.exists():
        return False
    steps = _trained(result)["step"]
    if steps > plan.steps:
        raise TrainingError(
            f"{result} has {counted(steps, 'step')} behind it, more than the {plan.steps:,} of this recipe; choose "
            "another output, or train longer."
        )
    if steps < plan.steps and newest(folder / "state") is None:
        raise TrainingError(
            f"{result} ended after {counted(steps, 'step')}, and no state is left to continue from to {plan.steps:,}: "
            "its recipe did not say state_at_end. Choose another output to train again from the start."
        )
    return bool(steps == plan.steps)


def make_way(plan: TrainingPlan) -> None:
    """Rename the result of a shorter run as one of the saves on the way; nothing is overwritten."""
    folder = Path(plan.recipe.output)
    result = folder / plan.files(plan.saves[-1])[0]
    if not result.exists() or (step := _trained(result)["step"]) >= plan.steps:
        return
    save = next(iter(plan.saves_after(step)), None) or plan.save_at(step, _trained(result)["epoch"])
    for old, new in zip(plan.files(plan.saves[-1]), plan.files(save), strict=True):
        if (folder / old).exists() and not (folder / new).exists():
            (folder / old).rename(folder / new)


def _trained(path: Path) -> dict[str, Any]:
    try:
        told = decode_json(read_header(path).metadata.get("ohwx.training", "{}"))
        return {"step": int(told["step"]), "epoch": int(told["epoch"])}
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path} does not say how long it was trained; choose another output or name.") from error
