"""Student's t and Fisher's F: how much lies beyond a value, and which value a share lies beyond. Exact, without SciPy.

Student 1908, Biometrika 6:1. Formulas by their numbers in Abramowitz & Stegun, "Handbook of Mathematical Functions"
(1964).
"""

from functools import lru_cache
from math import exp, inf, isinf, lgamma, log

__all__ = ["f_tail", "quantile", "tail", "two_sided"]

_TINY = 1e-300


def tail(t: float, freedom: float) -> float:
    """P(T > t) with f = `freedom` > 0 degrees of freedom: half of I_x(f/2, 1/2) with x = f/(f + t²) (26.7.1)."""
    if t < 0:
        return 1.0 - tail(-t, freedom)
    if isinf(t):
        return 0.0
    whole = freedom + t * t
    return _beta(freedom / whole, t * t / whole, freedom / 2, 0.5) / 2


def two_sided(t: float, freedom: float) -> float:
    """P(|T| > |t|)."""
    return 2.0 * tail(abs(t), freedom)


def f_tail(ratio: float, upper: float, lower: float) -> float:
    """P(F > `ratio`) with degrees of freedom u and d, at least 1: I_x(d/2, u/2) with x = d/(d + u ratio) (26.6.2)."""
    whole = lower + upper * ratio
    return _beta(lower / whole, upper * ratio / whole, lower / 2, upper / 2)


@lru_cache(maxsize=4096)
def quantile(share: float, freedom: float) -> float:
    """The t below which `share` of the distribution lies, 0 < share < 1: bisection of `tail` to the last bit."""
    if share < 0.5:
        return -quantile(1.0 - share, freedom)
    low, high, above = 0.0, 1.0, 1.0 - share
    while tail(high, freedom) > above:
        low, high = high, 2.0 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if tail(middle, freedom) > above else (low, middle)
    return low


def _beta(x: float, y: float, a: float, b: float) -> float:
    """The regularised incomplete beta I_x(a, b), given y = 1 - x too: a continued fraction (26.5.8).

    It converges fast below the mean; above it the other tail is taken (26.5.2). Evaluated by Lentz's method (1976,
    Applied Optics 15:668).
    """
    if x <= 0:
        return 0.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(y, x, b, a)
    front = exp(a * log(x) + b * log(y) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a
    c, d, before = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1)), inf
    product = d
    m = 0
    while abs(product - before) > 1e-16 * abs(product) and m < 10_000:
        m, before = m + 1, product
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1.0 + term / c or _TINY, 1.0 / (1.0 + term * d or _TINY)
            product *= c * d
    return front * product
