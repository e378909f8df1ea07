"""Solvers that follow slopes: Euler, Heun, DPM2 and LMS, with churn or with ancestral noise.

Algorithm 2 of Karras et al. (2022), https://arxiv.org/abs/2206.00364, and k-diffusion's variations of it
(https://github.com/crowsonkb/k-diffusion/blob/ab527a9a/k_diffusion/sampling.py).
"""

import math
from collections.abc import Iterator

import numpy as np
import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.rows import SolverRow, along, ancestral_rows, ancestral_step, steps_between, straight

__all__ = ["dpm2", "dpm2_ancestral", "euler", "euler_ancestral", "heun", "heun_step", "lcm", "lms"]

_MOST_CHURN = 2**0.5 - 1
_LMS_ORDER = 4
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_LMS_ORDER)  # exact for the cubics that LMS integrates


def euler(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """One slope a step."""
    return [straight(s, s_next, churn=churn) for s, s_next, churn in _churned(levels, job)]


def heun(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """The mean of the slopes at both ends of a step."""
    return [row for s, s_next, churn in _churned(levels, job) for row in heun_step(s, s_next, churn)]


def heun_step(s: float, s_next: float, churn: float | None = None) -> list[SolverRow]:
    """From `s` to `s_next` in two calls, or in one to 0."""
    if s_next == 0:
        return [straight(s, 0.0, churn=churn)]
    half = (s_next - s) / 2
    return [
        straight(s, s_next, churn=churn, ends=False),
        along(s_next, s_next, [(half, s_next), (half, s)], base=1),
    ]


def dpm2(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """The slope at the geometric middle of a step (DPM-Solver-2)."""
    return [row for s, s_next, churn in _churned(levels, job) for row in _middle_step(s, s_next, churn=churn)]


def lms(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Linear multistep: the integral of the polynomial through the last slopes, up to four."""
    sigmas, rows = levels.tolist(), []
    for i in range(len(sigmas) - 1):
        past = sigmas[i::-1][:_LMS_ORDER]
        lengths = [_integral(past, j, sigmas[i + 1]) for j in range(len(past))]
        rows.append(along(sigmas[i], sigmas[i + 1], list(zip(lengths, past, strict=True))))
    return rows


def euler_ancestral(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """An Euler step to a level below the next one, then fresh noise up to it."""
    return ancestral_rows(levels, job.eta)


def lcm(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Luo et al. (2023), https://arxiv.org/abs/2310.04378: to D, then fresh noise up to the next level."""
    return [straight(s, 0.0, sigma_next=s_next, spread=s_next) for s, s_next in steps_between(levels)]


def dpm2_ancestral(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """DPM2 to a level below the next one, then fresh noise up to it; none where that level is 0."""
    rows = []
    for s, s_next in steps_between(levels):
        down, up = ancestral_step(s, s_next, job.eta)
        up = up * job.s_noise if down else 0.0
        rows += _middle_step(s, down, sigma_next=s_next, spread=up)
    return rows


def _churned(levels: torch.Tensor, job: Job) -> Iterator[tuple[float, float, float | None]]:
    """Each step's level after its churn, the next level, and the weight of the noise between."""
    most = min(job.s_churn / (len(levels) - 1), _MOST_CHURN) if len(levels) > 1 else 0.0
    for s, s_next in steps_between(levels):
        gamma = most if job.s_tmin <= s <= (job.s_tmax or math.inf) else 0.0
        raised = s * (1 + gamma)
        yield raised, s_next, job.s_noise * math.sqrt(raised**2 - s**2) if most else None


def _middle_step(
    s: float, target: float, *, sigma_next: float | None = None, spread: float = 0.0, churn: float | None = None
) -> list[SolverRow]:
    """From `s` to `target` with the slope at their geometric mean, or in one call to 0."""
    end = target if sigma_next is None else sigma_next
    if target == 0:
        return [straight(s, 0.0, sigma_next=end, churn=churn)]
    middle = math.sqrt(s * target)
    return [
        straight(s, middle, churn=churn, ends=False),
        along(middle, target, [(target - s, middle), (0.0, s)], base=1, sigma_next=end, spread=spread, since=s),
    ]


def _integral(past: list[float], j: int, end: float) -> float:
    """Of the Lagrange polynomial that is 1 at past[j] and 0 at the others, from past[0] to `end`."""
    start, half = past[0], (end - past[0]) / 2
    taus = start + half * (_NODES + 1)
    others = [p for p in past if p != past[j]]
    values = math.prod(((taus - p) / (past[j] - p) for p in others), start=np.ones_like(taus))
    return float(half * (_WEIGHTS * values).sum())
