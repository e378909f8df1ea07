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
from ohwx_compare.judge.seeds import seed_variance
from ohwx_compare.judge.student import quantile, tail

__all__ = ["MOST_STYLES", "POWER", "Design", "Spread", "designs", "detectable", "power", "spread_of"]

POWER = 0.8
MOST_STYLES = 100_000  # nobody draws more
_SEEDS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Spread:
    """Standard deviations of paired differences, by where they come from."""

    style: float  # between the styles' true effects
    seed: float  # of one seed around its style's
    shared: float = 0.0  # between the seeds' effects that are the same in all styles

    def error(self, styles: int, seeds: int) -> float:
        """Standard error of the mean over `styles` styles with the same `seeds` seeds each."""
        return sqrt(sum(self._parts(styles, seeds)))

    def freedom(self, styles: int, seeds: int) -> float:
        """Its degrees of freedom (Satterthwaite 1946, Biometrics Bulletin 2:110); 0 for one seed, if seeds share."""
        over_styles, over_seeds = self._parts(styles, seeds)
        if over_seeds == 0:
            return styles - 1
        if seeds == 1:
            return 0
        whole = (over_styles + over_seeds) ** 2
        return whole / (over_styles**2 / (styles - 1) + over_seeds**2 / (seeds - 1))

    def _parts(self, styles: int, seeds: int) -> tuple[float, float]:
        return (self.style**2 + self.seed**2 / seeds) / styles, self.shared**2 / seeds


@dataclass(frozen=True)
class Design:
    """A comparison of two arms that detects `difference` in four of five repeats."""

    styles: int
    seeds: int  # of each style
    cells: int  # pictures of each checkpoint
    difference: float


def spread_of(differences: ArrayLike) -> Spread:
    """All three from (K, M) paired differences, NaN missing: the random-effects ANOVA estimates, negative ones as 0.

    Searle, Casella & McCulloch 1992, "Variance components", 3.6; of unequal numbers of seeds the mean of their inverses
    is taken. What seeds share is 0 unless it is visible (`seed_variance`).
    Raises ExperimentError below two styles with two seeds.
    """
    values = np.asarray(differences, np.float64)
    values = values[~np.isnan(values).all(1)]
    seeds, style = (~np.isnan(values)).sum(1), mean_where(values, 1)
    spare = int((seeds - 1).sum())
    if len(style) < 2 or spare < 1:
        told = f"{len(style)} styles and {int(seeds.sum())} pairs"
        raise ExperimentError(f"a plan needs two styles and two seeds, got {told}: generate more first")
    layout = seed_variance(values)
    shared = layout.shared if layout and layout.is_visible else 0.0
    within = layout.rest if layout and shared else float(np.nansum((values - style[:, None]) ** 2)) / spare
    between = float(style.var(ddof=1)) - within * float((1 / seeds).mean())
    return Spread(sqrt(max(between, 0.0)), sqrt(within), sqrt(shared))


def detectable(error: float, freedom: float) -> float:
    """The least difference that 80 % of repeats find, in that their 95 % interval leaves 0 out.

    Bloom 1995, "Minimum detectable effects", Evaluation Review 19:547.
    """
    return (quantile((1 + CONFIDENCE) / 2, freedom) + quantile(POWER, freedom)) * error


def power(difference: float, error: float, freedom: float) -> float:
    """In what share of repeats the 95 % interval leaves 0 out where the truth is `difference`, by the same formula."""
    return tail(quantile((1 + CONFIDENCE) / 2, freedom) - abs(difference) / error, freedom)


def designs(spread: Spread, difference: float, seeds: Sequence[int] = _SEEDS) -> tuple[Design, ...]:
    """For each number of seeds the fewest styles that detect `difference` > 0, fewest pictures first.

    Where seeds share nothing, one seed of more styles tells at least as much as more seeds of fewer; whether they do,
    only several seeds can show, and the screen of single styles needs 4. A number of seeds with which `MOST_STYLES`
    would not do is left out. Raises ExperimentError where that is every one.
    """
    found = [
        Design(styles, each, styles * each, difference)
        for each in seeds
        if (styles := _styles(spread, difference, each)) <= MOST_STYLES
    ]
    if not found:
        raise ExperimentError(f"{MOST_STYLES:,} styles do not detect {difference:g}: ask for a larger difference")
    return tuple(sorted(found, key=lambda one: (one.cells, one.seeds)))


def _styles(spread: Spread, difference: float, seeds: int) -> int:
    """The fewest that detect it; `MOST_STYLES` + 1 where none do."""

    def detects(styles: int) -> bool:
        freedom = spread.freedom(styles, seeds)
        return freedom > 0 and detectable(spread.error(styles, seeds), freedom) <= difference

    candidates = range(LEAST_STYLES, MOST_STYLES + 1)
    return LEAST_STYLES + bisect_left(candidates, True, key=detects)
