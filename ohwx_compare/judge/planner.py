"""How much a comparison could tell, before it is generated: styles before seeds.

Counts of pictures only; what one costs in seconds is `ohwx plan`'s.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.effects import LEAST_STYLES, mean_where
from ohwx_compare.judge.intervals import CONFIDENCE
from ohwx_compare.judge.student import quantile, tail
from ohwx_compare.words import counted

__all__ = ["MOST_STYLES", "POWER", "Design", "Spread", "designs", "detectable", "power", "spread_of"]

POWER = 0.8
MOST_STYLES = 100_000  # nobody draws more
_SEEDS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Spread:
    """Standard deviations of paired differences: of the styles' true effects, and of one seed around its style's."""

    style: float
    seed: float

    def error(self, styles: int, seeds: int) -> float:
        """Standard error of the mean of `styles` style means, `seeds` each."""
        return sqrt((self.style**2 + self.seed**2 / seeds) / styles)


@dataclass(frozen=True)
class Design:
    """A comparison of two arms that detects `difference` in four of five repeats."""

    styles: int
    seeds: int  # of each style
    cells: int  # pictures of each checkpoint
    difference: float


def spread_of(differences: ArrayLike) -> Spread:
    """Both from (K, M) paired differences, NaN missing: the one-way random-effects ANOVA estimates, negative ones as 0.

    Searle, Casella & McCulloch 1992, "Variance components", 3.6; of unequal numbers of seeds the mean of their inverses
    is taken. Raises ExperimentError below two styles with two seeds.
    """
    values = np.asarray(differences, np.float64)
    values = values[~np.isnan(values).all(1)]
    seeds, style = (~np.isnan(values)).sum(1), mean_where(values, 1)
    spare = int((seeds - 1).sum())
    if len(style) < 2 or spare < 1:
        told = f"{counted(len(style), 'style')} and {counted(int(seeds.sum()), 'pair')}"
        raise ExperimentError(f"a plan needs two styles and two seeds, got {told}: generate more first")
    within = float(np.nansum((values - style[:, None]) ** 2)) / spare
    between = float(style.var(ddof=1)) - within * float((1 / seeds).mean())
    return Spread(sqrt(max(between, 0.0)), sqrt(within))


def detectable(error: float, freedom: int) -> float:
    """The least difference that 80 % of repeats find, in that their 95 % interval leaves 0 out.

    Bloom 1995, "Minimum detectable effects", Evaluation Review 19:547.
    """
    return (quantile((1 + CONFIDENCE) / 2, freedom) + quantile(POWER, freedom)) * error


def power(difference: float, error: float, freedom: int) -> float:
    """In what share of repeats the 95 % interval leaves 0 out where the truth is `difference`, by the same formula."""
    return tail(quantile((1 + CONFIDENCE) / 2, freedom) - abs(difference) / error, freedom)


def designs(spread: Spread, difference: float, seeds: Sequence[int] = _SEEDS) -> tuple[Design, ...]:
    """For each number of seeds the fewest styles that detect `difference` > 0, fewest pictures first.

    At equal pictures one seed of more styles always tells at least as much; more seeds are for the screen of single
    styles, which needs 4. Raises ExperimentError where `MOST_STYLES` would not do.
    """
    styles = {each: _styles(spread, difference, each) for each in seeds}
    found = [Design(count, each, count * each, difference) for each, count in styles.items()]
    return tuple(sorted(found, key=lambda one: (one.cells, one.seeds)))


def _styles(spread: Spread, difference: float, seeds: int) -> int:
    candidates = range(LEAST_STYLES, MOST_STYLES + 1)
    place = bisect_left(candidates, True, key=lambda k: detectable(spread.error(k, seeds), k - 1) <= difference)
    if place == len(candidates):
        raise ExperimentError(f"{MOST_STYLES:,} styles do not detect {difference:g}: ask for a larger difference")
    return candidates[place]
