"""The plan's disk is the run's: states and checkpoints weighed as the loop writes them."""

from pathlib import Path

import pytest

from ohwx_compare.core.events import Learned
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train

CONFIGS = {
    "adafactor": {"precision": "bf16-stochastic", "lr_te1": 1e-5},
    "adamw with masters and average": {
        "precision": "fp32-master", "ema": 0.7, "optimizer": "adamw", "optimizer_args": {},
    },
    "prodigy": {
        "precision": "bf16-stochastic", "optimizer": "prodigy", "optimizer_args": {"slice_p": 11}, "lr_unet": 1.0,
    },
    "came": {"precision": "bf16-stochastic", "optimizer": "came", "optimizer_args": {}},
}  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS)
def test_a_state_weighs_what_the_plan_says(small, config):
    plan = make_plan(Recipe.from_dict({**small, **CONFIGS[config], "state_every": 1, "epochs": None, "steps": 3}))
    learned = []
    train(plan, lambda event: learned.append(event) if isinstance(event, Learned) else None, lambda: bool(learned))
    output = Path(plan.recipe.output)
    states = [path.stat().st_size for path in (output / "state").iterdir()]
    assert len(states) == 1
    assert states[0] == pytest.approx(plan.state_bytes, rel=0.02)
    going_on = make_plan(plan.recipe)
    assert going_on.disk_bytes == plan.disk_bytes
    assert not going_on.problems
