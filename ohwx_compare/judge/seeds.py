"""Whether the seeds pull all styles the same way: then the styles cannot tell their luck, and other seeds may differ.

All styles share the same seeds, and a seed that suits one checkpoint may suit it in many styles. The interval over
styles is right for these seeds: "styles like these, with the same seeds". How far other seeds would lead is told where
seeds agree across styles more than chance does in three of four experiments. At 5 % this first test would miss so much
that the second errs (Bancroft 1964, Biometrics 20:427, who takes 25 % for it).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ohwx_compare.judge.effects import Effect, Unit, effect, mean_where
from ohwx_compare.judge.intervals import CONFIDENCE
from ohwx_compare.judge.student import f_tail, quantile, two_sided

__all__ = ["SeedVariance", "other_seeds", "seed_variance"]

_PERHAPS = 0.25  # the F test's level at which other seeds are held too
_ROUNDING = 1e-24  # of a measure in 0..1, squared


@dataclass(frozen=True)
class SeedVariance:
    """The seeds of a two-way layout styles x seeds without repeats (Scheffe 1959, "The analysis of variance", 7.4)."""

    shared: float  # variance of a seed's effect that is the same in all styles, at least 0
    square: float  # mean square of the seeds, in one picture's variance
    rest: float  # of what is left
    seeds: int
    freedom: int  # of the rest
    styles: float  # behind a seed, in the mean

    @property
    def p(self) -> float:
        """The chance of seeds that agree as much across styles where they have nothing in common: the F test."""
        if self.square <= _ROUNDING:  # all alike
            return 1.0
        return f_tail(self.square / max(self.rest, _ROUNDING), self.seeds - 1, self.freedom)

    @property
    def is_visible(self) -> bool:
        """Whether that is 5 % or less."""
        return self.p <= 1 - CONFIDENCE

    @property
    def may_be(self) -> bool:
        """Whether it is little enough that other seeds must be thought of."""
        return self.p <= _PERHAPS


def seed_variance(values: ArrayLike) -> SeedVariance | None:
    """Of (K, M) paired differences, NaN missing; None below two styles and two seeds that are shared.

    Where pictures are missing the mean squares are those of the pictures that are there, about their style's mean.
    """
    layout = np.asarray(values, np.float64)
    layout = layout[~np.isnan(layout).all(1)]
    layout = layout[:, ~np.isnan(layout).all(0)]
    there = ~np.isnan(layout)
    styles, seeds = layout.shape
    freedom = int(there.sum()) - styles - seeds + 1
    if styles < 2 or seeds < 2 or freedom < 1:
        return None
    apart = layout - mean_where(layout, 1)[:, None]
    own = mean_where(apart, 0)
    square = float((there.sum(0) * own**2).sum()) / (seeds - 1)
    rest = float(np.nansum((apart - own) ** 2)) / freedom
    behind = float(there.sum(0).mean())
    return SeedVariance(max(square - rest, 0.0) / behind, square, rest, seeds, freedom, behind)


def other_seeds(values: ArrayLike) -> Effect | None:
    """The effect with an interval that holds other seeds too; None where nothing speaks for seeds that agree.

    values: (K, M) as `effect` takes them. Over styles: the mean's variance is that over styles and the seeds' shared
    one besides, with Satterthwaite's degrees of freedom (1946, Biometrics Bulletin 2:110): the quasi-F of two random
    factors (Clark 1973, J. Verbal Learning 12:335). Of few styles: the seeds' means alone.
    """
    seeds = seed_variance(values)
    if seeds is None or not seeds.may_be:
        return None
    found, each = effect(values), seeds.styles * seeds.seeds
    if found.unit is Unit.STYLE:
        squared = found.error**2 + seeds.shared / seeds.seeds
        parts = (
            (found.error**2, found.freedom),
            (seeds.square / each, seeds.seeds - 1),
            (seeds.rest / each, seeds.freedom),
        )
        freedom = squared**2 / sum(part**2 / own for part, own in parts)
    else:
        squared, freedom = seeds.square / each, seeds.seeds - 1
    error = float(np.sqrt(squared))
    half = quantile((1 + CONFIDENCE) / 2, freedom) * error
    return replace(
        found, low=found.value - half, high=found.value + half, error=error, freedom=freedom,
        p=two_sided(found.value / error, freedom), flips=None,
    )  # fmt: skip
