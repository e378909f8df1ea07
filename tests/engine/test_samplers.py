"""Solvers: the webui's own answers for a drawn model, the exact ones for Gaussian data, and one law each."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ohwx_compare.core.infotext.sampler_names import SCHEDULE_NAMES, one_name, split_sampler
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.adaptive import dpm_adaptive
from ohwx_compare.engine.conditioning import Conditioning, Entry, Subprompt
from ohwx_compare.engine.denoiser import Blend, Denoiser, Guidance
from ohwx_compare.engine.levels import ModelSigmas
from ohwx_compare.engine.noise import Brownian, Source
from ohwx_compare.engine.route import find_route
from ohwx_compare.engine.running import sample
from ohwx_compare.engine.samplers import SOLVERS, find_solver
from ohwx_compare.engine.schedules import karras, noise_levels
from ohwx_compare.errors import Interrupted, UnsupportedKeyError
from ohwx_compare.models.unet import UNet, UNetConfig

MODEL = ModelSigmas()
JOB = Job(prompt="", seed=0, steps=8)
SPREAD = 0.7  # the data's standard deviation
BY_ROWS = [solver for solver in SOLVERS if solver.rows]
ON_SCHEDULES = [solver for solver in BY_ROWS if not solver.timesteps]
each_solver = pytest.mark.parametrize("solver", BY_ROWS, ids=lambda s: s.name)
each_on_a_schedule = pytest.mark.parametrize("solver", ON_SCHEDULES, ids=lambda s: s.name)


def rows(name: str, levels: torch.Tensor, **settings):
    return find_solver(name).rows(levels, replace(JOB, **settings))


def gaussian(x, sigma):
    """The exact denoiser of data N(0, SPREAD^2)."""
    return x * SPREAD**2 / (SPREAD**2 + sigma**2)


def silent(sigma, sigma_next):
    return torch.zeros(1)


def refuse(sigma, sigma_next):
    raise AssertionError("an ODE solver asked for noise")


# The webui's solvers at 82a973c (k-diffusion ab527a9a) over this model and this noise answered what the file holds.
ANSWERS = json.loads((Path(__file__).parent / "solver_answers.json").read_text(encoding="utf-8"))
START = torch.tensor([[[[1.0, -0.5, 0.25]]]])
CASES = {
    "euler": ("Euler", {}),
    "euler churn": ("Euler", {"s_churn": 3.0, "s_tmin": 0.1, "s_tmax": 8.0, "s_noise": 1.02}),
    "euler a": ("Euler a", {}),
    "euler a eta": ("Euler a", {"eta": 0.6}),
    "heun": ("Heun", {}),
    "heun churn": ("Heun", {"s_churn": 3.0, "s_tmax": 8.0}),
    "dpm2": ("DPM2", {}),
    "dpm2 churn": ("DPM2", {"s_churn": 3.0}),
    "dpm2 a": ("DPM2 a", {"s_noise": 1.02}),
    "lms": ("LMS", {}),
    "2s a": ("DPM++ 2S a", {"eta": 0.8}),
    "sde": ("DPM++ SDE", {}),
    "sde eta": ("DPM++ SDE", {"eta": 0.5}),
    "2m": ("DPM++ 2M", {}),
    "2m sde": ("DPM++ 2M SDE", {"s_noise": 1.02}),
    "2m sde heun": ("DPM++ 2M SDE Heun", {"eta": 0.5}),
    "3m sde": ("DPM++ 3M SDE", {}),
    "3m sde eta": ("DPM++ 3M SDE", {"eta": 0.5}),
    "restart 8": ("Restart", {}),
    "restart 24": ("Restart", {"steps": 24}),
    "restart 40": ("Restart", {"steps": 40}),
    "lcm": ("LCM", {}),
    **{f"dpm fast {n} {eta}": ("DPM fast", {"steps": n, "eta": float(eta)}) for n in (7, 8, 9) for eta in (1, 0)},
    **{f"dpm adaptive {eta}": ("DPM adaptive", {"eta": float(eta)}) for eta in (1, 0)},
    "ddim": ("DDIM", {}),
    "ddim eta": ("DDIM", {"eta_ddim": 0.5}),
    "ddim cfg++": ("DDIM CFG++", {}),
    "plms": ("PLMS", {}),
    **{
        f"unipc {variant} {order} {low}": (
            "UniPC", {"unipc_variant": variant, "unipc_order": order, "unipc_lower_order_final": low},
        )
        for variant in ("bh1", "bh2", "vary_coeff") for order in (1, 2, 3, 4) for low in (True, False)
    },
    **{f"unipc {skip}": ("UniPC", {"unipc_skip_type": skip}) for skip in ("time_quadratic", "logSNR")},
}  # fmt: skip


def curved(x, sigma):
    return torch.sin(x / (1 + sigma)) + 0.3 / (1 + sigma)


class Draws:
    """The image's own numbers, told apart by how many were drawn before."""

    def __init__(self):
        self.count = 0

    def __call__(self, sigma, sigma_next):
        self.count += 1
        return torch.sin(torch.tensor([[[[1.0, 2.0, 3.0]]]]) * self.count)


