"""A training that goes on: extended, branched, with few states or none."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ohwx_compare.errors import TrainingError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train


def run(values, stop=None, **more):
    recipe, told = Recipe.from_dict({**values, **more}), []
    asked = (lambda: len([e for e in told if type(e).__name__ == "Learned"]) >= stop) if stop else (lambda: False)
    return train(make_plan(recipe), told.append, asked), Path(recipe.output)


def states(folder):
    return sorted(path.name for path in (folder / "state").iterdir())


def test_an_extended_run_is_the_longer_one_bit_for_bit(small):
    values = {**small, "ema": 0.5, "ema_raw": True, "state_at_end": True, "save_every_epochs": None}
    _, folder = run(values, epochs=1)
    assert states(folder) == ["step-00000003.state"]
    first = (folder / "me.safetensors").read_bytes()
    result, _ = run(values, epochs=2)
    assert (result.step, result.is_finished, states(folder)) == (6, True, ["step-00000006.state"])
    assert (folder / "me-step00000003.safetensors").read_bytes() == first
    _, whole = run({**values, "output": small["output"] + " whole"}, epochs=2)
    for name in ("me", "me-raw"):
        ours, theirs = (load_file(place / f"{name}.safetensors") for place in (folder, whole))
        assert all(np.array_equal(ours[key], theirs[key]) for key in theirs), name
    with pytest.raises(TrainingError, match="has 6 steps behind it, more than the 3"):
        run(values, epochs=1)


def test_without_its_last_state_a_run_is_not_extended(small):
    run(small, epochs=1)
    with pytest.raises(TrainingError, match="no state is left to continue from to 6"):
        run(small, epochs=2)


def test_a_schedule_that_ends_is_not_extended_and_says_what_a_longer_one_does(small):
    values = {**small, "schedule": "cosine", "state_at_end": True}
    _, folder = run(values, stop=2)
    with pytest.raises(TrainingError, match=r"A cosine rate ends where the training ends.*Branch from it instead"):
        run(values, epochs=4)
    assert states(folder) == ["step-00000002.state"]


@pytest.mark.slow
def test_a_branch_begins_with_the_weights_and_optimiser_and_names_its_ancestors(small):
    _, trunk = run(small, stop=4)
    _, folder = run({**small, "output": small["output"] + " 2"}, from_state=str(trunk))
    _, whole = run({**small, "output": small["output"] + " whole"})
    ours, theirs = (load_file(place / "me.safetensors") for place in (folder, whole))
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)  # nothing differs, so nothing differs
    lower, other = run({**small, "output": small["output"] + " 3"}, from_state=str(trunk), lr_unet=1e-5, stop=1)
    assert (lower.step, lower.is_finished) == (5, False)
    result, _ = run({**small, "output": str(other)}, from_state=str(trunk), lr_unet=1e-5)
    assert result.is_finished
    told = json.loads(read_header(other / "me.safetensors").metadata["ohwx.training"])
    (parent,) = told["ancestors"]
    assert (parent["step"], parent["changed"]) == (4, {"lr_unet": [1e-4, 1e-5]})
    assert parent["run"] == read_header(trunk / "state" / "step-00000004.state").metadata["run"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": "adamw", "optimizer_args": {}}, "branch with the optimizer and precision"),
        ({"lr_te1": 1e-5}, "trains other parts"),
        ({"epochs": 1}, "and this recipe ends at 3"),
        ({"from_state": "nowhere"}, "where no state is"),
    ],
)
def test_a_branch_that_cannot_be_is_one_sentence(small, change, said):
    _, trunk = run(small, stop=4)
    with pytest.raises(TrainingError, match=said):
        run({**small, "output": small["output"] + " 2", "from_state": str(trunk), **change})


@pytest.mark.slow
def test_states_are_none_few_or_within_the_disk(small):
    _, folder = run(small, stop=1, state_every=None)
    assert states(folder) == ["step-00000001.state"]  # whoever stops wants to resume
    _, folder = run({**small, "output": small["output"] + " 2"}, state_every=1, state_count=4, stop=5)
    assert len(states(folder)) == 4
    size = next((folder / "state").iterdir()).stat().st_size / 1e9
    _, folder = run(
        {**small, "output": small["output"] + " 3"}, state_every=1, state_count=4, state_gb=3.1 * size, stop=5
    )
    assert len(states(folder)) == 2
    plan = make_plan(Recipe.from_dict({**small, "state_gb": size}))
    assert plan.problems[0].startswith("state_gb is ")


@pytest.mark.slow
def test_a_run_in_8_bits_resumes(small):
    values = {**small, "optimizer": "adamw8bit", "optimizer_args": {}, "precision": "bf16-nearest"}
    run(values, stop=2)
    _, folder = run(values)
    _, whole = run({**values, "output": small["output"] + " whole"})
    ours, theirs = (load_file(place / "me.safetensors") for place in (folder, whole))
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)
