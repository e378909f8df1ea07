"""AdamW whose moments are kept in 8 bits: two bytes a parameter in place of eight.

Source: Dettmers et al., 8-bit Optimizers via Block-wise Quantization (arXiv 2110.02861), with bitsandbytes' choices:
256 numbers share one scale, their largest; a number is the nearest of 256 values whose steps grow with their size;
tensors of fewer than 4,096 numbers keep their moments in float32.
https://github.com/bitsandbytes-foundation/bitsandbytes/blob/0.50.2/bitsandbytes/functional.py (create_dynamic_map)
"""

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ohwx_compare.train.learn.optim import AdamW, Bound, Move, State, alongside, norms_of
from ohwx_compare.train.plan.estimate import BLOCK, HOLDS, SMALL

__all__ = ["AdamW8bit", "dequantised", "levels", "quantise_into"]

_EXPONENTS = 7  # powers of ten from 1 down that the values reach


@dataclass(frozen=True, kw_only=True)
class AdamW8bit(AdamW):
    """AdamW, its moments unpacked, moved and packed again at each step."""

    holds: ClassVar[int] = HOLDS["adamw8bit"]

    def start(self, weights: Tensor) -> State:
        """See Rule."""
        size = prod(weights.shape[1:])
        if size < SMALL:
            return super().start(weights)
        blocks = -(-size // BLOCK)
        state = {}
        for name, signed in (("first", True), ("second", False)):
            zero = int((levels(signed) < 0).sum())  # where the value 0 stands
            state[name] = weights.new_full((len(weights), blocks, BLOCK), zero, dtype=torch.uint8)
            state[f"{name}_scale"] = weights.new_zeros((len(weights), blocks), dtype=torch.float32)
        return state

    def move(self, grads: Tensor, state: State, bound: Bound, rate: float, count: int) -> Move:
        """See Rule."""
        if "first_scale" not in state:
            return super().move(grads, state, bound, rate, count)
        factor = bound(norms_of(grads))
        size = prod(grads.shape[1:])
        g = functional.pad(grads.flatten(1), (0, state["first"][0].numel() - size)).view(state["first"].shape)
        g = g.float() if factor is None else g * alongside(factor, g)
        both = {"first": levels(True, g.device), "second": levels(False, g.device)}
        first, second = (dequantised(state[name], state[f"{name}_scale"], code) for name, code in both.items())
        move = self.onward(g, first, second, rate, count)
        del g
        for (name, code), moment in zip(both.items(), (first, second), strict=True):
            quantise_into(moment, code, state[name], state[f"{name}_scale"])
        update = move.update.flatten(1)[:, :size].contiguous().view(grads.shape)
        return Move(update, move.scale, keep=move.keep)


@lru_cache(maxsize=8)
def levels(signed: bool, device: torch.device = torch.device("cpu")) -> Tensor:  # noqa: B008  frozen
    """The 256 values, rising, float32: 0, 1, and evenly spaced ones in each power of ten, more in the larger."""
    values = [0.0, 1.0]
    for power in range(_EXPONENTS):
        count = 2**power if signed else 2 ** (power + 1)
        edges = torch.linspace(0.1, 1, count + 1, dtype=torch.float32)
        middles = (10.0 ** (power - _EXPONENTS + 1) * ((edges[:-1] + edges[1:]) / 2)).tolist()
        values += middles + ([-value for value in middles] if signed else [])
    return torch.tensor(sorted(values), dtype=torch.float32).to(device)


def dequantised(packed: Tensor, scale: Tensor, code: Tensor) -> Tensor:
    """uint8 (n, blocks, BLOCK) and the blocks' scales (n, blocks) -> float32."""
    return code.index_select(0, packed.flatten().int()).view(packed.shape).mul_(scale.unsqueeze(-1))


def quantise_into(values: Tensor, code: Tensor, packed: Tensor, scale: Tensor) -> None:
    """The other way, into `packed` and `scale`: each number becomes the nearest of the 256; uses `values` up."""
    torch.linalg.vector_norm(values, ord=float("inf"), dim=-1, out=scale)
    parts = values.div_(scale.clamp(min=torch.finfo(torch.float32).tiny).unsqueeze(-1))
    packed.copy_(torch.bucketize(parts, (code[:-1] + code[1:]) / 2, out_int32=True))
