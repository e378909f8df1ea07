"""Quantiles of the beta distribution, so that no package is needed for the one schedule that uses them.

The regularised incomplete beta function by its continued fraction (https://dlmf.nist.gov/8.17.E22), inverted by
bisection.
"""

import math

__all__ = ["beta_quantile"]

_HALVINGS = 60  # of 0..1: to the last bits of a float
_MOST_TERMS = 1000
_TINY = 1e-300


def beta_quantile(q: float, alpha: float, beta: float) -> float:
    """The x in 0..1 below which a share `q` (0..1) of Beta(alpha, beta) lies; alpha and beta are above 0."""
    if q <= 0 or q >= 1:
        return float(q >= 1)
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _share_below(middle, alpha, beta) < q:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _share_below(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on this side only
        return 1 - _share_below(1 - x, b, a)
    if x == 0:
        return 0.0
    log_front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(log_front) / a / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d_1 / (1 + d_2 / (1 + ...)), from the front (Lentz's method)."""
    value = c = 1.0
    d = 0.0
    for n in range(1, _MOST_TERMS):
        m = n // 2
        if n % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
