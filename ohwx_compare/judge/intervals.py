"""Estimates with their uncertainty: few pictures say little, and a reader must see how little.

Intervals are of 95 %. They hold the chance of whatever was drawn as a unit, nothing else: not another subject, not the
error of whoever measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from ohwx_compare.judge.student import quantile

__all__ = ["CONFIDENCE", "Estimate", "mean_of", "share_of"]

CONFIDENCE = 0.95
_Z = 1.959964  # 97.5 % of the normal distribution


@dataclass(frozen=True)
class Estimate:
    """A value, its 95 % interval and the number of independent things behind it."""

    value: float
    low: float
    high: float
    n: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out; of a difference: whether it has a sign."""
        return self.low > 0 or self.high < 0


def share_of(hits: int, n: int) -> Estimate:
    """A share of `n` yes-or-no answers with Wilson's interval (1927, JASA 22:209); n at least 1."""
    share, z2 = hits / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0), n)


def mean_of(values: Sequence[float]) -> Estimate:
    """The mean of at least 2 independent values with Student's interval (1908, Biometrika 6:1)."""
    data = np.asarray(values, np.float64)
    half = quantile((1 + CONFIDENCE) / 2, len(data) - 1) * float(data.std(ddof=1)) / sqrt(len(data))
    return Estimate(float(data.mean()), float(data.mean()) - half, float(data.mean()) + half, len(data))
