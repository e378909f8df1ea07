"""Randomness as a function of its name: a run that is resumed at any step gets the numbers it would have had.

No generator lives longer than one draw, so there is no generator state to save. Draws are made on the CPU, whose
generator gives the same numbers on every machine.
"""

import hashlib

import torch
from torch import Tensor

__all__ = ["generator", "normal", "seed_of", "uniform", "uniform_int"]


def seed_of(*what: int | str) -> int:
    """A 63-bit seed from what it is for: the recipe's seed, a purpose, a step, ..."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, what)).encode("utf-8")).digest()[:8], "little") >> 1


def generator(*what: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one draw."""
    return torch.Generator(device).manual_seed(seed_of(*what))


def normal(shape: tuple[int, ...], *what: int | str) -> Tensor:
    """Standard normal numbers, float32, on the CPU."""
    return torch.randn(shape, generator=generator(*what))


def uniform_int(low: int, high: int, *what: int | str) -> int:
    """One integer in low..high - 1."""
    return int(torch.randint(low, high, (1,), generator=generator(*what)))


def uniform(*what: int | str) -> float:
    """One number in 0..1."""
    return float(torch.rand((), generator=generator(*what)))
