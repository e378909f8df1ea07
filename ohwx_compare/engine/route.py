"""Where a picture starts and which levels it visits from there: the webui's rules, by kind of sampler.

modules/sd_samplers_kdiffusion.py, sd_samplers_timesteps.py and sd_samplers_common.py at 82a973c.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.steps import planned_steps, steps_run
from ohwx_compare.engine.levels import ModelSigmas
from ohwx_compare.engine.samplers import Solver
from ohwx_compare.engine.schedules import Curve, noise_levels
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted

__all__ = ["Route", "find_route"]

_NEVER_EMPTY = ("Simple", "DDIM", "KL Optimal")  # schedules that divide by the steps


@dataclass(frozen=True)
class Route:
    """x starts as `picture` * the picture's latents + `noise` * standard normal noise."""

    levels: Tensor  # (calls or steps + 1,) float32 on the CPU, falling; the last one is where it ends
    picture: float  # 0.0 from noise
    noise: float
    span: tuple[float, float]  # the smallest and the largest level of the whole schedule


def find_route(job: Job, solver: Solver, model: ModelSigmas) -> Route:
    """The route of `job`, from noise or, with its `denoise`, from a picture.

    Raises UnsupportedKeyError, and ExperimentError where the sampler has no way.
    """
    if planned_steps(job) == 0:
        return _no_way(job, solver)
    if solver.timesteps:
        return _on_timesteps(job, solver, model)
    sigmas = _scheduled(job, solver, model)
    span = (sigmas[sigmas > 0].min().item(), sigmas.max().item())
    if job.denoise is not None:
        path = sigmas[planned_steps(job) - steps_run(job) :]
        levels = _range(path[0].item(), path[-2].item(), len(path) - 1) if solver.own_range else path
        return Route(levels, 1.0, path[0].item(), span)
    first = sigmas[0].item()
    levels = _range(model.largest, model.smallest, job.steps) if solver.own_range else sigmas
    return Route(levels, 0.0, (1 + first**2) ** 0.5 if job.sgm_noise else first, span)


def _no_way(job: Job, solver: Solver) -> Route:
    """Where all steps are to run at a denoising strength of 0, there are none. Raises ExperimentError."""
    name = _schedule_of(job, solver)
    if solver.timesteps or solver.brownian or solver.own_range or name in _NEVER_EMPTY:
        raise ExperimentError(
            f"A denoising strength of 0 leaves {job.sampler} on the schedule {name} no level, and the webui fails; "
            "choose Euler on Karras, which draws nothing there, or a strength above 0."
        )
    return Route(torch.zeros(1), 1.0, 0.0, (0.0, 0.0))


def _schedule_of(job: Job, solver: Solver) -> str:
    return solver.automatic if job.schedule == "Automatic" else job.schedule


def _scheduled(job: Job, solver: Solver, model: ModelSigmas) -> Tensor:
    name = _schedule_of(job, solver)
    discards = solver.discards or job.discard_penultimate
    sigmas = noise_levels(name, planned_steps(job) + discards, model, Curve.of(job))
    return torch.cat([sigmas[:-2], sigmas[-1:]]) if discards else sigmas


def _range(first: float, last: float, steps: int) -> Tensor:
    """For a solver that only looks at both ends and the number of steps."""
    return torch.linspace(first, last, steps + 1)


def _on_timesteps(job: Job, solver: Solver, model: ModelSigmas) -> Route:
    """Training timesteps, where x has variance 1: it is multiplied by that scale, as `timestep_solvers` wants it.

    From a picture, the noise is that of the timestep above the first one visited, as in the webui.
    """
    if planned_steps(job) + job.discard_penultimate > 1000:
        raise ExperimentError(
            f"{job.sampler} walks on 1000 timesteps, got {counted(planned_steps(job), 'step')}; ask for fewer."
        )
    times = (torch.arange(0, 1000, max(1000 // (planned_steps(job) + job.discard_penultimate), 1)) + 1).clamp(max=999)
    if job.denoise is None:
        sigmas = _unipc_levels(job, model, len(times), 1.0) if solver.timesteps == "UniPC" else _at(model, times)
        return Route(sigmas, 0.0, (1 + sigmas[0].item() ** 2) ** 0.5, _ends(sigmas))
    start = steps_run(job) - 1
    noised, times = times[start], times[:start]
    sigmas = _at(model, times)
    if solver.timesteps == "UniPC":
        sigmas = _unipc_levels(job, model, start, times[-1].item() / 1000 + 1 / 1000 if start else 0.0)
    scale = (1 + sigmas[0].item() ** 2) ** 0.5 if start > 1 else 1.0
    picture, noise = model.shares(int(noised))
    return Route(sigmas, picture * scale, noise * scale, _ends(sigmas))


def _at(model: ModelSigmas, times: Tensor) -> Tensor:
    return model.sigmas[times].flip(0)


def _ends(sigmas: Tensor) -> tuple[float, float]:
    return (sigmas[-1].item(), sigmas[0].item()) if len(sigmas) else (0.0, 0.0)


def _unipc_levels(job: Job, model: ModelSigmas, steps: int, start: float) -> Tensor:
    """`steps` + 1 levels from time `start` (0..1) to 0.001, by the interpolation in log alpha of UniPC's authors."""
    log_alphas = model.log_alphas
    known = torch.linspace(0.0, 1.0, len(log_alphas) + 1)[1:]
    match job.unipc_skip_type:
        case "logSNR":
            ends = _interpolated(torch.tensor([start, 0.001]), known, log_alphas)
            lambdas = ends - 0.5 * torch.log(1.0 - torch.exp(2.0 * ends))
            even = torch.linspace(lambdas[0].item(), lambdas[1].item(), steps + 1)
            return torch.exp(-even)
        case "time_quadratic":
            times = torch.linspace(start**0.5, 0.001**0.5, steps + 1) ** 2
        case _:
            times = torch.linspace(start, 0.001, steps + 1)
    log_alpha = _interpolated(times, known, log_alphas)
    return (torch.exp(-2.0 * log_alpha) - 1.0).sqrt()


def _interpolated(x: Tensor, xs: Tensor, ys: Tensor) -> Tensor:
    """The piecewise linear function through (xs, ys), xs rising, at x; beyond its ends it goes on straight."""
    right = torch.searchsorted(xs, x).clamp(1, len(xs) - 1)
    left = right - 1
    return ys[left] + (x - xs[left]) * (ys[right] - ys[left]) / (xs[right] - xs[left])
