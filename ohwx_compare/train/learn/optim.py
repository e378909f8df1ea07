"""Optimisers as rules for many tensors of one shape at a time, as one batch: how far each tensor moves.

A rule knows nothing of models, learns nothing back from the device, and holds no numbers between steps but `state`. So
the same rule runs after the backward pass or within it (train/learn/stepper.py), on one tensor or on sixty.

Source: Shazeer & Stern, Adafactor (arXiv 1804.04235), algorithms 4 and 5, with transformers' arguments
(https://github.com/huggingface/transformers/blob/v4.44.0/src/transformers/optimization.py); Loshchilov & Hutter, AdamW
(arXiv 1711.05101).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ohwx_compare.train.learn.rounding import round_by
from ohwx_compare.train.plan.estimate import HOLDS

__all__ = [
    "Adafactor", "AdamW", "Bound", "Landing", "Move", "Rule", "State", "alongside", "land", "norms_of", "unbounded",
]  # fmt: skip

State = dict[str, Tensor]
Bound = Callable[[Tensor], Tensor | None]  # norms (n,) of gradients -> what to multiply each by; None is 1


@dataclass(frozen=True, eq=False)
class Move:
    """Where n tensors (n, ...) go: to `keep * weight + update * scale - decay * weight`."""

    update: Tensor  # (n, ...) float32, nobody else's
    scale: Tensor  # float32, of a shape that multiplies `update`
    decay: float = 0.0
    keep: float = 1.0

    def of(self, weights: Tensor) -> Tensor:
        """The weights after it, float32, in the memory of `update`.

        Adafactor's decay is taken by itself, as transformers does: beside 1 it is so small that a float32 of their
        difference would be far from it. AdamW's `keep` is such a float32, as torch's is.
        """
        kept = weights if self.keep == 1 else weights.to(torch.float32, copy=True).mul_(self.keep)
        exact = torch.addcmul(kept, self.update, self.scale, out=self.update)
        return exact.sub_(weights, alpha=self.decay) if self.decay else exact


@dataclass(frozen=True, eq=False)
class Landing:
    """Where n tensors (n, ...) are and go; all contiguous."""

    weight: Tensor  # bfloat16, float16 or float32
    master: Tensor | None  # float32, which moves in the weight's stead
    chance: Tensor | None  # (n, pieces, numbers), a window of the strip; None rounds to nearest
    finite: Tensor | None  # bool, () or (n,): a tensor does not move where it says False


def land(move: Move, landing: Landing) -> None:
    """Carry `move` out."""
    weight, master = landing.weight, landing.master
    before = weight if master is None else master
    exact = move.of(before)
    if landing.finite is not None:
        exact = torch.where(alongside(landing.finite, exact), exact, before)
    if master is not None:
        master.copy_(exact)
    chance = landing.chance  # without it to the nearest
    weight.copy_(exact if chance is None else round_by(exact, chance, weight.dtype))


class Rule(Protocol):
    """How tensors move."""

    holds: ClassVar[int]  # float32 numbers held for each number that moves

    def start(self, weights: Tensor) -> State:
        """The state of n tensors (n, ...) before their first step, on their device; each of its values is (n, ...)."""

    def move(self, grads: Tensor, state: State, bound: Bound, rate: float, count: int) -> Move:
        """How n tensors move by their gradients, contiguous (n, ...), and by their weight decay.

        `bound` is asked once; `state` is brought up to date; `count` is the step's number from 1.
        """


def unbounded(norms: Tensor) -> None:
    """Gradients as they are."""


def alongside(values: Tensor, batch: Tensor) -> Tensor:
    """One number for each of n tensors (n,), so that it multiplies a batch (n, ...)."""
    return values.view(-1, *[1] * (batch.ndim - 1))


def norms_of(grads: Tensor) -> Tensor:
    """The norm of each of n tensors (n, ...): (n,) float32."""
    return torch.linalg.vector_norm(grads.flatten(1), dim=1, dtype=torch.float32)


@dataclass(frozen=True, kw_only=True)
class Adafactor:
    """Adafactor without first moment, its rate fixed: scale_parameter, relative_step and warmup_init are False.

    The second moment is kept as a row and a column of its matrix. transformers takes the last two dimensions for the
    matrix, for a convolution its 3x3; with `flatten` a convolution is one matrix (out, in * 3 * 3), and the UNet's
    whole state shrinks from 0.98 GB to 0.02 GB.
    """

    holds: ClassVar[int] = HOLDS["adafactor"]
    weight_decay: float = 0.0
    flatten: bool = False
    eps: float = 1e-30  # added to the squared gradient
    clip: float = 1.0  # largest root mean square of an update, in rates
    decay: float = -0.8  # the second moment forgets like count ** decay

    def start(self, weights: Tensor) -> State:
        """See Rule."""
        shape = self.matrices(weights).shape
        if len(shape) < 3:
            return {"second": weights.new_zeros(shape, dtype=torch.float32)}
        return {
            "row": weights.new_zeros(shape[:-1], dtype=torch.float32),
            "column": weights.new_zeros((*shape[:-2], shape[-1]), dtype=torch.float32),
        }

    def move(self, grads: Tensor, state: State, bound: Bound, rate: float, count: int) -> Move:
        """See Rule."""
        # the CPU is slower at bfloat16 than at making it float32 once
        g = self.matrices(grads.float() if grads.device.type == "cpu" else grads)
        way = self._vectors if "second" in state else self._matrices
        update, scale = way(g, state, bound, rate, count)
        if g.shape != grads.shape:  # the move is along the matrices
            update, scale = update.view(grads.shape), scale.expand(-1, 1, -1).reshape(len(g), 1, *grads.shape[2:])
        return Move(update, scale, rate * self.weight_decay)

    def matrices(self, x: Tensor) -> Tensor:
        """A batch as the matrices (n, ..., rows, columns) that are factored."""
        return x.flatten(2) if self.flatten and x.ndim > 3 else x

    def _vectors(self, g: Tensor, state: State, bound: Bound, rate: float, count: int) -> tuple[Tensor, Tensor]:
        """Updates, and what each is to be multiplied by: (n, 1)."""
        factor = bound(norms_of(g))
        g = g.float() if factor is None else g * alongside(factor, g)
        update = self._learn(state["second"], g, 1, count).rsqrt().mul_(g)
        return update, alongside(self._pace(norms_of(update), update, rate), update)

    def _matrices(self, g: Tensor, state: State, bound: Bound, rate: float, count: int) -> tuple[Tensor, Tensor]:
        """Gradients over the root of their rows' second moments, and what multiplies the columns: (n, ..., 1, columns).

        Norms of rows and columns read the gradient as it is stored; the only float32 tensor of its size is the answer.
        """
        rows, columns = (torch.linalg.vector_norm(g, dim=dim, dtype=torch.float32) for dim in (-1, -2))
        factor = bound(norms_of(rows))
        if factor is not None:
            rows, columns = rows.mul_(alongside(factor, rows)), columns.mul_(alongside(factor, columns))
        row = self._learn(state["row"], rows, g.shape[-1], count)
        column = self._learn(state["column"], columns, g.shape[-2], count)
        mean = row.mean(-1, keepdim=True).sqrt_()
        if factor is not None:
            mean = mean.mul_(alongside(factor, mean))
        update = g * row.rsqrt().unsqueeze(-1)
        scale = column.rsqrt()
        sizes = torch.linalg.vector_norm(torch.linalg.vector_norm(update, dim=-2).mul_(scale), dim=-1, keepdim=True)
        pace = self._pace(norms_of(sizes.mul_(mean)), update, rate)
        return update, scale.mul_(mean.mul_(alongside(pace, mean))).unsqueeze(-2)

    def _learn(self, known: Tensor, norms: Tensor, among: int, count: int) -> Tensor:
        """Bring a second moment up to date by the norms of as many numbers as `among`."""
        square = torch.addcmul(norms.new_full((), self.eps), norms, norms, value=1 / among)
        return known.lerp_(square, count**self.decay)

    def _pace(self, norms: Tensor, update: Tensor, rate: float) -> Tensor:
        """What takes each of n updates of these norms on, by `rate` where it is within `clip`."""
        root = math.sqrt(update[0].numel())
        return norms.div_(root * self.clip).clamp_(min=1.0).reciprocal_().mul_(-rate)


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """AdamW, as torch's single-tensor one."""

    holds: ClassVar[int] = HOLDS["adamw"]
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def start(self, weights: Tensor) -> State:
        """See Rule."""
        return {name: torch.zeros_like(weights, dtype=torch.float32) for name in ("first", "second")}

    def move(self, grads: Tensor, state: State, bound: Bound, rate: float, count: int) -> Move:
        """See Rule."""
        factor = bound(norms_of(grads))
        g = grads.float() if factor is None else grads * alongside(factor, grads)
        return self.onward(g, state["first"], state["second"], rate, count)

    def onward(self, g: Tensor, first: Tensor, second: Tensor, rate: float, count: int) -> Move:
        """The move by gradients and both moments, all float32 of one shape; the moments are brought up to date."""
        first.lerp_(g, 1 - self.beta1)
        second.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
        below = second.sqrt().div_((1 - self.beta2**count) ** 0.5).add_(self.eps)
        scale = below.new_full((), -rate / (1 - self.beta1**count))
        return Move(torch.div(first, below, out=below), scale, keep=1 - rate * self.weight_decay)
