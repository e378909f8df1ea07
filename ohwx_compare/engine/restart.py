"""Restart sampling: Heun's steps, of which a stretch is walked again from more noise.

Xu et al. (2023), https://arxiv.org/abs/2306.14878, with the webui's choice of the stretch
(modules/sd_samplers_extra.py, 82a973c): K times from about 2 back to about 0.1, for 20 steps and more.
"""

import math
from itertools import pairwise

import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.rows import SolverRow
from ohwx_compare.engine.schedules import karras
from ohwx_compare.engine.slope_solvers import heun_step

__all__ = ["restart"]

_T_MIN, _T_MAX = 0.1, 2.0  # near which levels a restart ends and begins
_LEAST, _LONG = 20, 36  # steps from which there is one restart, and two of a quarter each


def restart(levels: torch.Tensor, job: Job) -> list[SolverRow]:
    """Heun's rows along the levels and the restarts; each jump upwards is noise before the next call."""
    rows: list[SolverRow] = []
    at = None
    for s, s_next in _walk(levels):
        jump = math.sqrt(s**2 - at**2) if at is not None and at < s else None
        rows += heun_step(s, s_next, jump)
        at = s_next
    return rows


def _walk(levels: torch.Tensor) -> list[tuple[float, float]]:
    """All steps in their order."""
    n = len(levels) - 1
    if n < _LEAST:
        return list(pairwise(levels.tolist()))
    length, k = (n // 4, 2) if n >= _LONG else (9, 1)
    levels = torch.cat([karras(n - length * k, levels[-2].item(), levels[0].item()), levels.new_zeros(1)])
    low, high = (int((levels - t).abs().argmin()) for t in (_T_MIN, _T_MAX))
    steps = list(pairwise(levels.tolist()))
    if high >= low:
        return steps
    again = karras(length + 1, levels[low].item(), levels[high].item())
    return steps[:low] + list(pairwise(again.tolist())) * k + steps[low:]
