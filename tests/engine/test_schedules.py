"""Noise levels: the figures everyone knows of SDXL, and laws that hold for every schedule."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.engine.beta_quantile import beta_quantile
from ohwx_compare.engine.levels import ConsistencySigmas, ModelSigmas
from ohwx_compare.engine.schedules import DRAWN_SCHEDULES, Curve, noise_levels
from ohwx_compare.errors import ExperimentError, UnsupportedKeyError

MODEL = ModelSigmas()
NAMES = [name for name in DRAWN_SCHEDULES if name != "Automatic"]
OTHER_ENDS = ("KL Optimal", "SGM Uniform", "DDIM", "Simple", "Align Your Steps")


def test_sdxls_levels():
    assert MODEL.smallest == pytest.approx(0.0291675, abs=1e-6)
    assert MODEL.largest == pytest.approx(14.614642, abs=1e-5)
    assert bool((MODEL.sigmas.diff() > 0).all())


def test_zero_snr_in_half_precision_has_no_end_and_is_refused():
    for kind in (ModelSigmas, ConsistencySigmas):
        with pytest.raises(ExperimentError, match=r"'Downcast alphas_cumprod'.*'Noise Schedule'"):
            kind(zero_snr=True, halved=True)


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
    assert sigmas.dtype == torch.float32
    assert bool((sigmas.diff() < 0).all())
    if name not in OTHER_ENDS:
        assert sigmas[[0, -2, -1]].tolist() == pytest.approx([MODEL.largest, MODEL.smallest, 0.0], rel=1e-5)
    if name != "DDIM":
        assert sigmas.shape == (steps + 1,)


def test_schedules_with_other_ends():
    assert noise_levels("KL Optimal", 9, MODEL)[-1].item() == pytest.approx(MODEL.smallest, rel=1e-5)  # no 0
    assert noise_levels("Simple", 9, MODEL)[-2].item() == MODEL.sigmas[999 - 888].item()
    assert len(noise_levels("DDIM", 12, MODEL)) == 1 + 13  # 1, 84, ... 997
    assert noise_levels("Align Your Steps", 11, MODEL)[-2:].tolist() == pytest.approx([0.029, 0.0])
    even = torch.tensor([MODEL.time(s) for s in noise_levels("SGM Uniform", 9, MODEL)[:-1].tolist()])
    assert even.tolist() == pytest.approx([999 - 111 * i for i in range(9)], abs=0.01)


def test_a_curves_own_ends_and_shape():
    own = Curve(smallest=0.1, largest=10.0, rho=5.0)
    for name in ("Karras", "Exponential", "Polyexponential", "Normal", "Beta"):
        sigmas = noise_levels(name, 9, MODEL, own)
        assert sigmas[[0, -2]].tolist() == pytest.approx([10.0, 0.1], rel=1e-3), name
    roots = noise_levels("Karras", 9, MODEL, own)[:-1].double().pow(1 / 5).diff()
    assert torch.allclose(roots, roots.mean(), atol=1e-6)
    plain, straight = noise_levels("Polyexponential", 9, MODEL), noise_levels("Exponential", 9, MODEL)
    assert torch.allclose(plain, straight, rtol=1e-6)


@pytest.mark.parametrize(("q", "alpha", "beta"), [(0.01, 0.5, 0.5), (0.3, 0.5, 0.5), (0.97, 0.5, 0.5)])
def test_the_arc_sine_distributions_quantiles(q, alpha, beta):
    assert beta_quantile(q, alpha, beta) == pytest.approx(math.sin(math.pi * q / 2) ** 2, rel=1e-12)


@given(st.floats(0.001, 0.999), st.floats(0.1, 5))
def test_quantiles_that_are_powers(q, power):
    assert beta_quantile(q, power, 1) == pytest.approx(q ** (1 / power), rel=1e-9, abs=1e-15)
    assert beta_quantile(q, 1, power) == pytest.approx(-math.expm1(math.log1p(-q) / power), rel=1e-9, abs=1e-15)
    assert [beta_quantile(end, power, power) for end in (0.0, 1.0)] == [0.0, 1.0]


def test_levels_in_half_precision():
    """What torch answers in half precision: `alphas_cumprod.half()`, then k-diffusion's sigmas and their logarithms."""
    full, half = ModelSigmas(), ModelSigmas(halved=True)
    a = full.alphas_cumprod.half()
    assert half.sigmas.tolist() == (((1 - a) / a) ** 0.5).float().tolist()
    assert half.log_sigmas.tolist() == half.sigmas.half().log().float().tolist()
    assert 0.05 < ((half.sigmas - full.sigmas).abs() / full.sigmas).max() < 0.1
    steps = ConsistencySigmas(halved=True).sigmas
    valid = a[19::20].float()
    assert steps.tolist() == (((1 - valid) / valid) ** 0.5).tolist()


def test_a_consistency_model_knows_every_twentieth_level():
    model = ConsistencySigmas()
    assert (model.smallest, model.largest) == (MODEL.sigmas[19].item(), MODEL.largest)
    assert [model.time(sigma) for sigma in (1e-3, model.smallest, 100.0)] == [19.0, 19.0, 999.0]
    assert noise_levels("Uniform", 3, model)[:-1].tolist() == pytest.approx(
        [model.largest, MODEL.at(torch.tensor([509.0])).item(), model.smallest], rel=2e-3
    )
    out, skip = model.boundary(model.smallest)
    assert (out, skip) == pytest.approx((1.0, 0.0), abs=1e-4)


def test_karras_spaces_the_seventh_root_evenly():
    steps = noise_levels("Karras", 9, MODEL)[:-1].double().pow(1 / 7).diff()
    assert torch.allclose(steps, steps.mean(), atol=1e-6)


def test_exponential_spaces_the_logarithm_evenly():
    steps = noise_levels("Exponential", 9, MODEL)[:-1].log().diff()
    assert torch.allclose(steps, steps.mean(), atol=1e-5)


def test_an_unknown_schedule_is_refused_by_name():
    with pytest.raises(UnsupportedKeyError, match="Laplace"):
        noise_levels("Laplace", 10, MODEL)
