"""Likeness at matched style: a checkpoint that ignores the style asked for scores more likeness by construction.

A face net knows a photograph better than a drawing of the same person. So beside the raw effect stands that of the
pairs in which both drew the style asked for. That is conditioning on an outcome: it describes those pairs, of the
styles that have them, and is no effect of the training on all pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.effects import Effect, effect, mean_where

__all__ = ["LEAST_PAIRS", "Matched", "StyleMatch", "match"]

LEAST_PAIRS = 4  # of a style


@dataclass(frozen=True)
class StyleMatch:
    """One style, raw and matched; an effect is None where there are too few pairs or one seed."""

    style: str
    pairs: int  # in which both drew the style
    raw: Effect | None
    matched: Effect | None


@dataclass(frozen=True)
class Matched:
    """All styles, raw and matched."""

    raw: Effect
    matched: Effect | None  # None where no style has pairs enough
    pairs: int  # behind it
    styles: tuple[StyleMatch, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The styles that have fewer than `LEAST_PAIRS` pairs: the matched effect does not speak of them."""
        return tuple(each.style for each in self.styles if each.pairs < LEAST_PAIRS)


def match(styles: Sequence[str], differences: ArrayLike, first_kept: ArrayLike, second_kept: ArrayLike) -> Matched:
    """Match (K, M, E) paired differences of K styles, M seeds, E exposures by whether each of both drew the style.

    Exposures are averaged within a seed, seeds within a style; NaN is missing.
    Raises ExperimentError where not even the raw effect can be told.
    """
    differences = np.asarray(differences, np.float64)
    both = np.asarray(first_kept, bool) & np.asarray(second_kept, bool) & ~np.isnan(differences)
    pairs = both.sum((1, 2))
    enough = pairs >= LEAST_PAIRS
    raw = mean_where(differences, 2)
    alike = mean_where(np.where(both & enough[:, None, None], differences, np.nan), 2)
    return Matched(
        raw=effect(raw),
        matched=_effect(alike),
        pairs=int(pairs[enough].sum()),
        styles=tuple(
            StyleMatch(style, int(pairs[place]), _effect(raw[place, None]), _effect(alike[place, None]))
            for place, style in enumerate(styles)
        ),
    )


def _effect(values: NDArray[np.float64]) -> Effect | None:
    try:
        return effect(values)
    except ExperimentError:  # too few to tell chance by
        return None
