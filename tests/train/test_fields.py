"""What the recipe's fields do to a run: averages, precision, another VAE, masks, noise levels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from ohwx_compare.core.events import Learned
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.train.learn.setup import set_up
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import batch, train

UNET, VAE = "model.diffusion_model.", "first_stage_model."


def run(small, **more):
    recipe, told = Recipe.from_dict({**small, **more}), []
    result = train(make_plan(recipe), told.append)
    files = {path.name.removesuffix(".safetensors"): load_file(path) for path in result.checkpoints}
    return files, [event for event in told if isinstance(event, Learned)]


@pytest.mark.slow
def test_averages_ramp_up_at_intervals_and_the_weights_stand_beside(small):
    values = {"epochs": None, "steps": 4, "save_every_epochs": None, "save_every_steps": 1, "save_precision": "fp32"}
    files, _ = run(small, **values, lr_unet=1e-2, ema=0.9, ema_ramp=True, ema_every=2, ema_raw=True)
    assert len(files) == 8
    name = UNET + "out.2.weight"
    steps = [files[f"me-step{step:08d}-raw"][name] for step in (1, 2, 3)] + [files["me-raw"][name]]
    base = load_file(small["base"])[name].astype(np.float32)
    second = base + (steps[1] - base) * (1 - 2 / 11)
    fourth = second + (steps[3] - second) * (1 - 4 / 13)
    for averaged, expected in (("me-step00000001", base), ("me-step00000003", second), ("me", fourth)):
        np.testing.assert_allclose(files[averaged][name], expected, rtol=1e-5, atol=1e-6)
    assert np.abs(fourth - steps[3]).max() > 1e-4


@pytest.mark.slow
def test_a_checkpoints_precision_is_the_recipes(small):
    wide, _ = run(small, save_precision="fp32", output=small["output"] + "2")
    (last, *_) = [files for name, files in run(small)[0].items() if name == "me"]
    path = Path(small["output"] + "2") / "me.safetensors"
    weights = [one.dtype for name, one in read_header(path).tensors.items() if "position_ids" not in name]
    assert set(weights) == {"F32"}
    for name, tensor in last.items():
        assert np.array_equal(wide["me"][name].astype(tensor.dtype), tensor), name


@pytest.mark.slow
def test_another_vae_encodes_and_is_saved(small, tmp_path):
    own = {name.removeprefix(VAE): t for name, t in load_file(small["base"]).items() if name.startswith(VAE)}
    save_file(
        {name: t * 0.9 if name == "encoder.conv_in.weight" else t for name, t in own.items()},
        tmp_path / "v.safetensors",
    )
    other, losses = run(small, vae=str(tmp_path / "v.safetensors"), output=small["output"] + "2")
    same, before = run(small)
    assert [one.loss for one in losses] != [one.loss for one in before]
    name = VAE + "encoder.conv_in.weight"
    np.testing.assert_allclose(other["me"][name], same["me"][name] * 0.9, rtol=2e-3)
    plan = make_plan(Recipe.from_dict({**small, "vae": small["train"] + "/nothing.safetensors"}))
    assert plan.problems[0].startswith("vae: ")


def test_a_black_mask_leaves_nothing_to_learn(small, tmp_path):
    (tmp_path / "masks").mkdir()
    for i in range(3):
        Image.new("L", (64, 64)).save(tmp_path / "masks" / f"{i}.png")
    _, learned = run(small, masks=str(tmp_path / "masks"))
    assert [one.loss for one in learned] == [0.0] * 6
    (tmp_path / "masks" / "1.png").unlink()
    plan = make_plan(Recipe.from_dict({**small, "masks": str(tmp_path / "masks")}))
    assert "1 picture has no mask and counts whole: 1.png." in plan.notes


@pytest.mark.parametrize(("first", "end"), [(0, 1000), (300, 310)])
def test_noise_levels_keep_within_bounds(small, first, end):
    recipe = Recipe.from_dict({**small, "min_timestep": first, "max_timestep": end, "ip_noise_gamma": 0.1})
    setup = set_up(make_plan(recipe), "cpu")
    shown = [batch(setup, number, {0: 0}) for number in range(1, 60)]
    levels = [one.timesteps.item() for one in shown]
    assert first <= min(levels) <= max(levels) < end
    assert len(set(levels)) > 5
    strays = torch.stack([one.disturbance for one in shown])
    assert strays.std().item() == pytest.approx(0.1, rel=0.05)


@pytest.mark.slow
def test_accumulated_gradients_step_within_the_last_backward_pass(small):
    values = {**small, "accumulation": 2}
    fused = run(values, fused=True)[0]["me"]
    apart = run({**values, "output": small["output"] + " 2"}, fused=False)[0]["me"]
    assert all(np.array_equal(fused[name], apart[name]) for name in apart)
    once = run({**small, "output": small["output"] + " once"}, fused=True, batch=2)[0]["me"]
    name = UNET + "out.2.weight"
    np.testing.assert_allclose(fused[name], once[name], rtol=0, atol=2e-3)


def test_blocks_have_rates_of_their_own(small):
    rates = [0.0] * 22 + [1e-2]  # the output alone
    files, _ = run(small, lr_blocks=rates, epochs=1)
    base = load_file(small["base"])
    moved = {name for name, tensor in files["me"].items() if not np.array_equal(tensor, base[name])}
    assert moved
    assert all(name.startswith(UNET + "out.") for name in moved)
