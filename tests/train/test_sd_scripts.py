"""Noise, losses and schedules against sd-scripts' own functions.

sd_scripts.npz holds what get_scheduler_fix, add_noise, conditional_loss, apply_masked_loss, the weights of
custom_train_functions, pyramid_noise_like and apply_noise_offset of sd-scripts 48d368fa answered (with diffusers 0.42.1
and transformers 5.24.0), and the numbers they drew.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.core.buckets import BucketPlacement
from ohwx_compare.files.dataset import ReadingRules
from ohwx_compare.files.loss_masks import loss_mask
from ohwx_compare.train.learn.loss import Diffusion, Huber
from ohwx_compare.train.learn.noise import multires, noise_of, offset_strength
from ohwx_compare.train.learn.schedule import rate_scale
from ohwx_compare.train.recipe.recipe import Recipe

SMALLEST = {"base": "b", "train": "t", "output": "o"}
SCHEDULES = {
    "linear": {"schedule": "linear"},
    "linear_warm": {"schedule": "linear", "warmup": 5},
    "cosine_share": {"schedule": "cosine", "warmup": 0.1},
    "restarts_3": {"schedule": "cosine-restarts", "schedule_cycles": 3, "warmup": 2},
    "polynomial_1": {"schedule": "polynomial"},
    "polynomial_2": {"schedule": "polynomial", "schedule_power": 2.0, "warmup": 4},
    "constant_warm": {"schedule": "constant", "warmup": 6},
}
V, ZERO = {"prediction": "v"}, {"prediction": "v", "zero_snr": True, "weighs_before": True}
LOSSES = {
    "l1": {"loss": "l1"},
    "huber_snr": {"loss": "huber"},
    "huber_exponential": {"loss": "huber", "huber": Huber(schedule="exponential", scale=1.5)},
    "huber_constant": {"loss": "huber", "huber": Huber(schedule="constant", c=0.3, scale=2.0)},
    "smooth_l1_snr": {"loss": "smooth-l1", "huber": Huber(c=0.2)},
    "smooth_l1_exponential": {"loss": "smooth-l1", "huber": Huber(schedule="exponential")},
    "masked": {},
    "masked_huber": {"loss": "huber", "min_snr": 5.0},
    "v_zero": ZERO,
    "v_zero_min_snr": {**ZERO, "min_snr": 5.0},
    "v_zero_huber": {**ZERO, "loss": "huber"},
    "v_zero_debiased": {**ZERO, "debiased": True},
    "v_scaled": {**V, "scale_v": True},
    "v_scaled_min_snr": {**V, "scale_v": True, "min_snr": 5.0},
    "eps_v_like": {"v_like": 0.4},
    "eps_v_like_debiased": {"v_like": 0.4, "debiased": True},
}


@pytest.fixture(scope="module")
def theirs():
    with np.load(Path(__file__).parent / "sd_scripts.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_theirs(theirs, name):
    recipe = Recipe.from_dict({**SMALLEST, "lr_unet": 1e-5, **SCHEDULES[name]})
    ours = [rate_scale(recipe, step, 20) for step in range(1, 21)]
    assert ours == pytest.approx(theirs[f"schedule/{name}"].tolist(), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_theirs(theirs, name):
    diffusion, t = Diffusion(**LOSSES[name]), theirs["timesteps"]
    noisy = diffusion.noisy(theirs["latents"], theirs["noise"], t)
    torch.testing.assert_close(noisy, theirs[f"{name}/noisy"], rtol=1e-5, atol=2e-6)
    target = diffusion.target(theirs["latents"], theirs["noise"], t)
    mask = theirs["alpha"].unflatten(1, (6, 8)).unflatten(3, (5, 8)).mean((2, 4))[:, None] if "mask" in name else None
    ours = diffusion.losses(theirs["predicted"], target, t, mask)
    torch.testing.assert_close(ours, theirs[f"{name}/loss"], rtol=2e-4, atol=1e-6)


def test_zero_snr_weighs_by_its_own_levels_unless_the_fault_is_wanted():
    last = torch.tensor([999])
    right, fault = (Diffusion(prediction="v", zero_snr=True, min_snr=5.0, weighs_before=way) for way in (False, True))
    assert right.weight(last).item() == 0
    assert fault.weight(last).item() > 0.004


def test_noise_of_several_resolutions_is_theirs(theirs):
    ratios = theirs["multires/ratios"].tolist()
    ours = multires(
        theirs["big"][0], (6, 0.3), lambda layer: ratios[layer], lambda layer, size: theirs[f"multires/{layer}"][0]
    )
    torch.testing.assert_close(ours, theirs["multires/out"][0])
    assert ours.std().item() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(("name", "adaptive"), [("offset", 0.0), ("adaptive", 0.3), ("negative", -0.9)])
def test_noise_offsets_are_theirs(theirs, name, adaptive):
    latents = theirs["big_latents"][0]
    ours = theirs["big"][0] + offset_strength(latents, 0.1, adaptive) * theirs[f"{name}/draw"][0]
    torch.testing.assert_close(ours, theirs[f"{name}/out"][0])


def test_noise_is_a_function_of_step_and_place_whatever_is_added():
    latents = torch.full((4, 8, 8), 0.5)
    kinds = [{}, {"noise_offset": 0.1}, {"noise_offset": 0.1, "noise_offset_random": True}, {"multires_iterations": 3}]
    drawn = [noise_of(Recipe.from_dict({**SMALLEST, **kind}), latents, 3, 1) for kind in kinds]
    for kind, noise in zip(kinds, drawn, strict=True):
        assert torch.equal(noise_of(Recipe.from_dict({**SMALLEST, **kind}), latents, 3, 1), noise)
    assert len({noise.sum().item() for noise in drawn}) == len(kinds)
    shift = (drawn[1] - drawn[0]).flatten(1)
    assert shift.std(1).max() < 1e-6  # a constant in each channel


def test_masks_come_from_alpha_beside_or_a_folder(tmp_path):
    placement = BucketPlacement((64, 128), (64, 128), (64, 64))
    half = np.zeros((128, 64), np.uint8)
    half[64:] = 255
    Image.fromarray(np.dstack([half, half, half, half])).save(tmp_path / "a.png")
    (tmp_path / "masks").mkdir()
    for name in ("b-masklabel.png", "masks/b.png"):
        Image.fromarray(half).save(tmp_path / name)
    Image.new("RGB", (64, 128)).save(tmp_path / "b.png")
    expected = np.zeros((8, 8), np.float32)
    expected[4:] = 1
    for name, masks in (("a.png", "alpha"), ("b.png", "beside"), ("b.png", str(tmp_path / "masks"))):
        assert np.array_equal(loss_mask(tmp_path / name, masks, placement, ReadingRules()), expected), masks
    assert loss_mask(tmp_path / "b.png", "alpha", placement, ReadingRules()).min() == 1
