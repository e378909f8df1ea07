"""Noise levels: the figures everyone knows of SDXL, and laws that hold for every schedule."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.engine.schedules import DRAWN_SCHEDULES, ModelSigmas, noise_levels
from ohwx_compare.errors import UnsupportedKeyError

MODEL = ModelSigmas()
NAMES = [name for name in DRAWN_SCHEDULES if name != "Automatic"]


def test_sdxls_levels():
    assert MODEL.smallest == pytest.approx(0.0291675, abs=1e-6)
    assert MODEL.largest == pytest.approx(14.614642, abs=1e-5)
    assert bool((MODEL.sigmas.diff() > 0).all())


def test_a_zero_snr_schedule_starts_alike_and_ends_in_noise():
    rescaled = ModelSigmas(zero_snr=True)
    assert rescaled.smallest == pytest.approx(MODEL.smallest, rel=1e-4)
    assert rescaled.largest == pytest.approx(4518.8, abs=1)
    assert bool((rescaled.sigmas.diff() > 0).all())


@given(st.floats(0, 999))
def test_time_and_level_are_inverse(time):
    level = MODEL.at(torch.tensor([time])).item()
    assert MODEL.time(level) == pytest.approx(time, abs=0.02)


@pytest.mark.parametrize("index", [0, 1, 500, 998, 999])
def test_a_training_level_has_its_own_index(index):
    assert MODEL.time(MODEL.sigmas[index].item()) == pytest.approx(index, abs=1e-3)


def test_time_is_clamped_outside_the_training_levels():
    assert (MODEL.time(1e-4), MODEL.time(100.0)) == (0.0, 999.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [2, 20, 80])
def test_every_schedule_falls_from_the_largest_level_to_zero(name, steps):
    sigmas = noise_levels(name, steps, MODEL)
    assert sigmas.shape == (steps + 1,)
    assert sigmas.dtype == torch.float32
    assert bool((sigmas.diff() < 0).all())
    assert sigmas[[0, -2, -1]].tolist() == pytest.approx([MODEL.largest, MODEL.smallest, 0.0], rel=1e-5)


def test_karras_spaces_the_seventh_root_evenly():
    steps = noise_levels("Karras", 9, MODEL)[:-1].double().pow(1 / 7).diff()
    assert torch.allclose(steps, steps.mean(), atol=1e-6)


def test_exponential_spaces_the_logarithm_evenly():
    steps = noise_levels("Exponential", 9, MODEL)[:-1].log().diff()
    assert torch.allclose(steps, steps.mean(), atol=1e-5)


def test_an_unknown_schedule_is_refused_by_name():
    with pytest.raises(UnsupportedKeyError, match="Align Your Steps"):
        noise_levels("Align Your Steps", 10, MODEL)
