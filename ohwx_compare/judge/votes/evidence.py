"""Evidence that may be looked at after every vote: an e-value, and an interval that holds whenever somebody stops.

Both are of the first vote of each style alone: votes on one style are not independent of each other, and counting them
all names a false winner in up to 29 % (docs/judge.md). Either is a wager whose stake grows by 1 + u x for x = 1, 0, -1
(better, as good, worse), averaged over u = 2 p - 1 with p from Beta(5, 5). Where nobody is preferred no wager gains on
average, so it ever reaches 20 with a chance of at most 1 in 20 (Ville 1939; Grünwald, de Heide & Koolen 2024, JRSS B
86:1091).
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp, lgamma, log

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.judge.intervals import CONFIDENCE, Estimate

__all__ = ["ENOUGH", "anytime_interval", "evidence"]

ENOUGH = 1 / (1 - CONFIDENCE)  # the e-value at which a vote may end: 20
_SHAPE = 5  # of the Beta distribution: most of the wager lies on preferences of 60 to 75 %
_MEANS = np.linspace(-1, 1, 101)  # means among which an interval's ends are looked for


def evidence(wins: int, losses: int) -> float:
    """The e-value of `wins` against `losses`; the same and both bad change nothing. 1 before the first vote."""
    return exp(_betaln(_SHAPE + wins, _SHAPE + losses) - _betaln(_SHAPE, _SHAPE) + (wins + losses) * log(2))


@lru_cache(maxsize=65536)
def anytime_interval(wins: int, ties: int, losses: int) -> Estimate:
    """The mean of votes of 1, 0 and -1 with a 95 % interval that holds at whatever vote somebody stops.

    It is every mean m against which the same wager, 1 + u (x - m) / (1 + m) for u > 0 and / (1 - m) for u < 0, did not
    reach 20 (Waudby-Smith & Ramdas 2024, JRSS B 86:1). At m = 0 it is `evidence`: the interval leaves 0 out where that
    reached 20. At least one vote.
    """
    value = (wins - losses) / (n := wins + ties + losses)
    counts = ((1.0, wins), (0.0, ties), (-1.0, losses))
    left = _MEANS[_stakes(_MEANS, counts) < ENOUGH]
    low, high = (float(min(left, default=value)), float(max(left, default=value)))
    step = float(_MEANS[1] - _MEANS[0])
    return Estimate(value, _end(low, low - step, counts), _end(high, high + step, counts), n)


def _stakes(means: NDArray[np.float64], counts: Sequence[tuple[float, int]]) -> NDArray[np.float64]:
    """What the wager against each of `means` has become."""
    u, weights = _wagers()
    m = means[:, None]
    stake = np.where(u > 0, u / np.maximum(1 + m, 1e-12), u / np.maximum(1 - m, 1e-12))
    grown = np.zeros_like(stake)
    with np.errstate(divide="ignore"):
        for x, count in counts:
            if count:
                grown += count * np.log(np.maximum(1 + stake * (x - m), 0))
    return np.asarray(np.exp(np.minimum(grown, 700)) @ weights)


def _end(inside: float, outside: float, counts: Sequence[tuple[float, int]]) -> float:
    """Where the interval ends between a mean that is in it and one that is not, unless that is no mean at all."""
    if abs(outside) > 1:
        return inside
    for _ in range(20):
        middle = (inside + outside) / 2
        is_in = _stakes(np.array([middle]), counts)[0] < ENOUGH
        inside, outside = (middle, outside) if is_in else (inside, middle)
    return inside


@lru_cache(maxsize=1)
def _wagers() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values of u and their weights, which sum to 1: whatever the number of points, it is a wager."""
    points, weights = np.polynomial.legendre.leggauss(32)
    u = (points + 1) / 2
    density = weights * (1 - u**2) ** (_SHAPE - 1)
    share = density / density.sum() / 2
    return np.concatenate([u, -u]), np.concatenate([share, share])


def _betaln(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
