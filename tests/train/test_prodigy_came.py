"""CAME and Prodigy against their authors' packages; within the backward pass or after it they are the same steps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.learn.came import Came
from ohwx_compare.train.learn.prodigy import Prodigy
from ohwx_compare.train.learn.stepper import Precision, Stepper
from ohwx_compare.train.recipe.recipe import Recipe

# weights after steps 1, 20 and 100 of `drawn()`, and Prodigy's rate, on torch 2.13's CPU: CAME of came-pytorch 0.1.3
# (lr 1e-2, weight_decay 0.01), Prodigy of prodigyopt 1.1.2 (lr 1, weight_decay 0.01; "prodigy_more" with MORE)
REFERENCE = Path(__file__).parent / "prodigy_came.npz"
SHAPES = {"vector": (7,), "matrix": (5, 6), "conv": (4, 3, 3, 3)}
MORE = {"betas": (0.9, 0.99), "d0": 1e-4, "d_coef": 2.0, "growth_rate": 1.5, "slice_p": 4}
MORE |= {"safeguard_warmup": True, "use_bias_correction": True}
RULES = {
    "came": (Came(weight_decay=0.01), 1e-2, 1.0),
    # the first ways are 1e-6 long: of weights of 1 a float32 would hold them badly, and the rate comes from them
    "prodigy": (Prodigy(weight_decay=0.01), 1.0, 1e-3),
    "prodigy_more": (Prodigy(weight_decay=0.01, **MORE), 1.0, 1e-3),
}


def drawn(size):
    """Starting weights about as large as `size`, and the gradients of 100 steps, from 1e-4 to 10 in size."""
    draw = np.random.RandomState(1)
    start = {n: (draw.standard_normal(s) * size).astype(np.float32) for n, s in SHAPES.items()}
    grads = [
        {n: (draw.standard_normal(s) * 10.0 ** draw.uniform(-4, 1)).astype(np.float32) for n, s in SHAPES.items()}
        for _ in range(100)
    ]
    return start, grads


def walked(rule, rate, size, **precision):
    """The stepper after each step."""
    start, grads = drawn(size)
    weights = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in start.items()}
    stepper = Stepper(weights, rule, dict.fromkeys(weights, rate), Precision(clip=0.0, stochastic=False, **precision))
    for count, step in enumerate(grads, 1):
        stepper.begin(count)
        sum((weights[name] * torch.tensor(grad)).sum() for name, grad in step.items()).backward()
        stepper.end()
        yield count, stepper


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("side", RULES)
def test_a_hundred_steps_are_the_authors(side, fused):
    rule, rate, size = RULES[side]
    start, _ = drawn(size)
    with np.load(REFERENCE) as file:
        for count, stepper in walked(rule, rate, size, fused=fused):
            if f"{side}/vector{count}" not in file:
                continue
            for name, weight in stepper.weights.items():
                there, here = file[f"{side}/{name}{count}"], weight.detach().numpy()
                way = np.abs(there - start[name]).max()
                assert count == 1 or way > 1e-5
                # the authors' rate is a float64; ours stays on the device, in float32
                bound = 2e-6 if side == "came" else 2e-5 * way + 1e-9
                np.testing.assert_allclose(here, there, rtol=2e-6, atol=bound, err_msg=f"{name} after {count}")
            if f"{side}/d{count}" in file:
                rates = [float(state["d"][0]) for state in stepper.state.values()]
                assert rates == pytest.approx([float(file[f"{side}/d{count}"])] * len(SHAPES), rel=2e-5)


def test_with_masters_prodigy_starts_where_they_are():
    """Else the rounding of bfloat16 would be taken for a way that was gone."""
    master = torch.full((64,), 1.001)
    weight = torch.nn.Parameter(master.bfloat16())
    stepper = Stepper({"w": weight}, Prodigy(), {"w": 1.0}, Precision(stochastic=False), {"w": master})
    stepper.begin(1)
    weight.sum().backward()
    stepper.end()
    assert stepper.state["w"]["d"][2] == 0


def test_prodigys_rate_is_one_and_about_1():
    values = {"base": "b", "train": "t", "output": "o", "optimizer": "prodigy", "optimizer_args": {}}
    assert Recipe.from_dict({**values, "lr_unet": 1.0, "lr_te1": 1.0}).optimizer_settings["d0"] == 1e-6
    for wrong in ({}, {"lr_unet": 1.0, "lr_te1": 0.5}):
        with pytest.raises(ExperimentError, match=r"prodigy finds one rate for all parts.*set lr_unet to 1"):
            Recipe.from_dict({**values, **wrong})
    with pytest.raises(ExperimentError, match=r"slice_p is 0, expected 1 to 1000"):
        Recipe.from_dict({**values, "lr_unet": 1.0, "optimizer_args": {"slice_p": 0}})
