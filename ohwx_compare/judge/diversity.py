"""Diversity over seeds: how much the pictures of one prompt differ, of which an overtrained checkpoint has less.

Each picture is kept as a few squares of colour, so composition, light and colours count and a face's details do not.
The number is the mean difference of two seeds' pictures, as a share of the base's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.judge.measure import Asked, MeasureContext, MeasureWords, Score, measure_key

__all__ = ["DIVERSITY", "Diversity"]

DIVERSITY = "diversity"

_SIDE = 8  # squares
_SQUARES = "squares"  # the detail that holds a picture's colours: 8 x 8 x RGB in hexadecimal digits


class Diversity:
    """The measure. A score's own value is left open, since it takes the other seeds of its style: see `among`."""

    name = DIVERSITY
    words = MeasureWords(
        title="Diversity over seeds, as a share of the base's", subject=DIVERSITY, more="more diversity",
        less="less diversity", is_aside=True,
    )  # fmt: skip
    asked = Asked.SUBJECT
    takes_before = False
    version = 1
    sha256 = ""
    licence = "none needed"
    needs: tuple[str, ...] = ("two seeds of each style",)
    settings: Mapping[str, object] = {"squares": _SIDE}
    key = measure_key(name, version, **settings)

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """See `PictureMeasure.score`; nothing of the context is needed."""
        small = (picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX) for picture in pictures)
        return [Score(None, details={_SQUARES: each.tobytes().hex()}) for each in small]

    def among(self, scores: Sequence[Score]) -> NDArray[np.float64]:
        """See `SeedMeasure.among`: the mean is the mean difference of all pairs, 0 to 1.

        A picture stands in many pairs, so pictures' own means depend on each other; the jackknife's pseudo-values do
        hardly (Arvesen 1969, Ann. Math. Statist. 40:2076). Two pictures are one pair and one value.
        """
        count = len(scores)
        if count < 2:
            return np.full(count, np.nan)
        colours = np.stack([np.frombuffer(bytes.fromhex(str(one.details[_SQUARES])), np.uint8) for one in scores])
        values = colours.astype(np.float64) / 255
        apart = np.sqrt(((values[:, None] - values[None]) ** 2).mean(2))
        own = apart.sum(1) / (count - 1)
        if count == 2:
            return np.array([own[0], np.nan])
        return np.asarray(own.mean() + 2 * (count - 1) / (count - 2) * (own - own.mean()), np.float64)

    def twins(self, scores: Sequence[Score]) -> int:
        """How many of these pictures have the squares of another one."""
        squares = Counter(str(one.details[_SQUARES]) for one in scores)
        return sum(count for count in squares.values() if count > 1)
