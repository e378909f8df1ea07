"""A style's own scale of likeness, from what strangers and the person himself get in that style.

0 is the base model's own man in that style, 1 the person's photographs drawn in it by a filter. Where the two cannot be
told apart, nothing can be said of likeness in that style, and nothing is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ohwx_compare.words import counted

__all__ = ["LEAST_APART", "StyleScale", "style_scale"]

LEAST_APART = 0.95
"""The least share of pairs in which the person is nearer than a stranger."""

_LEAST = 2  # distances of either kind: one alone has no spread to be told from


@dataclass(frozen=True, kw_only=True)
class StyleScale:
    """The scale, or in `refusal` why there is none."""

    floor: float  # mean distance of strangers
    ceiling: float  # mean distance of the person
    apart: float  # AUC: the share of pairs (person, stranger) in which the person is nearer, equal ones half
    refusal: str = ""

    def of(self, distance: float) -> float | None:
        """(floor - distance) / (floor - ceiling); above 1 and below 0 too. None where the scale is refused."""
        return None if self.refusal else (self.floor - distance) / (self.floor - self.ceiling)


def style_scale(floor: Sequence[float], ceiling: Sequence[float]) -> StyleScale:
    """The scale of one style. `floor`: distances of the base's "man" of that style, over its seeds; `ceiling`: those
    of the person's photographs through the filter of the style's family (`ceiling_distances`).
    """
    low, high = np.asarray(floor, np.float64), np.asarray(ceiling, np.float64)
    if min(len(low), len(high)) < _LEAST:
        what = "picture of the base's own man" if len(low) < _LEAST else "photograph of the person"
        count = counted(min(len(low), len(high)), what, what.replace(" of", "s of", 1))
        nothing = float("nan")
        refusal = f"{count} with a face in this style, expected {_LEAST} or more"
        return StyleScale(floor=nothing, ceiling=nothing, apart=nothing, refusal=refusal)
    differences = low[:, None] - high[None]
    apart = float((differences > 0).mean() + (differences == 0).mean() / 2)
    refusal = ""
    if apart < LEAST_APART:
        refusal = (
            f"in this style the person is nearer than a stranger in {apart:.0%} of pairs, expected {LEAST_APART:.0%}: "
            "the face network cannot tell them apart here"
        )
    return StyleScale(floor=float(low.mean()), ceiling=float(high.mean()), apart=apart, refusal=refusal)
