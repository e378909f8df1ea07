# mypy: disable-error-code="no-untyped-def, untyped-decorator, import-not-found"
"""Adafactor's step on matrices in four Triton kernels, for CUDA: a gradient is read three times, a weight once.

They compute what `Adafactor.move`, `Move.of` and `round_by` do one after the other, with sums in another order. Partial
sums are stored and added, never raced for, so that the same step gives the same bits. Not run on a GPU yet: Triton's
interpreter runs them on the CPU (TRITON_INTERPRET=1; tests/train/test_kernels.py).
"""

from typing import TypeGuard

import torch
from torch import Tensor

from ohwx_compare.train.learn.optim import Adafactor, Bound, Landing, Rule, State

try:
    import triton
    from triton import language as tl
except ImportError:  # the plain way computes the same
    triton = None

__all__ = ["can_move", "move"]

_TILE = (32, 128)  # rows and columns of a matrix that one program has
_TINY = 16  # sides up to this: many matrices a program
_MATRICES = 32  # that many


def can_move(rule: Rule, weight: Tensor) -> TypeGuard[Adafactor]:
    """Whether the kernels are for this rule, this device and this shape."""
    return triton is not None and weight.is_cuda and type(rule) is Adafactor and rule.matrices(weight).ndim > 2


if triton is not None:

    @triton.jit
    def _tile(rows, columns, K: tl.constexpr, BR: tl.constexpr, BC: tl.constexpr):
        """This program's places: matrices (K, 1, 1), rows (1, BR, 1), columns (1, 1, BC), and its place in the grid."""
        pid = tl.program_id(0)
        wide = tl.cdiv(columns, BC)
        high = tl.cdiv(rows, BR)
        c = pid % wide
        r = (pid // wide) % high
        k = pid // (wide * high)
        matrix = (k * K + tl.arange(0, K))[:, None, None].to(tl.int64)
        row = (r * BR + tl.arange(0, BR))[None, :, None]
        column = (c * BC + tl.arange(0, BC))[None, None, :]
        return matrix, row, column, r, c

    @triton.jit
    def _square(g, by_row, by_column, count, rows, columns, K: tl.constexpr, BR: tl.constexpr, BC: tl.constexpr):
        """Sums of squares of a tile's rows, into (tiles across, count, rows), and columns, (tiles down, ...)."""
        matrix, row, column, r, c = _tile(rows, columns, K, BR, BC)
        inside = (matrix < count) & (row < rows) & (column < columns)
        x = tl.load(g + (matrix * rows + row) * columns + column, mask=inside, other=0.0).to(tl.float32)
        x = x * x
        one = tl.sum(x, axis=2)[:, :, None]
        there = (c.to(tl.int64) * count + matrix) * rows + row
        tl.store(by_row + there, one, mask=(matrix < count) & (row < rows))
        one = tl.sum(x, axis=1)[:, None, :]
        there = (r.to(tl.int64) * count + matrix) * columns + column
        tl.store(by_column + there, one, mask=(matrix < count) & (column < columns))

    @triton.jit
    def _learn(
        row, column, by_row, by_column, r_out, c_out, factors, count, each, rows, columns, across, down, news, eps,
        K: tl.constexpr, BR: tl.constexpr, BC: tl.constexpr,
    ):  # fmt: skip
        """Bring rows and columns of whole matrices up to date; what they multiply a gradient by goes into `*_out`."""
        matrix = (tl.program_id(0) * K + tl.arange(0, K)).to(tl.int64)
        known = matrix < count
        factor = tl.load(factors + matrix // each, mask=known, other=1.0)[:, None]
        matrix = matrix[:, None]
        known = known[:, None]
        r = tl.arange(0, BR)[None, :]
        inside = known & (r < rows)
        total = tl.zeros((K, BR), tl.float32)
        for tile in range(across):
            total += tl.load(by_row + (tile * count + matrix) * rows + r, mask=inside, other=0.0)
        old = tl.load(row + matrix * rows + r, mask=inside, other=0.0)
        new = old + news * (total * factor * factor / columns + eps - old)
        tl.store(row + matrix * rows + r, new, mask=inside)
        mean = (tl.sum(tl.where(inside, new, 0.0), axis=1) / rows)[:, None]
        tl.store(r_out + matrix * rows + r, tl.sqrt(mean / new) * factor, mask=inside)
        c = tl.arange(0, BC)[None, :]
        inside = known & (c < columns)
        total = tl.zeros((K, BC), tl.float32)
        for tile in range(down):
            total += tl.load(by_column + (tile * count + matrix) * columns + c, mask=inside, other=0.0)
        old = tl.load(column + matrix * columns + c, mask=inside, other=0.0)
        new = old + news * (total * factor * factor / rows + eps - old)
        tl.store(column + matrix * columns + c, new, mask=inside)
        tl.store(c_out + matrix * columns + c, 1 / tl.sqrt(new), mask=inside)

    @triton.jit
    def _update(g, r_in, c_in, matrix, row, column, inside, rows, columns):
        x = tl.load(g + (matrix * rows + row) * columns + column, mask=inside, other=0.0).to(tl.float32)
        x *= tl.load(r_in + matrix * rows + row, mask=inside, other=0.0)
        return x * tl.load(c_in + matrix * columns + column, mask=inside, other=0.0)

    @triton.jit
    def _measure(g, r_in, c_in, sizes, count, rows, columns, K: tl.constexpr, BR: tl.constexpr, BC: tl.constexpr):
        """The sum of squares of each matrix's update in a tile: (count, tiles of a matrix)."""
        matrix, row, column, r, c = _tile(rows, columns, K, BR, BC)
        inside = (matrix < count) & (row < rows) & (column < columns)
        x = _update(g, r_in, c_in, matrix, row, column, inside, rows, columns)
        one = tl.sum(tl.sum(x * x, axis=2), axis=1)[:, None, None]
        wide = tl.cdiv(columns, BC)
        tiles = wide * tl.cdiv(rows, BR)
        tl.store(sizes + matrix * tiles + r * wide + c, one, mask=matrix < count)

    @triton.jit
    def _land(
        g, r_in, c_in, sizes, weight, master, chance, finite, count, each, rows, columns, pieces, apart, between, rate,
        decay, clip, HAS_MASTER: tl.constexpr, HAS_CHANCE: tl.constexpr, HAS_FINITE: tl.constexpr, K: tl.constexpr,
        BR: tl.constexpr, BC: tl.constexpr,
    ):  # fmt: skip
        """Move the weights of a tile, and round them."""
        matrix, row, column, _, _ = _tile(rows, columns, K, BR, BC)
        inside = (matrix < count) & (row < rows) & (column < columns)
        at = (matrix * rows + row) * columns + column
        x = _update(g, r_in, c_in, matrix, row, column, inside, rows, columns)
        size = tl.load(sizes + matrix // each, mask=matrix < count, other=1.0)
        root = tl.sqrt(size / (each * rows * columns)) / clip
        x *= rate / tl.maximum(root, 1.0)
        held = weight
        if HAS_MASTER:
            held = master
        before = tl.load(held + at, mask=inside, other=0.0).to(tl.float32)
        exact = before - x - decay * before
        if HAS_FINITE:
            moves = tl.load(finite + matrix // each, mask=matrix < count, other=0)
            exact = tl.where(moves != 0, exact, before)
        if HAS_MASTER:
            tl.store(master + at, exact, mask=inside)
        if HAS_CHANCE:
            numbers = each * rows * columns  # of a tensor
            within = at % numbers
            piece = numbers // pieces
            there = (at // numbers) * apart + (within // piece) * between + within % piece
            more = tl.load(chance + there, mask=inside, other=0).to(tl.int32)
            bits = (exact.to(tl.int32, bitcast=True) + 2 * more) & -65536
            exact = bits.to(tl.float32, bitcast=True)
        tl.store(weight + at, exact.to(weight.dtype.element_ty), mask=inside)


def move(rule: Adafactor, grads: Tensor, state: State, bound: Bound, pace: tuple[float, int], landing: Landing) -> None:
    """Move n tensors by their gradients, contiguous (n, ...), at `pace` (rate, number of the step from 1).

    `bound` is asked once, as by `Rule.move`; `state` is brought up to date.
    """
    rate, count = pace
    g = rule.matrices(grads)
    rows, columns = g.shape[-2:]
    matrices, each = g[..., 0, 0].numel(), g[0, ..., 0, 0].numel()
    is_tiny = max(rows, columns) <= _TINY
    k, br, bc = (_MATRICES, _power(rows), _power(columns)) if is_tiny else (1, *_TILE)
    across, down = -(-columns // bc), -(-rows // br)
    by_row, by_column = _empty(g, across, matrices, rows), _empty(g, down, matrices, columns)
    grid, tile = (-(-matrices // k) * across * down,), {"K": k, "BR": br, "BC": bc}
    _square[grid](g, by_row, by_column, matrices, rows, columns, **tile)
    norms = by_row.view(across, len(g), -1).sum((0, 2)).sqrt_()
    factors = bound(norms)
    factors = torch.ones_like(norms) if factors is None else factors.expand(len(g)).contiguous()
    r, c = _empty(g, matrices, rows), _empty(g, matrices, columns)
    whole = {"K": k, "BR": _power(rows), "BC": _power(columns)}
    _learn[(-(-matrices // k),)](
        state["row"], state["column"], by_row, by_column, r, c, factors, matrices, each, rows, columns, across, down,
        count**rule.decay, rule.eps, **whole,
    )  # fmt: skip
    sizes = _empty(g, matrices, across * down)
    _measure[grid](g, r, c, sizes, matrices, rows, columns, **tile)
    chance, weight = landing.chance, landing.weight
    finite = None if landing.finite is None else landing.finite.expand(len(g)).contiguous()
    pieces, apart, between = (1, 0, 0) if chance is None else (chance.shape[1], *chance.stride()[:2])
    _land[grid](
        g, r, c, sizes.view(len(g), -1).sum(1), weight, weight if landing.master is None else landing.master,
        weight if chance is None else chance, weight if finite is None else finite, matrices, each,
        rows, columns, pieces, apart, between, rate, rate * rule.weight_decay, rule.clip,
        HAS_MASTER=landing.master is not None, HAS_CHANCE=chance is not None, HAS_FINITE=finite is not None,
        **tile,
    )  # fmt: skip


def _empty(like: Tensor, *shape: int) -> Tensor:
    return like.new_empty(shape, dtype=torch.float32)


def _power(number: int) -> int:
    return 1 << (number - 1).bit_length()
