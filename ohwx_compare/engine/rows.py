"""Rows: what a solver writes and the sampling loop runs. One row is one call of the model and what x becomes then.

    x <- sum of keep[k] * x_k  +  sum of toward[k] * D_k  +  spread * noise

D_0 is what the model has just made of x_0, the present x; x_1 and D_1 belong to the call before, and so on. Every
solver but the adaptive one is linear in what it has seen, so this covers one-step, multistep and Runge-Kutta methods
alike: Heun's second row returns to x_1, and DPM++ 3M's reach back to D_2.

Notation: Karras et al. (2022), https://arxiv.org/abs/2206.00364: `sigma` is a noise level, and (x - D) / sigma the
slope d of x over sigma.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

__all__ = ["SolverRow", "along", "ancestral_step", "steps_between", "straight"]


@dataclass(frozen=True, kw_only=True)
class SolverRow:
    """One call of the model at `sigma`, after which x is at `sigma_next`."""

    sigma: float
    sigma_next: float
    keep: tuple[float, ...]  # weights of x_0, x_1, ...
    toward: tuple[float, ...]  # weights of D_0, D_1, ...
    spread: float = 0.0  # weight of the noise between `since` and `sigma_next`
    since: float | None = None  # the level where the noise's step began; None: at `sigma`
    churn: float | None = None  # weight of noise that x gets before the call; 0.0 draws it and adds none
    guidance: float = 1.0  # factor on the CFG scale, which CFG++ changes by the step
    ends: bool = True  # whether a step of the schedule ends here


def straight(sigma: float, target: float, **more: Any) -> SolverRow:
    """Along the slope at x from `sigma` to the level `target` (Euler's step); `more` are other fields of the row."""
    return along(sigma, target, [(target - sigma, sigma)], **more)


def along(
    sigma: float,
    target: float,
    slopes: Sequence[tuple[float, float]],
    base: int = 0,
    *,
    whole: float = 1.0,
    **more: Any,
) -> SolverRow:
    """From `whole` times x_base along several slopes: one (length, level of its call) for each call, newest first."""
    return SolverRow(
        **{"sigma": sigma, "sigma_next": target} | more,
        keep=tuple(length / level + whole * (k == base) for k, (length, level) in enumerate(slopes)),
        toward=tuple(-length / level for length, level in slopes),
    )


def ancestral_step(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """The level to step down to, and the noise that leads from there up to `sigma_next`; `eta` is its share."""
    up = min(sigma_next, eta * math.sqrt(sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2))
    return math.sqrt(sigma_next**2 - up**2), up


def ancestral_rows(levels: torch.Tensor, eta: float) -> list[SolverRow]:
    """Over levels (n + 1,): an Euler step to a level below the next one, then fresh noise up to it."""
    rows = []
    for s, s_next in steps_between(levels):
        down, up = ancestral_step(s, s_next, eta)
        rows.append(straight(s, down, sigma_next=s_next, spread=up))
    return rows


def steps_between(levels: torch.Tensor) -> Iterator[tuple[float, float]]:
    """Each level (n + 1,) and the next one."""
    return pairwise(levels.tolist())
