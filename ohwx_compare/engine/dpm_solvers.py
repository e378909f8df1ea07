"""Solvers that are exact in the linear part: the DPM-Solver family, which steps in lambda = -log sigma.

Lu et al. (2022), DPM-Solver, https://arxiv.org/abs/2206.00927, and DPM-Solver++, https://arxiv.org/abs/2211.01095, as
k-diffusion has them. h is a step of lambda; eta is the share of fresh noise, 0 for an ODE.
"""

import math
from itertools import pairwise
from typing import Any

import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.rows import SolverRow, along, ancestral_step, steps_between, straight

__all__ = [
    "dpm_fast", "dpm_step", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_2s_ancestral", "dpmpp_3m_sde",
    "dpmpp_sde", "noisy_step",
]  # fmt: skip


def dpmpp_2m(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Algorithm 2 of Lu et al., DPM-Solver++(2M): D extrapolated from the last two."""
    return _second_order(levels, 0.0, 0.0, is_heun=False)


def dpmpp_2m_sde(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """SDE-DPM-Solver++(2M), Lu et al. section 5, solver type midpoint."""
    return _second_order(levels, job.eta, job.s_noise, is_heun=False)


def dpmpp_2m_sde_heun(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """The same with the solver type heun, which weighs the slope of D by its exact integral."""
    return _second_order(levels, job.eta, job.s_noise, is_heun=True)


def _second_order(levels: torch.Tensor, eta: float, noise: float, *, is_heun: bool) -> list[SolverRow]:
    rows: list[SolverRow] = []
    h_last = math.inf  # at first there is no slope
    for s, s_next in steps_between(levels):
        if s_next == 0:
            rows.append(straight(s, 0.0))
            break
        h = math.log(s / s_next)
        weight = -math.expm1(-h * (1 + eta))
        slope = (1 - weight / (h * (1 + eta)) if is_heun else weight / 2) * h / h_last
        rows.append(_exponential(s, s_next, h, eta, noise, (weight + slope, -slope)))
        h_last = h
    return rows


def dpmpp_3m_sde(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """SDE-DPM-Solver++(3M): the slope of D and its change, from the last three."""
    rows: list[SolverRow] = []
    h_1 = h_2 = math.inf  # the steps before
    for s, s_next in steps_between(levels):
        if s_next == 0:
            rows.append(straight(s, 0.0))
            break
        h = math.log(s / s_next)
        whole = h * (1 + job.eta)
        weight = -math.expm1(-whole)
        phi_2 = 1 - weight / whole
        phi_3 = phi_2 / whole - 0.5
        newer, older = h / h_1, h / h_2  # 1/r0 and 1/r1, 0 at first
        share = newer * older / (newer + older) if older else 0.0  # 1 / (r0 + r1)
        bend = (phi_2 / newer - phi_3) * share if older else 0.0
        a, b = (phi_2 + bend) * newer, -bend * older
        rows.append(_exponential(s, s_next, h, job.eta, job.s_noise, (weight + a, b - a, -b)))
        h_1, h_2 = h, h_1
    return rows


def _exponential(s: float, s_next: float, h: float, eta: float, noise: float, toward: tuple[float, ...]) -> SolverRow:
    """A row that is exact in x and takes its noise from the step's own variance."""
    spread = s_next * math.sqrt(-math.expm1(-2 * eta * h)) * noise
    keep = s_next / s * math.exp(-eta * h)
    return SolverRow(sigma=s, sigma_next=s_next, keep=(keep,), toward=toward, spread=spread)


def dpmpp_2s_ancestral(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """DPM-Solver++(2S) to a level below the next one, then fresh noise up to it."""
    rows: list[SolverRow] = []
    for s, s_next in steps_between(levels):
        down, up = ancestral_step(s, s_next, job.eta)
        noise = {"sigma_next": s_next, "spread": up * job.s_noise}
        if down == 0:
            rows.append(straight(s, 0.0, **noise))
            continue
        middle = math.sqrt(s * down)
        rows += [straight(s, middle, ends=False), _from_start(s, middle, down, noise)]
    return rows


def dpmpp_sde(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """DPM-Solver++ (stochastic): D at the middle of lambda, with fresh noise there and at the end.

    The Brownian path is asked between levels as k-diffusion rounds them, in float32: it knows them to 1e-6.
    """
    rows: list[SolverRow] = []
    t = levels.log().neg()
    starts, middles = t[:-1].neg().exp().tolist(), (t[:-1] + t.diff() * 0.5).neg().exp().tolist()
    ends = t[1:].neg().exp().tolist()
    for (s, s_next), start, middle, end in zip(steps_between(levels), starts, middles, ends, strict=True):
        if s_next == 0:
            rows.append(straight(s, 0.0))
            break
        down, up = ancestral_step(start, middle, job.eta)
        rows.append(straight(s, down, sigma_next=middle, spread=up * job.s_noise, since=start, ends=False))
        down, up = ancestral_step(start, end, job.eta)
        rows.append(_from_start(s, middle, down, {"sigma_next": end, "spread": up * job.s_noise, "since": start}))
    return rows


def _from_start(s: float, middle: float, down: float, noise: dict[str, Any]) -> SolverRow:
    """The second half of a step: from its start at `s` to `down`, with D as it is at `middle`."""
    return SolverRow(sigma=middle, keep=(0.0, down / s), toward=(1 - down / s,), **{"since": s, **noise})


def dpm_fast(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """DPM-Solver-fast: from the first level to the last in as many calls as there are steps, three a step."""
    calls = len(levels) - 1
    count = calls // 3 + 1
    orders = [3] * (count - 2) + [2, 1] if calls % 3 == 0 else [3] * (count - 1) + [calls % 3]
    start, end = -levels[0].log(), -levels[-1].log()
    rows: list[SolverRow] = []
    for (t, t_next), order in zip(pairwise(torch.linspace(start, end, count + 1).tolist()), orders, strict=True):
        down, up = noisy_step(t, t_next, end.item(), job.eta)
        rows += dpm_step(order, t, down, sigma_next=math.exp(-t_next), spread=up * job.s_noise)
    return rows


def noisy_step(t: float, t_next: float, end: float, eta: float) -> tuple[float, float]:
    """Where an ancestral step in t = -log sigma leads, at most to `end`, and the noise back to `t_next`."""
    down, _ = ancestral_step(math.exp(-t), math.exp(-t_next), eta)
    target = min(end, -math.log(down)) if down else end
    if not eta:
        return t_next, 0.0
    return target, math.sqrt(max(0.0, math.exp(-t_next) ** 2 - math.exp(-target) ** 2))


def dpm_step(order: int, t: float, target: float, *, sigma_next: float, spread: float) -> list[SolverRow]:
    """DPM-Solver-1, -2 (r = 1/2) or -3 (r = 1/3, 2/3) from `t` to `target`, each at -log sigma."""
    h = target - t
    s, s_end = math.exp(-t), math.exp(-target)
    noise = {"sigma_next": sigma_next, "spread": spread, "since": s}
    if order == 1:
        return [straight(s, s_end, **noise)]
    whole = -s_end * math.expm1(h)  # s_end - s
    if order == 2:
        middle = math.exp(-(t + h / 2))
        return [straight(s, middle, ends=False), along(middle, s_end, [(whole, middle), (0.0, s)], 1, **noise)]
    third, two = math.exp(-(t + h / 3)), math.exp(-(t + h * 2 / 3))
    to_two = -two * math.expm1(h * 2 / 3)
    bend = -two * 2 * (math.expm1(h * 2 / 3) / (h * 2 / 3) - 1)
    last = -s_end * 1.5 * (math.expm1(h) / h - 1)
    return [
        straight(s, third, ends=False),
        along(third, two, [(bend, third), (to_two - bend, s)], 1, ends=False),
        along(two, s_end, [(last, two), (0.0, third), (whole - last, s)], 2, **noise),
    ]
