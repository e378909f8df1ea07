"""Solvers of the original latent diffusion: DDIM, its CFG++ and PLMS, which walk on training timesteps.

There x is scaled so that its variance stays 1. Here it is divided by that scale, so that a step is one over sigma, and
the last row puts the scale back. The webui's rules: modules/sd_samplers_timesteps_impl.py, 82a973c.
"""

import math
from dataclasses import replace

import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.rows import SolverRow, along, ancestral_rows, steps_between, straight

__all__ = ["CFGPP_SHARE", "ddim", "ddim_cfgpp", "plms", "rescaled"]

CFGPP_SHARE = 1 / 12.5  # the webui maps CFG 0..12.5 to CFG++'s 0..1
_BASHFORTH = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def ddim(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Song et al. (2021), equation 12, https://arxiv.org/abs/2010.02502: an ancestral Euler step over sigma."""
    return rescaled(ancestral_rows(levels, job.eta_ddim))


def ddim_cfgpp(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Chung et al. (2024), https://arxiv.org/abs/2406.08070: the slope is the negative prompt's alone.

    With D = N + scale * (P - N) that is DDIM whose scale is divided by the share of D in the row.
    """
    rows = ancestral_rows(levels, job.eta_ddim)
    shares = (row.toward[0] or 1.0 for row in rows)  # 0 where two levels are equal: D does not count there
    return rescaled([replace(row, guidance=1 / share) for row, share in zip(rows, shares, strict=True)])


def plms(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Liu et al. (2022), https://arxiv.org/abs/2202.09778: Adams-Bashforth on slopes, Heun's step first."""
    rows: list[SolverRow] = []
    past: list[tuple[int, float]] = []  # the calls that count: their numbers and levels, the newest first
    for s, s_next in steps_between(levels):
        past = [(len(rows), s), *past[:3]]
        if len(past) == 1:
            half = (s_next - s) / 2
            rows += [straight(s, s_next, ends=False), along(s_next, s_next, [(half, s_next), (half, s)], 1)]
            continue
        slopes = [(0.0, s)] * (len(rows) - past[-1][0] + 1)
        for (call, level), weight in zip(past, _BASHFORTH[len(past) - 1], strict=True):
            slopes[len(rows) - call] = ((s_next - s) * weight, level)
        rows.append(along(s, s_next, slopes))
    return rescaled(rows)


def rescaled(rows: list[SolverRow]) -> list[SolverRow]:
    """The rows, the last of which gives x the scale it has among pictures."""
    if not rows:
        return rows
    last = rows[-1]
    scale = 1 / math.sqrt(1 + last.sigma_next**2)
    keep, toward = (tuple(scale * weight for weight in weights) for weights in (last.keep, last.toward))
    return [*rows[:-1], replace(last, keep=keep, toward=toward, spread=scale * last.spread)]