def along_a_path(sigma, sigma_next):
    return torch.sin(3 * sigma + 5 * sigma_next + torch.tensor([[[[0.0, 1.0, 2.0]]]]))


def our_answer(name: str, settings) -> list[float]:
    solver, job = find_solver(name), replace(JOB, schedule="Karras", **settings)
    route = find_route(job, replace(solver, discards=False, sigmas=ModelSigmas), MODEL)
    noise = along_a_path if solver.brownian else Draws()
    if solver.rows is None:
        start = START.double() * route.noise  # in float32 its steps, so its answer, hang on the last bits
        return dpm_adaptive(curved, start, route.levels, job, noise).flatten().tolist()
    written = solver.rows(route.levels, job)
    calls = iter(written)

    def model(x, sigma):  # its negative prompt's answer is half the guided one
        return curved(x, sigma) * (0.5 + 0.5 * next(calls).guidance)

    return sample(model, START * route.noise, written, noise).flatten().tolist()


def test_every_answer_is_asked_for():
    assert set(ANSWERS) == set(CASES)
    assert {name for name, _ in CASES.values()} == {solver.name for solver in SOLVERS}


@pytest.mark.parametrize("case", CASES)
def test_the_webuis_solver_answers_the_same(case):
    assert our_answer(*CASES[case]) == pytest.approx(ANSWERS[case], abs=1e-4)


def error(name: str, steps: int) -> float:
    """How far an ODE solver ends from the exact answer x * sqrt((s^2 + low^2) / (s^2 + high^2)), relatively."""
    levels = torch.linspace(math.log(10.0), math.log(0.1), steps + 1).double().exp()
    end = sample(gaussian, torch.ones(1, dtype=torch.float64), rows(name, levels), refuse)
    exact = math.sqrt((SPREAD**2 + 0.1**2) / (SPREAD**2 + 10.0**2))
    scale = math.sqrt(1 + 0.1**2) if find_solver(name).timesteps else 1.0
    return abs(end.item() * scale / exact - 1)


@pytest.mark.parametrize(
    ("name", "order", "within"),
    [
        ("Euler", 1, 0.15), ("DPM++ 2M", 2, 0.15), ("Heun", 2, 0.15), ("DPM2", 2, 0.15), ("DDIM", 1, 0.15),
        ("LMS", 3, 0.25),  # it starts with steps of lower orders
        ("PLMS", 2, 0.15), ("UniPC", 2, 0.15),
    ],
)  # fmt: skip
def test_ode_solvers_converge_with_their_order(name, order, within):
    coarse, fine = error(name, 100), error(name, 200)
    assert fine < 0.03
    assert math.log2(coarse / fine) == pytest.approx(order, abs=within)


