"""Solvers, held to the exact answer for Gaussian data, and one law each."""

import math

import pytest
import torch

from ohwx_compare.core.infotext.sampler_names import SCHEDULE_NAMES, one_name, split_sampler
from ohwx_compare.engine.noise import Brownian, Source
from ohwx_compare.engine.samplers import SOLVERS, find_solver, sample
from ohwx_compare.engine.schedules import ModelSigmas, noise_levels
from ohwx_compare.errors import Interrupted, UnsupportedKeyError

MODEL = ModelSigmas()
SPREAD = 0.7  # the data's standard deviation
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: s.name)


def gaussian(x, sigma):
    """The exact denoiser of data N(0, SPREAD^2)."""
    return x * SPREAD**2 / (SPREAD**2 + sigma**2)


def silent(sigma, sigma_next):
    return torch.zeros(1)


def refuse(sigma, sigma_next):
    raise AssertionError("an ODE solver asked for noise")


def error(name: str, steps: int) -> float:
    """How far an ODE solver ends from the exact answer x * sqrt((s^2 + low^2) / (s^2 + high^2)), relatively."""
    sigmas = torch.linspace(math.log(10.0), math.log(0.1), steps + 1).double().exp()
    end = sample(gaussian, torch.ones(1, dtype=torch.float64), find_solver(name).rows(sigmas), refuse)
    exact = math.sqrt((SPREAD**2 + 0.1**2) / (SPREAD**2 + 10.0**2))
    return abs(end.item() / exact - 1)


@pytest.mark.parametrize(("name", "order"), [("Euler", 1), ("DPM++ 2M", 2)])
def test_ode_solvers_converge_with_their_order(name, order):
    coarse, fine = error(name, 100), error(name, 200)
    assert fine < 0.03
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("name", ["Euler a", "DPM++ 2M SDE"])
def test_sde_solvers_reach_the_datas_spread(name):
    sigmas = torch.cat([torch.linspace(math.log(14.0), math.log(0.01), 400).exp(), torch.zeros(1)])
    generator = torch.Generator().manual_seed(1)

    def noise(sigma, sigma_next):
        return torch.randn(20_000, generator=generator)

    x = noise(0, 0) * 14.0
    assert sample(gaussian, x, find_solver(name).rows(sigmas), noise).std().item() == pytest.approx(SPREAD, rel=0.03)


@each_solver
def test_a_picture_without_noise_is_a_fixed_point(solver):
    steps = solver.rows(noise_levels("Karras", 12, MODEL))
    for step in steps:
        assert step.keep + step.toward + step.back == pytest.approx(1, abs=1e-6)
    x = torch.full((1, 4, 2, 2), 3.0)
    assert torch.allclose(sample(lambda x, sigma: x, x, steps, silent), x, atol=1e-4)


@each_solver
def test_the_last_step_lands_on_what_the_model_says(solver):
    answer = torch.full((2, 4, 2, 2), 5.0)
    steps = solver.rows(noise_levels("Uniform", 6, MODEL))
    assert torch.equal(sample(lambda x, sigma: answer, torch.randn(2, 4, 2, 2), steps, silent), answer)


@each_solver
def test_the_next_level_has_the_noise_it_says(solver):
    """From x = D + sigma n to sigma_next: what is kept and what is added make up sigma_next."""
    for step in solver.rows(noise_levels("Exponential", 10, MODEL)):
        assert math.hypot(step.keep * step.sigma, step.spread) == pytest.approx(step.sigma_next, rel=1e-4, abs=1e-9)


@each_solver
def test_a_picture_does_not_know_its_batch(solver):
    steps, shape = solver.rows(noise_levels("Karras", 8, MODEL)), (4, 4, 4)
    start = torch.randn(3, *shape, generator=torch.Generator().manual_seed(2))

    def path(seeds):
        return Brownian(Source("CPU", start.device), seeds, shape, (MODEL.smallest, MODEL.largest))

    together = sample(gaussian, start, steps, path([1, 2, 3]))
    assert torch.equal(together[1:2], sample(gaussian, start[1:2], steps, path([2])))


def test_steps_are_counted_and_can_be_interrupted():
    done = []

    def count(images):
        done.append(images)
        if len(done) == 3:
            raise Interrupted("stop")

    with pytest.raises(Interrupted):
        sample(
            gaussian, torch.ones(2, 4, 1, 1), find_solver("Euler").rows(noise_levels("Karras", 9, MODEL)), silent, count
        )
    assert done == [2, 2, 2]


def test_an_unknown_sampler_is_refused_by_name():
    with pytest.raises(UnsupportedKeyError, match="UniPC"):
        find_solver("UniPC")


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.name)
def test_an_old_webuis_name_is_the_same_sampler_and_schedule(solver):
    for named in SCHEDULE_NAMES:
        drawn = solver.automatic if named == "Automatic" else named
        assert split_sampler(one_name(solver.name, named), None, (1, 7, 0)) == (solver.name, drawn)
