"""float32 to bfloat16 or float16, up or down at random: steps too small for these are not lost but taken as often.

Chance is drawn once a step, as a strip of numbers. Each tensor reads the strip from a place of its own, so that how it
is rounded is a function of (seed, step, tensor), whichever tensors move together and in which order.
"""

import sys
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ohwx_compare.train.learn.chance import generator

__all__ = ["Strip", "round_by", "round_stochastically"]

_LEVELS = 1 << 15  # of chance: 15 bits, so that they fit an int16
_HALF_BITS, _HALF_LEAST = 11, -24  # of a float16: its digits, and the power of its least number
_SPARE, _STEP = 2, 2.0**-13  # float32 holds 13 bits of chance beside those digits
_UPPER = 1 if sys.byteorder == "little" else 0  # which half of a float32 is its bfloat16
_APART = 997  # numbers between the places of two tensors of one stack
_PIECES = 15_013  # between those of two pieces of one tensor
_STACKS = 7919  # between those of two stacks
_LONGEST = 1 << 22  # numbers that one tensor reads in a row; a larger one comes back to nearly the same place


def round_stochastically(x: Tensor, generator: torch.Generator, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """float32 -> `dtype`, up or down with the chance that leaves the mean where it was.

    `generator` is on the device of `x`, which must be finite and is left as it is.
    """
    chance = torch.randint(_LEVELS, x.shape, dtype=torch.int32, device=x.device, generator=generator)
    return round_by(x.clone(memory_format=torch.contiguous_format), chance, dtype)


def round_by(x: Tensor, chance: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """float32 -> `dtype`; uses up `x`, which is contiguous; `chance` is 0 to 32767 for each of its numbers.

    A bfloat16 has the upper half of a float32's bits: adding random bits to the lower half carries as often as it
    should; the result lies in the memory of `x`. A float16 is a multiple of the distance between its neighbours: 2^-24
    below 2^-14, above 2^-10 of its power of two.
    """
    if dtype == torch.float16:
        _, exponent = torch.frexp(x)
        apart = torch.exp2(exponent.sub_(_HALF_BITS).clamp_(min=_HALF_LEAST).float())
        x.div_(apart).view(chance.shape).add_(chance >> _SPARE, alpha=_STEP).floor_()
        return x.mul_(apart).to(dtype)
    x.view(torch.int32).view(chance.shape).add_(chance, alpha=2)
    return x.view(torch.bfloat16).view(*x.shape, 2)[..., _UPPER]


@dataclass(eq=False)
class Strip:
    """The chance of one step for all stacks of tensors. `shapes` are theirs, (n, ...) each."""

    shapes: list[tuple[int, ...]]
    seed: int
    device: torch.device
    step: int = -1
    drawn: Tensor | None = None

    def __post_init__(self) -> None:
        self.length = max(
            (self._place(stack, shape[0] - 1) + _PIECES * (pieces - 1) + size)
            for stack, shape in enumerate(self.shapes)
            for pieces, size in [_pieces(shape)]
        )

    def window(self, step: int, stack: int, first: int, count: int) -> Tensor:
        """What `count` tensors from number `first` of a stack read at `step`: (count, pieces, numbers), a view."""
        if step != self.step or self.drawn is None:
            # CUDA adds int16 to int32 in one kernel; the CPU would copy it first
            kind = torch.int32 if self.device.type == "cpu" else torch.int16
            own = None if self.device.type == "meta" else generator(self.seed, "rounding", step, device=self.device)
            self.drawn = torch.randint(_LEVELS, (self.length,), dtype=kind, device=self.device, generator=own)
            self.step = step
        pieces, size = _pieces(self.shapes[stack])
        return self.drawn.as_strided((count, pieces, size), (_APART, _PIECES, 1), self._place(stack, first))

    @staticmethod
    def _place(stack: int, member: int) -> int:
        return stack * _STACKS + member * _APART


def _pieces(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many pieces a tensor of a stack (n, ...) is read in, and their size: as few as its rows allow."""
    size, rows = prod(shape[1:]), shape[1] if len(shape) > 1 else 1
    pieces = next((p for p in range(1, rows + 1) if rows % p == 0 and size // p <= _LONGEST), rows)
    return pieces, size // pieces