@pytest.mark.parametrize(
    "name", ["Euler a", "DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE", "DPM++ 2S a", "DPM++ SDE", "DPM2 a"]
)
def test_sde_solvers_reach_the_datas_spread(name):
    levels = torch.cat([torch.linspace(math.log(14.0), math.log(0.01), 400).exp(), torch.zeros(1)])
    generator = torch.Generator().manual_seed(1)

    def noise(sigma, sigma_next):
        return torch.randn(20_000, generator=generator)

    x = noise(0, 0) * 14.0
    assert sample(gaussian, x, rows(name, levels), noise).std().item() == pytest.approx(SPREAD, rel=0.03)


@each_on_a_schedule
def test_a_picture_without_noise_is_a_fixed_point(solver):
    levels = noise_levels("Karras", 12, MODEL)
    written = solver.rows(levels[:-1] if solver.name == "DPM fast" else levels, JOB)
    for row in written:
        assert sum(row.keep) + sum(row.toward) == pytest.approx(1, abs=1e-6)
    x = torch.full((1, 4, 2, 2), 3.0)
    assert torch.allclose(sample(lambda x, sigma: x, x, written, silent), x, atol=1e-4)


@pytest.mark.parametrize("solver", [s for s in ON_SCHEDULES if s.name not in ("LMS", "DPM fast")], ids=lambda s: s.name)
def test_the_last_step_lands_on_what_the_model_says(solver):
    answer = torch.full((2, 4, 2, 2), 5.0)
    written = solver.rows(noise_levels("Uniform", 6, MODEL), JOB)
    assert torch.equal(sample(lambda x, sigma: answer, torch.randn(2, 4, 2, 2), written, silent), answer)


@pytest.mark.parametrize("solver", [s for s in ON_SCHEDULES if s.name != "DPM2 a"], ids=lambda s: s.name)
def test_the_next_level_has_the_noise_it_says(solver):
    """From x = D + sigma n to sigma_next: what is kept and what is added make up sigma_next."""
    levels = noise_levels("Exponential", 10, MODEL)[: -1 if solver.name == "DPM fast" else None]
    told = []  # the noise in each call's x, the newest first
    for row in solver.rows(levels, JOB):
        sigma, kept = row.sigma, zip(row.keep, [row.sigma, *told], strict=False)
        told = [sigma, *told]
        assert math.hypot(sum(k * s for k, s in kept), row.spread) == pytest.approx(row.sigma_next, rel=1e-4, abs=1e-9)


@each_solver
def test_a_picture_does_not_know_its_batch(solver):
    written, shape = solver.rows(noise_levels("Karras", 8, MODEL)[:-1], JOB), (4, 4, 4)
    start = torch.randn(3, *shape, generator=torch.Generator().manual_seed(2))

    def path(seeds):
        return Brownian(Source("CPU", start.device), seeds, shape, (MODEL.smallest, MODEL.largest))

    together = sample(gaussian, start, written, path([1, 2, 3]))
    assert torch.equal(together[1:2], sample(gaussian, start[1:2], written, path([2])))


@pytest.mark.parametrize("name", ["Euler", "Heun", "Restart", "DPM++ SDE"])
def test_steps_are_counted_whatever_the_calls_and_can_be_interrupted(name):
    done, written = [], rows(name, noise_levels("Karras", 9, MODEL))

    def count(images):
        done.append(images)
        if len(done) == 12:
            raise Interrupted("stop")

    sample(gaussian, torch.ones(2, 4, 1, 1), written, silent, count)
    assert done == [2] * 9
    with pytest.raises(Interrupted):
        sample(gaussian, torch.ones(2, 4, 1, 1), written, silent, count)
    assert len(done) == 12


