"""Adafactor's step on matrices for the CPU: a few rows at a time, so that what is computed stays in the core's cache.

What `Adafactor.move`, `Move.of` and `round_by` do one after the other, with sums in another order: rows and columns are
summed from one square of the gradient, and an update's size comes from the same square, before the update exists.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Protocol, TypeGuard

import torch
from torch import Tensor

from ohwx_compare.train.learn.optim import Adafactor, Bound, Landing, Rule, State, alongside
from ohwx_compare.train.learn.rounding import round_by

__all__ = ["SMALL_SUMS", "Room", "can_move_in_cache", "move_in_cache"]

SMALL_SUMS = 1 << 18  # numbers whose small sums and factors are computed together, for the sake of fewer calls
_IN_CACHE = 1 << 17  # float32 numbers that move at one time; four such tensors fit the second level of a core's cache
_TINY = 16  # sides up to this: many matrices lie in a row of numbers, such as a convolution's 3x3
_WIDE = 3  # sides of a batch whose tensors are one matrix each
_EXACT, _SQUARES, _OTHER, _LAST = range(4)
_Part = tuple[slice, slice]  # some tensors, and some of each one's first side


@dataclass(frozen=True)
class Room:
    """Memory that is used over and over: asked for anew, the system would hand out and clear pages each time."""

    held: dict[int, Tensor] = field(default_factory=dict)

    def take(self, which: int, shape: Sequence[int]) -> Tensor:
        """A tensor of this shape, float32, its numbers left over from before."""
        size = prod(shape)
        if which not in self.held or self.held[which].numel() < size:
            self.held[which] = torch.empty(max(size, _IN_CACHE))
        return self.held[which][:size].view(*shape)


def can_move_in_cache(rule: Rule, weight: Tensor) -> TypeGuard[Adafactor]:
    """Whether this is for this rule, device and shape."""
    if weight.device.type != "cpu" or type(rule) is not Adafactor:
        return False
    shape = rule.matrices(weight).shape
    return len(shape) == _WIDE or (len(shape) > _WIDE and max(shape[-2:]) <= _TINY)


def move_in_cache(
    rule: Adafactor, grads: Tensor, state: State, bound: Bound, pace: tuple[float, int], landing: Landing, room: Room
) -> None:
    """Move n tensors by their gradients, contiguous (n, ...), at `pace` (rate, number of the step from 1).

    `bound` is asked once, as by `Rule.move`; `state` is brought up to date.
    """
    rate, count = pace
    g = rule.matrices(grads)
    way: _Way = _Wide(room) if g.ndim == _WIDE else _Tiny(g.shape[-2], g.shape[-1], room)
    parts = list(_parts(g.shape, landing.chance))
    squares = _Squares(g, room, is_whole=len(parts) == 1)
    rows, columns = g.new_empty(g.shape[:-1], dtype=torch.float32), torch.zeros_like(state["column"])
    for part in parts:
        way.sum(squares.of(part), rows[part], way.share(columns, part))
    norms = rows.flatten(1).sum(1).sqrt_()
    factor = bound(norms)
    factor = torch.ones_like(norms) if factor is None else factor.expand(len(g))
    forget = count**rule.decay
    for known, squared, among in ((state["row"], rows, g.shape[-1]), (state["column"], columns, g.shape[-2])):
        known.lerp_(squared.mul_(alongside(factor * factor / among, squared)).add_(rule.eps), forget)
    row, column = (state["row"].mean(-1, keepdim=True) / state["row"]).sqrt_(), state["column"].rsqrt()
    sizes = torch.zeros_like(norms)
    for part in parts:
        sizes[part[0]] += way.size(squares.of(part), row[part], way.share(column, part))
    root = sizes.sqrt_().mul_(factor) / g[0].numel() ** 0.5
    to = root.div_(rule.clip).clamp_(min=1.0).reciprocal_().mul_(-rate).mul_(factor)
    for part in parts:
        update, scale = way.update(squares.exact(part), (row[part], way.share(column, part)), to[part[0]])
        _land(update, scale, rate * rule.weight_decay, _part_of(landing, part, grads.shape), room)


def _land(update: Tensor, scale: Tensor, decay: float, landing: Landing, room: Room) -> None:
    """As `optim.land`; uses `update` up."""
    weight, master = landing.weight, landing.master
    before = weight if master is None else master
    if before.dtype != torch.float32:
        before = room.take(_OTHER, weight.shape).copy_(weight)
    before = before.view(update.shape)
    torch.addcmul(before, update, scale, out=update)
    if decay:
        update.sub_(before, alpha=decay)
    if landing.finite is not None:
        update = torch.where(alongside(landing.finite, update), update, before)
    exact = update.view(weight.shape)
    if master is not None:
        master.copy_(exact)
    weight.copy_(exact if landing.chance is None else round_by(exact, landing.chance, weight.dtype))


def _parts(shape: torch.Size, chance: Tensor | None) -> Iterator[_Part]:
    """Parts of tensors (n, ...) that fit the cache, each within one piece of chance."""
    count, size = shape[1], prod(shape[1:])
    beside = max(1, _IN_CACHE // size)
    high = count // (1 if chance is None else chance.shape[1])
    most = min(high, max(1, _IN_CACHE * count // size)) if beside == 1 else count
    for first in range(0, shape[0], beside):
        for piece in range(0, count, high):
            for at in range(piece, piece + high, most):
                yield slice(first, min(first + beside, shape[0])), slice(at, min(at + most, piece + high))


def _part_of(landing: Landing, part: _Part, shape: torch.Size) -> Landing:
    """Where a part of the tensors (n, ...) is and goes."""
    tensors, within = part
    chance, row = landing.chance, prod(shape[2:])
    if chance is not None:
        piece, first = divmod(within.start, shape[1] // chance.shape[1])
        chance = chance[tensors, piece, first * row : (first + within.stop - within.start) * row]
    master = None if landing.master is None else landing.master[part]
    finite = landing.finite[tensors] if landing.finite is not None and landing.finite.ndim else landing.finite
    return Landing(landing.weight[part], master, chance, finite)


@dataclass
class _Squares:
    """Parts of gradients in float32, and their squares; made again where there are several parts."""

    g: Tensor
    room: Room
    is_whole: bool
    made: Tensor | None = None

    def exact(self, part: _Part) -> Tensor:
        """The gradients of a part."""
        own = self.g[part]
        return own if own.dtype == torch.float32 else self.room.take(_EXACT, own.shape).copy_(own)

    def of(self, part: _Part) -> Tensor:
        """Their squares."""
        if self.made is None or not self.is_whole:
            exact = self.exact(part)
            self.made = torch.mul(exact, exact, out=self.room.take(_SQUARES, exact.shape))
        return self.made


class _Way(Protocol):
    """How matrices of one shape are summed and scaled; squares are (n, a part of a tensor's first side, ...)."""

    def sum(self, squares: Tensor, rows: Tensor, columns: Tensor) -> None:
        """Put the sums of rows into `rows`; add those of columns to `columns`."""

    def share(self, columns: Tensor, part: _Part) -> Tensor:
        """The columns of a part."""

    def size(self, squares: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """The squared size of each tensor's update by these factors, (n,)."""

    def update(self, exact: Tensor, factors: tuple[Tensor, Tensor], pace: Tensor) -> tuple[Tensor, Tensor]:
        """The update, in the memory of squares, and what it is multiplied by."""


@dataclass
class _Wide:
    """One matrix (rows, columns) for each tensor; a part is some of its rows."""

    room: Room

    def sum(self, squares: Tensor, rows: Tensor, columns: Tensor) -> None:
        torch.sum(squares, -1, out=rows)
        columns += squares.sum(-2)

    def share(self, columns: Tensor, part: _Part) -> Tensor:
        return columns[part[0]]

    def size(self, squares: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return torch.matmul((row * row).unsqueeze(-2), squares).squeeze(-2).mul_(column).mul_(column).sum(-1)

    def update(self, exact: Tensor, factors: tuple[Tensor, Tensor], pace: Tensor) -> tuple[Tensor, Tensor]:
        row, column = factors
        out = torch.mul(exact, row.unsqueeze(-1), out=self.room.take(_SQUARES, exact.shape))
        return out, (column * pace.unsqueeze(-1)).unsqueeze(-2)


class _Tiny:
    """Many small matrices for each tensor, each a row of numbers; a part is some of them, whole."""

    def __init__(self, rows: int, columns: int, room: Room) -> None:
        self.rows, self.spread, self.room = rows, _spread(rows, columns), room

    def sum(self, squares: Tensor, rows: Tensor, columns: Tensor) -> None:
        both = squares.flatten(-2) @ self.spread.T
        rows.copy_(both[..., : self.rows])
        columns.copy_(both[..., self.rows :])

    def share(self, columns: Tensor, part: _Part) -> Tensor:
        return columns[part]

    def size(self, squares: Tensor, row: Tensor, column: Tensor) -> Tensor:
        both = self._both(row, column)
        return both.mul_(both).mul_(squares.flatten(-2)).flatten(1).sum(1)

    def update(self, exact: Tensor, factors: tuple[Tensor, Tensor], pace: Tensor) -> tuple[Tensor, Tensor]:
        both = self._both(*factors)
        out = torch.mul(exact.flatten(-2), both, out=self.room.take(_SQUARES, both.shape))
        return out, pace.view(-1, *[1] * (both.ndim - 1))

    def _both(self, row: Tensor, column: Tensor) -> Tensor:
        """What each number of a matrix is multiplied by: (..., rows * columns)."""
        shape = (*row.shape[:-1], self.spread.shape[1])
        both = torch.matmul(row, self.spread[: self.rows], out=self.room.take(_OTHER, shape))
        return both.mul_(torch.matmul(column, self.spread[self.rows :], out=self.room.take(_LAST, shape)))


@lru_cache(maxsize=8)
def _spread(rows: int, columns: int) -> Tensor:
    """Which numbers of a small matrix are in each row, then in each column: (rows + columns, rows * columns)."""
    of_rows = torch.eye(rows).repeat_interleave(columns, dim=1)
    return torch.cat([of_rows, torch.eye(columns).repeat(1, rows)])
