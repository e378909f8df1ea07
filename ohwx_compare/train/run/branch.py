"""Going on from a state: longer in the same run, or as a branch of another one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ohwx_compare.errors import CheckpointError, TrainingError
from ohwx_compare.files.checkpoint import Header, read_header
from ohwx_compare.numerals import decode_json, whole_number
from ohwx_compare.train.learn.setup import Setup
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.identity import FREE, OF_LENGTH, RunIdentity, fingerprint
from ohwx_compare.train.run.state import NAMES, newest, read_state
from ohwx_compare.words import counted

__all__ = ["explain_longer", "found_state", "take_over"]

_UNTOLD = (*FREE, "vae", "masks", "from_state")  # paths, and what changes no weight


def found_state(plan: TrainingPlan) -> Path:
    """The state that `from_state` names: a file, or the newest of a run's folder. Raises TrainingError."""
    named = Path(plan.recipe.from_state or "")
    path = named if named.is_file() else newest(named / "state") or newest(named)
    if path is None:
        raise TrainingError(
            f"from_state names {named}, where no state is; a run keeps its last one if its recipe says state_at_end."
        )
    step = whole_number(read_header(path).metadata.get("step", "0"))
    if step >= plan.steps:
        raise TrainingError(
            f"{path} is the state after step {step}, and this recipe ends at {plan.steps}; train longer."
        )
    return path


def take_over(path: Path, setup: Setup, identity: RunIdentity) -> tuple[int, RunIdentity]:
    """Put another run's state into `setup`: its step, and the identity with that run among the ancestors.

    Raises TrainingError where other tensors are trained there, or another optimiser or precision moves them.
    """
    header = read_header(path)
    _require_same(header, setup)
    step = read_state(path, setup)
    if setup.ema and not any(name.startswith("ema/") for name in header.tensors):
        for name, average in setup.ema.items():
            average.copy_(setup.stepper.kept(name))
    before = decode_json(header.metadata.get("recipe", "{}"))
    own = setup.plan.recipe.to_dict()
    differs = {
        name: [before.get(name), own[name]] for name in own if name not in FREE and before.get(name) != own[name]
    }
    differs.pop("from_state", None)
    parent = {"run": header.metadata.get("run", ""), "step": step, "changed": differs}
    known = identity.descended(dict(header.metadata)).ancestors
    return step, RunIdentity(identity.base, identity.run, identity.kin, (*known, parent))


def _require_same(header: Header, setup: Setup) -> None:
    trained = {name.removeprefix("weight/") for name in header.tensors if name.startswith("weight/")}
    if trained != set(setup.stepper.weights):
        raise TrainingError(f"{header.path} trains other parts of the model; take the same rates' fields as there.")
    for name, weight in setup.stepper.weights.items():
        kinds = {*setup.stepper.kinds(name), "weight", NAMES[weight.dtype]}
        held = {kind for kind, _, rest in (n.partition("/") for n in header.tensors) if rest == name and kind != "ema"}
        held.add(header.tensors[f"weight/{name}"].dtype)
        if held != kinds or header.tensors[f"weight/{name}"].shape != tuple(weight.shape):
            raise TrainingError(
                f"{header.path} holds {', '.join(sorted(held))} of a weight and this recipe needs "
                f"{', '.join(sorted(kinds))}; branch with the optimizer and precision of that run."
            )
        return  # all are alike


def explain_longer(states: Path, plan: TrainingPlan, base: str) -> None:
    """Raise TrainingError where the newest state differs from the plan by its length alone: what a longer one does."""
    path = newest(states)
    if path is None:
        return
    try:
        metadata = read_header(path).metadata
    except CheckpointError:
        return
    before: dict[str, Any] = decode_json(metadata.get("recipe", "{}"))
    length = {name: before.get(name) for name in OF_LENGTH}
    if not before or (length["epochs"] is None) == (length["steps"] is None):
        return
    same = replace(plan, recipe=Recipe.from_dict({**plan.recipe.to_dict(), **length}))
    if fingerprint(same, base) != metadata.get("run"):
        return
    step = whole_number(metadata["step"])
    raise TrainingError(
        f"{path} is of the same run at another length. A {plan.recipe.schedule} rate ends where the training ends, so "
        f"its first {counted(step, 'step')} are not those of this longer one. Branch from it instead: another output, "
        f"and from_state {str(path)!r}; the rate then jumps to what the longer course has at step {step + 1}."
    )