@each_solver
def test_as_many_steps_as_are_allowed_are_written(solver):
    """With more than 500 the webui's timesteps meet at their first."""
    job = replace(JOB, sampler=solver.name, steps=600)
    for row in solver.rows(find_route(job, solver, solver.sigmas()).levels, job):
        assert all(map(math.isfinite, (row.sigma, row.sigma_next, row.guidance)))


def test_the_adaptive_sampler_ends_where_the_model_gives_no_number():
    levels = noise_levels("Karras", 8, MODEL)[:-1]
    x = dpm_adaptive(lambda x, sigma: x * math.nan, torch.ones(1, 4, 1, 1), levels, JOB, silent)
    assert x.isnan().all()


def test_restart_walks_a_stretch_again():
    """Near 0.1 it goes back to near 2, with the noise of the difference, for twenty steps and more."""
    levels = torch.cat([karras(20, MODEL.smallest, MODEL.largest), torch.zeros(1)])
    (jump,) = [row for row in rows("Restart", levels) if row.churn]
    assert jump.sigma == pytest.approx(2, rel=0.5)
    assert math.sqrt(jump.sigma**2 - jump.churn**2) == pytest.approx(0.1, rel=0.5)
    assert sum(row.ends for row in rows("Restart", levels)) == 20
    assert not any(row.churn for row in rows("Restart", noise_levels("Karras", 19, MODEL)))


def test_an_unknown_sampler_is_refused_by_name():
    with pytest.raises(UnsupportedKeyError, match="IPNDM"):
        find_solver("IPNDM")


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.name)
def test_an_old_webuis_name_is_the_same_sampler_and_schedule(solver):
    for named in SCHEDULE_NAMES:
        drawn = solver.automatic if named == "Automatic" else named
        sampler, schedule = split_sampler(one_name(solver.name, named), None, (1, 7, 0))
        assert (sampler, solver.automatic if schedule == "Automatic" else schedule) == (solver.name, drawn)


class Still(torch.nn.Module):
    """In a UNet's place: says nothing new."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))

    def read(self, context):
        return context

    def forward(self, x, timesteps, context, y):
        return x * self.one


def real_unet():
    return UNet(UNetConfig(widths=(32, 64), depths=(0, 1), middle=1, blocks=1, context=128, vector=1600)).eval()


def without_memory(solver, job, unet=Still):
    """The solver's whole loop and the denoiser under it on the device that holds no numbers: reading one raises."""
    levels = solver.sigmas()
    with torch.device("meta"), torch.no_grad():
        unet = unet()
        x, mask = torch.empty(2, 4, 8, 8), torch.empty(2, 1, 8, 8)
        texts = [Entry(until=until, crossattn=torch.empty(77, 128), vector=torch.empty(1600)) for until in (3, 20)]
    route = find_route(job, solver, levels)
    written = solver.rows(route.levels, job) if solver.rows else []
    conditioning = Conditioning(positive=(Subprompt(1.0, tuple(texts)),), negative=tuple(texts))
    guidance = Guidance(scales=[7.0, 5.0], factors=[row.guidance for row in written], below=1.0, early=0.1)
    kept = Blend(mask, x, first=bool(solver.timesteps))
    model = Denoiser(unet, levels, "eps", [conditioning] * 2, guidance, kept)

    def noise(sigma, sigma_next):
        return torch.empty_like(x)

    with torch.no_grad():
        if solver.rows is None:
            return dpm_adaptive(model, x, route.levels, job, noise)
        return sample(model, x, written, noise)


@each_solver
def test_the_loop_reads_nothing_back_from_the_device(solver):
    job = replace(JOB, steps=5, s_churn=2.0, eta_ddim=0.5)
    assert without_memory(solver, job).device.type == "meta"


def test_nor_does_the_unet():
    assert without_memory(find_solver("Euler"), replace(JOB, steps=1), real_unet).device.type == "meta"


def test_only_the_adaptive_sampler_reads_back():
    with pytest.raises(RuntimeError, match="meta"):
        without_memory(find_solver("DPM adaptive"), JOB)
