"""Many questions at once: the few that were planned, and a screen of every style."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ohwx_compare.judge.effects import Effect, effect

__all__ = ["FOUND", "LEAST_SEEDS", "Screened", "benjamini_hochberg", "holm", "screen"]

FOUND = 0.10  # of the styles that a screen finds, so many may be false
LEAST_SEEDS = 4  # with 2 a screen finds nothing: 2 % of effects of three seeds' sds, with 4 it finds 74 %


@dataclass(frozen=True)
class Screened:
    """One style in a screen: its own effect over its seeds, exploratory."""

    effect: Effect
    q: float  # adjusted p; found where at most `FOUND`

    @property
    def is_found(self) -> bool:
        """Whether the screen names this style."""
        return self.q <= FOUND


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p of planned contrasts, in their order: one false or more is as rare as the level (1979, SJS 6:65)."""
    order = np.argsort(p)
    steps = np.asarray(p, np.float64)[order] * np.arange(len(p), 0, -1)
    return _back(np.minimum(np.maximum.accumulate(steps), 1.0), order)


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p of a screen, in their order: the share of false ones among those found (1995, JRSS B 57:289)."""
    order = np.argsort(p)
    steps = np.asarray(p, np.float64)[order] * len(p) / np.arange(1, len(p) + 1)
    return _back(np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0), order)


def screen(differences: ArrayLike) -> tuple[Screened | None, ...]:
    """Each of K styles by itself, from (K, M) paired differences, exposures averaged; NaN missing.

    None for a style with fewer than `LEAST_SEEDS` seeds, which is not among those adjusted for.
    """
    rows = [row for row in np.asarray(differences, np.float64)]
    own = [effect(row[None]) if (~np.isnan(row)).sum() >= LEAST_SEEDS else None for row in rows]
    q = iter(benjamini_hochberg([each.p for each in own if each]))
    return tuple(Screened(each, next(q)) if each else None for each in own)


def _back(adjusted: NDArray[np.float64], order: NDArray[np.int64]) -> list[float]:
    found = np.empty_like(adjusted)
    found[order] = adjusted
    return [float(each) for each in found]
