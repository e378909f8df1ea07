"""Prodigy: AdamW that finds its rate itself, from how far the weights went along their gradients.

The rate `d` is one number of all tensors. Each keeps a copy, and what it adds to the sums that `d` comes from, so that
a tensor moves without the others; `settle` then adds up, on the device. So weights move by the `d` of before, which the
authors' package uses too but for epsilon's factor.

Source: Mishchenko & Defazio, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner" (arXiv 2306.06101), algorithm
4, as the authors' package prodigyopt 1.1.2 has it, its decay decoupled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from ohwx_compare.train.learn.optim import Bound, Move, State, alongside, norms_of
from ohwx_compare.train.plan.estimate import HOLDS

__all__ = ["Prodigy"]


@dataclass(frozen=True, kw_only=True)
class Prodigy:
    """See optim.Rule; `move` finds the weights themselves under "weight" in its state. `rate` multiplies `d`."""

    holds: ClassVar[int] = HOLDS["prodigy"]
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    d0: float = 1e-6  # the first rate
    d_coef: float = 1.0  # what the rate that it finds is multiplied by
    growth_rate: float = 0.0  # most that it grows by in a step; 0 bounds nothing
    use_bias_correction: bool = False
    safeguard_warmup: bool = False
    slice_p: int = 1  # the rate is found from every so many numbers

    def start(self, weights: Tensor) -> State:
        """See Rule."""
        some = self._some(weights)
        state = {name: torch.zeros_like(weights, dtype=torch.float32) for name in ("first", "second")}
        state |= {"start": some.clone(memory_format=torch.contiguous_format)}
        state |= {"s": weights.new_zeros(some.shape, dtype=torch.float32)}
        d = torch.full((len(weights), 3), self.d0, dtype=torch.float32, device=weights.device)  # d, its most, numerator
        d[:, 2].zero_()
        return state | {"d": d, "told": torch.zeros(len(weights), 2, device=weights.device)}

    def move(self, grads: Tensor, state: State, bound: Bound, rate: float, count: int) -> Move:
        """See Rule."""
        factor = bound(norms_of(grads))
        if rate == 0:
            return Move(torch.zeros_like(grads, dtype=torch.float32), grads.new_zeros((), dtype=torch.float32))
        g = grads.float() if factor is None else grads * alongside(factor, grads)
        beta1, beta2 = self.betas
        pace = rate * ((1 - beta2**count) ** 0.5 / (1 - beta1**count) if self.use_bias_correction else 1.0)
        d = state["d"][:, 0]
        weight, some = state["weight"], self._some(g)
        away = state["start"].float() - self._some(weight).float()
        scale = d * d * (pace / self.d0)
        state["told"][:, 0] = scale * (some * away).sum(1)
        learns = d * d / self.d0 if self.safeguard_warmup else scale
        s = state["s"].mul_(beta2**0.5).add_(some * learns.unsqueeze(1))
        state["told"][:, 1] = s.abs().sum(1)
        g = g * alongside(d, g)
        first = state["first"].lerp_(g, 1 - beta1)
        below = state["second"].mul_(beta2).addcmul_(g, g, value=1 - beta2).sqrt()
        update = torch.div(first, below.add_(alongside(d * self.eps, below)), out=below)
        if self.weight_decay:
            update.add_(weight, alpha=self.weight_decay)
        return Move(update, alongside(d * -pace, update))

    def settle(self, states: Sequence[State], add: Callable[[Tensor], None]) -> None:
        """After all tensors moved: the rate of the next step, into all of their states.

        add: adds up in place what this process and others have, where they moved other tensors.
        """
        told = torch.stack([state["told"].sum(0) for state in states]).sum(0)
        add(told)
        numerator, below = told.unbind()
        d, most, known = states[0]["d"][0].unbind()
        numerator = known * self.betas[1] ** 0.5 + numerator
        hat = self.d_coef * numerator / below
        most = torch.maximum(most, hat)
        if self.growth_rate:
            d = torch.minimum(most, torch.where(d == self.d0, torch.maximum(d, hat), d) * self.growth_rate)
        else:
            d = most
        found = torch.stack([d, most, numerator])
        for state in states:
            state["d"].copy_(torch.where(below > 0, found, state["d"]))
            state["told"].zero_()

    def _some(self, x: Tensor) -> Tensor:
        """Every `slice_p`-th number of n tensors (n, ...)."""
        return x.reshape(len(x), prod(x.shape[1:]))[:, :: self.slice_p]
