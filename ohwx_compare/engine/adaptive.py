"""DPM-Solver-12 and -23 with adaptive steps: the one solver whose next level depends on what it saw.

Lu et al. (2022), https://arxiv.org/abs/2206.00927, appendix C.4, with k-diffusion's step size controller and its
defaults. How long a step is depends on the picture, so this loop reads one number back from the device for each step,
and pictures are drawn one by one.
"""

import math

import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.dpm_solvers import dpm_step, noisy_step
from ohwx_compare.engine.rows import SolverRow, along
from ohwx_compare.engine.running import Counter, Denoise, History, Noise, sent

__all__ = ["dpm_adaptive"]

_ATOL, _RTOL = 0.0078, 0.05
_FIRST_H = 0.05
_LEAST_FACTOR = 0.81  # below, the step is not accepted
_NEAR = 1e-5  # of the end, in lambda


def dpm_adaptive(
    model: Denoise, x: torch.Tensor, levels: torch.Tensor, job: Job, noise: Noise, on_step: Counter | None = None
) -> torch.Tensor:
    """From the first to the last of `levels` (n + 1,) in as many steps as the error allows; else as `sample`."""
    s, t_end = -math.log(levels[0].item()), -math.log(levels[-1].item())
    h, before = _FIRST_H, x
    while s < t_end - _NEAR:
        t = min(t_end, s + h)
        target, up = noisy_step(s, t, t_end, job.eta)
        past = History(model, 3)
        first, second, third = dpm_step(3, s, target, sigma_next=math.exp(-t), spread=up)
        past.call(x, first.sigma)
        past.call(past.mixed(first), second.sigma)
        low = past.mixed(_lower_order(s, target, second.sigma))
        past.call(past.mixed(second), third.sigma)
        high = past.mixed(third)
        delta = torch.maximum(low.abs(), before.abs()).mul(_RTOL).clamp(min=_ATOL)
        error = (torch.linalg.vector_norm((low - high) / delta) / x.numel() ** 0.5).item()
        if math.isnan(error):  # no step would ever be accepted
            return torch.full_like(x, math.nan)
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / (1.5 if job.eta else 3)) - 1)
        if factor >= _LEAST_FACTOR:
            before, s = low, t
            x = high + up * sent(noise(first.sigma, third.sigma_next), x.device) if up else high
        h *= factor
        if on_step is not None:
            on_step(len(x))
    return x


def _lower_order(s: float, target: float, third: float) -> SolverRow:
    """DPM-Solver-2 with r = 1/3, from the first two of DPM-Solver-3's calls."""
    sigma, end = math.exp(-s), math.exp(-target)
    whole = -end * math.expm1(target - s)
    slope = whole * 1.5
    return along(third, end, [(slope, third), (whole - slope, sigma)], 1)
