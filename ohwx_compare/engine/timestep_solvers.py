"""Solvers of the original latent diffusion: DDIM, its CFG++ and PLMS, which walk on training timesteps.

There x is scaled so that its variance stays 1. Here it is divided by that scale, so that a step is one over sigma, and
the last row puts the scale back. The webui's rules: modules/sd_samplers_timesteps_impl.py, 82a973c.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.levels import TimestepSigmas
from ohwx_compare.engine.rows import SolverRow, along, ancestral_step

__all__ = ["CFGPP_SHARE", "ddim", "ddim_cfgpp", "plms", "rescaled"]

CFGPP_SHARE = 1 / 12.5  # the webui maps CFG 0..12.5 to CFG++'s 0..1
_BASHFORTH = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def ddim(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Song et al. (2021), equation 12, https://arxiv.org/abs/2010.02502: an ancestral Euler step over sigma."""
    return rescaled([row for row, _ in _ancestral(levels, job)])


def ddim_cfgpp(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Chung et al. (2024), https://arxiv.org/abs/2406.08070: the slope is the negative prompt's alone.

    With D = N + scale * (P - N) that is DDIM whose scale is divided by the share of D in the row.
    """
    rows = []
    for row, scale in _ancestral(levels, job):
        share = row.toward[0] or 1.0  # 0 where two levels are equal: D does not count there
        rows.append(replace(row, guidance=scale / share))
    return rescaled(rows)


def plms(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Liu et al. (2022), https://arxiv.org/abs/2202.09778: Adams-Bashforth on slopes, Heun's step first."""
    rows: list[SolverRow] = []
    past: list[tuple[int, float]] = []  # the calls that count: their numbers and levels, the newest first
    for one, to in pairwise(_met(levels, job)):
        past = [(len(rows), one.seen), *past[:3]]
        length, whole = (to.aimed - one.seen) * to.scale, to.scale / one.scale
        if len(past) == 1:
            halves = [(length / 2, to.seen), (length / 2, one.seen)]
            rows += [
                along(one.seen, to.aimed, [(length, one.seen)], whole=whole, ends=False),
                along(to.seen, to.aimed, halves, 1, whole=whole),
            ]
            continue
        slopes = [(0.0, one.seen)] * (len(rows) - past[-1][0] + 1)
        for (call, level), weight in zip(past, _BASHFORTH[len(past) - 1], strict=True):
            slopes[len(rows) - call] = (length * weight, level)
        rows.append(along(one.seen, to.aimed, slopes, whole=whole))
    return rescaled(rows)


@dataclass(frozen=True)
class _Level:
    """A level as it is met. Both sigmas are the same, and the scale 1, but for a sqrt(1 - a) in half precision.

    Then x is scaled by that rounded root too, for the model takes off the scale that `seen` says.
    """

    seen: float  # by the call there
    aimed: float  # by the step that ends there
    scale: float = 1.0


def _met(levels: torch.Tensor, job: Job) -> list[_Level]:
    if not job.half_levels:
        return [_Level(sigma, sigma) for sigma in levels.tolist()]
    known = TimestepSigmas(halved=True)
    alphas = [known.alphas_cumprod[known.nearest(sigma)].item() for sigma in levels.tolist()]
    met = [
        _Level(sigma, math.sqrt((1 - alpha) / alpha), math.sqrt(alpha * (1 + sigma**2)))
        for sigma, alpha in zip(levels.tolist(), alphas, strict=True)
    ]
    return [*met[:-1], *(replace(one, scale=1.0) for one in met[-1:])]  # the model sees nothing of the last one


def _ancestral(levels: torch.Tensor, job: Job) -> Iterator[tuple[SolverRow, float]]:
    """The rows of DDIM, and the scale of x after each."""
    for one, to in pairwise(_met(levels, job)):
        down, up = _step(one, to, job)
        slope = (down - one.seen) * to.scale, one.seen
        yield along(one.seen, to.aimed, [slope], whole=to.scale / one.scale, spread=up * to.scale), to.scale


def _step(one: _Level, to: _Level, job: Job) -> tuple[float, float]:
    """As `ancestral_step`; in half precision the webui takes 1 / (1 - a) in that too."""
    if not job.half_levels:
        return ancestral_step(one.seen, to.aimed, job.eta_ddim)
    alpha, after = 1 / (1 + one.aimed**2), 1 / (1 + to.aimed**2)
    inverse = torch.tensor(1 - alpha).half().reciprocal().item()
    variance = job.eta_ddim**2 * (1 - after) * inverse * (1 - alpha / after)
    return math.sqrt(max(1 - after - variance, 0.0) / after), math.sqrt(variance / after)


def rescaled(rows: list[SolverRow]) -> list[SolverRow]:
    """The rows, the last of which gives x the scale it has among pictures."""
    if not rows:
        return rows
    last = rows[-1]
    scale = 1 / math.sqrt(1 + last.sigma_next**2)
    keep, toward = (tuple(scale * weight for weight in weights) for weights in (last.keep, last.toward))
    return [*rows[:-1], replace(last, keep=keep, toward=toward, spread=scale * last.spread)]
