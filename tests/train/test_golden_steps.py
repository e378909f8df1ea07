"""Three steps as the reference parts take them: generative-models' UNet, sd-scripts' losses and fused Adafactor.

Some gradients are zero by algebra and only rounding in float32: a bias before a group norm of one channel a group (the
tiny UNet's top level has 32 channels in 32 groups), a key's bias before a softmax. Adafactor scales such noise up to a
whole step, so how far those tensors move is chance: the same program on two threads, or with other convolution kernels,
moves 17 of them by up to 22 % otherwise and all others by less than 1e-4. They are counted and held to being noise: a
gradient of nothing, and three steps that know nothing of each other.
"""

from math import hypot, sqrt

import numpy as np
import pytest
import torch
from slow_after import slow_after

from ohwx_compare.engine.weights import PREFIXES, load
from ohwx_compare.train.learn.loss import Diffusion
from ohwx_compare.train.learn.optim import Adafactor
from ohwx_compare.train.learn.step import TrainingBatch, losses
from ohwx_compare.train.learn.stepper import Precision, Stepper
from ohwx_compare.train.learn.trained import recompute, trainable

UNET = PREFIXES["unet"]
VARIANTS = {
    "eps": {},
    "eps_min_snr_5": {"min_snr": 5.0},
    "eps_debiased": {"debiased": True},
    "v": {"prediction": "v"},
    "v_min_snr_5": {"prediction": "v", "min_snr": 5.0},
    "te1": {},
}


@pytest.fixture(scope="module")
def golden(goldens):
    with np.load(goldens / "training_step.npz") as file:
        wanted = [name for name in file.files if "/grad_norm/" not in name and "/moved/" not in name]
        yield {name: torch.from_numpy(file[name]) for name in wanted} | {"file": file}


def numbers(golden, prefix):
    file = golden["file"]
    return {name.removeprefix(prefix): file[name].item() for name in file.files if name.startswith(prefix)}


def short(name):
    """The goldens' name of a checkpoint's tensor."""
    return name.removeprefix(UNET).removeprefix(PREFIXES["clip_l"] + "transformer.")


@pytest.mark.parametrize(
    ("variant", "fused"),
    slow_after(3, [("v_min_snr_5", True), *((variant, False) for variant in VARIANTS), ("te1", True)]),
)
def test_three_steps(golden, tiny, variant, fused):
    model = load(tiny / "tiny_base.safetensors")
    if fused:
        recompute(model.unet)
    weights = trainable({"unet": model.unet} | ({"clip_l": model.clip_l} if variant == "te1" else {}))
    start = {name: weight.detach().clone() for name, weight in weights.items()}
    rates = {name: 1e-5 if name.startswith(UNET) else 3e-6 for name in weights}
    stepper = Stepper(weights, Adafactor(weight_decay=0.01), rates, Precision(fused=fused, clip=0.0))
    norms = {}
    for step in range(3):
        context = golden["context"]
        if variant == "te1":
            hidden = model.clip_l(golden["tokens"])
            context = torch.cat([hidden, context[..., hidden.shape[-1] :]], dim=-1)
        inputs = [golden[name][step] for name in ("latents", "noise", "timesteps")]
        stepper.begin(step + 1)
        loss = losses(
            model.unet, Diffusion(**VARIANTS[variant]), TrainingBatch(*inputs, context, golden["vector"])
        ).mean()
        assert loss.item() == pytest.approx(golden[f"{variant}/loss"][step].item(), rel=1e-5)
        loss.backward()
        norms = norms or {short(name): w.grad.norm().item() for name, w in weights.items() if w.grad is not None}
        stepper.end()

    expected = numbers(golden, f"{variant}/grad_norm/")
    noise = {name for name, norm in expected.items() if norm < 1e-6 * max(expected.values())}
    trained = {name for name in noise if expected[name]}
    assert len(trained) == (2 if variant == "te1" else 17)
    for name, norm in norms.items():  # none when fused: each is used up at once
        if name in noise:
            assert norm < 1e-6
        elif name in expected:
            assert norm == pytest.approx(expected[name], rel=1e-4), name
    moved = {short(name): (weight - start[name]).norm().item() for name, weight in weights.items()}
    for name, value in numbers(golden, f"{variant}/moved/").items():
        assert name in trained or moved.get(name, 0.0) == pytest.approx(value, rel=1e-3), name
    steps = {short(name): rates[name] * sqrt(weight.numel()) for name, weight in weights.items()}
    walk = {name: moved[name] / (sqrt(3) * steps[name]) for name in trained}  # 1 in the mean of many values
    assert hypot(*(moved[name] for name in trained)) == pytest.approx(
        sqrt(3) * hypot(*(steps[name] for name in trained)), rel=0.2
    )
    assert all(0.4 < share <= sqrt(3) for share in walk.values()), walk  # 32 values: 0.95, give or take 0.1
    for name, weight in weights.items():
        whole = golden.get(f"{variant}/weight/{short(name)}")
        assert whole is None or (weight - whole).abs().max() <= 1e-6
