"""CAME: Adafactor's factors, a first moment, and less of it where the two disagree.

Source: Luo et al., "CAME: Confidence-guided Adaptive Memory Efficient Optimization" (arXiv 2307.02047), algorithm 2, as
its authors' package came-pytorch 0.1.3 has it.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ohwx_compare.train.learn.optim import Bound, Move, State, alongside, norms_of
from ohwx_compare.train.plan.estimate import HOLDS

__all__ = ["Came"]


@dataclass(frozen=True, kw_only=True)
class Came:
    """See optim.Rule. Factors are of the last two sides, of a convolution its 3x3."""

    holds: ClassVar[int] = HOLDS["came"]
    weight_decay: float = 0.0
    betas: tuple[float, float, float] = (0.9, 0.999, 0.9999)  # of update, squared gradient, and their disagreement
    eps: tuple[float, float] = (1e-30, 1e-16)  # added to the squares of the latter two
    clip: float = 1.0  # largest root mean square of an update before the first moment

    def start(self, weights: Tensor) -> State:
        """See Rule."""
        shape = weights.shape
        state = {"first": torch.zeros_like(weights, dtype=torch.float32)}
        if len(shape) < 3:
            return state | {"second": torch.zeros_like(weights, dtype=torch.float32)}
        for kind in ("", "doubt_"):
            state[f"{kind}row"] = weights.new_zeros(shape[:-1], dtype=torch.float32)
            state[f"{kind}column"] = weights.new_zeros((*shape[:-2], shape[-1]), dtype=torch.float32)
        return state

    def move(self, grads: Tensor, state: State, bound: Bound, rate: float, count: int) -> Move:
        """See Rule."""
        factor = bound(norms_of(grads))
        update = grads.float() if factor is None else grads * alongside(factor, grads)
        square = torch.square(update).add_(self.eps[0])
        if "second" in state:
            update = update * state["second"].lerp_(square, 1 - self.betas[1]).rsqrt()
        else:
            update = _divided(update, _learn(state, "", square, self.betas[1]))
        del square
        root = norms_of(update) / math.sqrt(update[0].numel())
        update.mul_(alongside(root.div_(self.clip).clamp_(min=1.0).reciprocal_(), update))
        first = state["first"].lerp_(update, 1 - self.betas[0])
        if "second" in state:
            out = update.copy_(first)
        else:
            doubt = update.sub_(first).square_().add_(self.eps[1])
            out = _divided(first, _learn(state, "doubt_", doubt, self.betas[2]))
        return Move(out, out.new_full((), -rate), rate * self.weight_decay)


def _learn(state: State, kind: str, squares: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """Bring the means of squares (n, ..., rows, columns) by row and column up to date; returns both."""
    row = state[f"{kind}row"].lerp_(squares.mean(-1), 1 - beta)
    return row, state[f"{kind}column"].lerp_(squares.mean(-2), 1 - beta)


def _divided(x: Tensor, means: tuple[Tensor, Tensor]) -> Tensor:
    """`x` over the roots of what the means say of each of its numbers; a new tensor."""
    row, column = means
    return (x * (row.mean(-1, keepdim=True) / row).sqrt_().unsqueeze(-1)).mul_(column.rsqrt().unsqueeze(-2))
