"""Optimisers as rules for one tensor, and how the result is kept: float32, or bfloat16 rounded one way or the other.

A rule knows nothing of models: `rule.step(weight, grad, state, rate, count)` moves one float32 tensor in place. So the
same rule runs after the backward pass or within it (train/learn/stepper.py).

Source: Shazeer & Stern, Adafactor (arXiv 1804.04235), algorithms 4 and 5, with transformers' arguments
(https://github.com/huggingface/transformers/blob/v4.44.0/src/transformers/optimization.py); Loshchilov & Hutter, AdamW
(arXiv 1711.05101).
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Adafactor", "AdamW", "Rule", "round_stochastically"]

State = dict[str, Tensor]


class Rule(Protocol):
    """How one tensor moves."""

    def start(self, weight: Tensor) -> State:
        """The state of a tensor of this shape before its first step: float32, on its device."""

    def step(self, weight: Tensor, grad: Tensor, state: State, rate: float, count: int) -> None:
        """Move `weight` in place by `grad`, both float32 of one shape; `count` is the step's number from 1."""


@dataclass(frozen=True, kw_only=True)
class Adafactor:
    """Adafactor without first moment, its rate fixed: scale_parameter, relative_step and warmup_init are False.

    The second moment is kept as a row and a column of its matrix. transformers takes the last two dimensions for the
    matrix, for a convolution its 3x3; with `flatten` a convolution is one matrix (out, in * 3 * 3), and the UNet's
    whole state shrinks from 0.98 GB to 0.02 GB.
    """

    weight_decay: float = 0.0
    flatten: bool = False
    eps: float = 1e-30  # added to the squared gradient
    clip: float = 1.0  # largest root mean square of an update, in rates
    decay: float = -0.8  # the second moment forgets like count ** decay

    def start(self, weight: Tensor) -> State:
        """See Rule."""
        shape = self._matrix(weight).shape
        if len(shape) < 2:
            return {"second": weight.new_zeros(shape, dtype=torch.float32)}
        return {
            "row": weight.new_zeros(shape[:-1], dtype=torch.float32),
            "column": weight.new_zeros((*shape[:-2], shape[-1]), dtype=torch.float32),
        }

    def step(self, weight: Tensor, grad: Tensor, state: State, rate: float, count: int) -> None:
        """See Rule."""
        keep = 1 - count**self.decay
        g = self._matrix(grad)
        square = g.square() + self.eps
        if "second" in state:
            second = state["second"].mul_(keep).add_(square, alpha=1 - keep)
            update = second.rsqrt() * g
        else:
            row = state["row"].mul_(keep).add_(square.mean(-1), alpha=1 - keep)
            column = state["column"].mul_(keep).add_(square.mean(-2), alpha=1 - keep)
            rows = (row / row.mean(-1, keepdim=True)).rsqrt().unsqueeze(-1)
            update = rows * column.unsqueeze(-2).rsqrt() * g
        size = torch.linalg.vector_norm(update) / math.sqrt(update.numel())
        update = update.div_((size / self.clip).clamp(min=1.0)).mul_(rate)
        if self.weight_decay:
            weight.add_(weight, alpha=-self.weight_decay * rate)
        weight.sub_(update.view_as(weight))

    def _matrix(self, x: Tensor) -> Tensor:
        return x.flatten(1) if self.flatten and x.ndim > 2 else x


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """AdamW, bit for bit torch's single-tensor one."""

    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def start(self, weight: Tensor) -> State:
        """See Rule."""
        return {name: torch.zeros_like(weight, dtype=torch.float32) for name in ("first", "second")}

    def step(self, weight: Tensor, grad: Tensor, state: State, rate: float, count: int) -> None:
        """See Rule."""
        weight.mul_(1 - rate * self.weight_decay)
        first = state["first"].lerp_(grad, 1 - self.beta1)
        second = state["second"].mul_(self.beta2).addcmul_(grad, grad, value=1 - self.beta2)
        below = (second.sqrt() / (1 - self.beta2**count) ** 0.5).add_(self.eps)
        weight.addcdiv_(first, below, value=-rate / (1 - self.beta1**count))


def round_stochastically(x: Tensor, generator: torch.Generator) -> Tensor:
    """float32 -> bfloat16, up or down with the chance that leaves the mean where it was.

    A bfloat16 has the upper half of a float32's bits: adding 16 random bits to the lower half carries as often as it
    should. `generator` is on the device of `x`, which must be finite.
    """
    bits = torch.randint(0, 1 << 16, x.shape, dtype=torch.int32, device=x.device, generator=generator)
    carried = bits.add_(x.contiguous().view(torch.int32)).bitwise_and_(-(1 << 16))
    return carried.view(torch.float32).to(torch.bfloat16)
