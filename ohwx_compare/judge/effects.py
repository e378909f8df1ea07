"""One effect from paired differences: what is independent in it, the interval that follows, how surely it has a sign.

The style is the unit (the prompt, where a run has no style axis): seeds of one style are not independent of each other,
so they are averaged inside it, and Student's t is taken over the styles. Fewer than `LEAST_STYLES` styles cannot speak
for others; then the seeds are the unit, and the effect is told of these styles only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.intervals import CONFIDENCE, Estimate
from ohwx_compare.judge.student import quantile, two_sided
from ohwx_compare.words import counted

__all__ = [
    "EXACT",
    "FLIPS",
    "LEAST_STYLES",
    "Effect",
    "Moments",
    "Unit",
    "effect",
    "mean_where",
    "moments",
    "sign_flip",
]

LEAST_STYLES = 6  # of 5, no outcome whatever reaches 5 % by sign flips: 2/2^5 is 6.25 %
EXACT = 15  # units up to which all sign flips are counted
FLIPS = 1999  # drawn beyond

Array = NDArray[np.float64]


class Unit(str, Enum):
    """What was drawn independently: what an effect's chance is the chance of."""

    STYLE = "style"  # styles like these
    SEED = "seed"  # these styles only, other seeds
    TRAINING = "training"  # these styles, other trainings of the same recipe


class Moments(NamedTuple):
    """Means over units of any number of experiments side by side, each field of their shape."""

    mean: Array
    error: Array  # the mean's standard error; 0 where all units are equal, NaN where nothing is left to estimate it by
    freedom: NDArray[np.int64]  # its degrees of freedom
    is_style: NDArray[np.bool_]  # whether the styles are the units


@dataclass(frozen=True, kw_only=True)
class Effect(Estimate):
    """A mean of paired differences (or of plain values) with Student's interval; `n` counts units."""

    unit: Unit
    styles: int  # with at least one value
    missing: int  # styles without any
    error: float  # standard error; 0 where units do not differ: then there is no interval, low = value = high
    freedom: float
    p: float  # two-sided, by Student's t, by sign flips where units do not differ
    flips: float | None  # two-sided, by sign flips; None where the unit is a training, or other seeds are held too

    @property
    def is_even(self) -> bool:
        """Whether the units do not differ (seeds: within each style), so that no interval can be told."""
        return self.error == 0


def effect(values: ArrayLike) -> Effect:
    """The effect behind (K, M) paired differences of K styles and M seeds, of a measure in 0..1; NaN is missing.

    Raises ExperimentError where nothing is left to tell chance by: no pair at all, or one style with one seed.
    """
    values = np.asarray(values, np.float64)
    found = moments(values)
    mean, error, freedom, is_style = float(found.mean), float(found.error), int(found.freedom), bool(found.is_style)
    there = ~np.isnan(values)
    styles = int(there.any(1).sum())
    if np.isnan(error):
        pairs = counted(int(there.sum()), "pair of pictures", "pairs of pictures")
        raise ExperimentError(f"an effect needs two styles or two seeds of one, got {pairs}: generate more seeds")
    if is_style:
        terms = mean_where(values, 1)[there.any(1)] / styles
    else:
        terms = (values / (styles * np.maximum(there.sum(1, keepdims=True), 1)))[there]
    flips = sign_flip(terms)
    half = quantile((1 + CONFIDENCE) / 2, freedom) * error
    return Effect(
        mean, mean - half, mean + half, len(terms),
        unit=Unit.STYLE if is_style else Unit.SEED, styles=styles, missing=len(values) - styles, error=error,
        freedom=freedom, p=two_sided(mean / error, freedom) if error else flips, flips=flips,
    )  # fmt: skip


def moments(values: Array) -> Moments:
    """Means, standard errors and degrees of freedom of (..., K, M) differences; NaN is missing.

    From `LEAST_STYLES` styles with values on, or with one seed each, over style means: K - 1. Below, the mean of the
    style means with the seeds' pooled variance within styles: sum of (seeds - 1). The mean is the same in both.
    """
    seeds = (~np.isnan(values)).sum(-1)  # (..., K)
    style = mean_where(values, -1)
    styles = (seeds > 0).sum(-1)
    mean = mean_where(style, -1)
    within = np.nansum((values - style[..., None]) ** 2, (-1, -2))
    spare = np.maximum(seeds - 1, 0).sum(-1)
    is_style = (styles >= LEAST_STYLES) | ((spare == 0) & (styles > 1))
    freedom = np.where(is_style, styles - 1, spare)
    between = np.nansum((style - mean[..., None]) ** 2, -1)
    share = np.where(seeds > 0, 1 / np.maximum(seeds, 1), 0).sum(-1)  # the mean's variance in those of a seed
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.where(is_style, between / styles, within * share / styles**2) / freedom
    squared = np.where(freedom > 0, squared, np.nan)
    rounding = 1e-12 * (1 + np.abs(mean))
    return Moments(mean, np.where(squared > rounding**2, np.sqrt(squared), 0 * squared), freedom, is_style)


def sign_flip(terms: Sequence[float] | Array) -> float:
    """Two-sided p of a sum whose terms have either sign by chance (Fisher 1935, "The design of experiments", §21).

    Exact over all 2^n signs up to `EXACT` terms; beyond, the share of `FLIPS` draws and the data themselves, the same
    draws each time (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39, eq. 2). Never 0.
    """
    terms = np.asarray(terms, np.float64)
    sums = np.abs(_signs(len(terms)) @ terms)
    return float(np.mean(sums >= abs(terms.sum()) - 1e-12 * np.abs(terms).sum()))


@lru_cache(maxsize=64)
def _signs(n: int) -> Array:
    """Rows of signs (R, n), the first all +1: the data as they are."""
    if n <= EXACT:
        return np.asarray(1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1))
    drawn = np.random.RandomState(n).randint(0, 2, (FLIPS, n))
    return np.asarray(1.0 - 2.0 * np.concatenate([np.zeros((1, n)), drawn]))


def mean_where(values: Array, axis: int | tuple[int, ...]) -> Array:
    """The mean along `axis` of what is not NaN; NaN where nothing is left."""
    count = (~np.isnan(values)).sum(axis)
    return np.where(count > 0, np.nansum(values, axis) / np.maximum(count, 1), np.nan)
