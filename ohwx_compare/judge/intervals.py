"""Estimates with their uncertainty: few pictures say little, and a reader must see how little.

Intervals are of 95 %. They hold the chance of which prompts and seeds were drawn, nothing else: not another training
seed, not another subject, not the error of whoever measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

__all__ = ["RESAMPLES", "Estimate", "mean_of", "resamples", "share_of"]

RESAMPLES = 2000
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
    half = _student(len(data) - 1) * float(data.std(ddof=1)) / sqrt(len(data))
    return Estimate(float(data.mean()), float(data.mean()) - half, float(data.mean()) + half, len(data))


def resamples(n: int) -> np.ndarray:
    """`RESAMPLES` draws of n of n things with replacement: indices (RESAMPLES, n), the same at every call."""
    return np.random.RandomState(n).randint(0, n, (RESAMPLES, n))


def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: Fisher and Cornish's expansion (1960, Technometrics 2:209).

    Within 0.1 % from 5 degrees of freedom on; below it is too small, at 1 by a quarter.
    """
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))
