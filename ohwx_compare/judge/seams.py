"""Seams of the face pass, a measure: the share of an inpainted face's border that shows."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from PIL import Image

from ohwx_compare.judge.inpainted import inpainted
from ohwx_compare.judge.measure import Asked, MeasureContext, MeasureWords, Score, boxes_text, measure_key

__all__ = ["SEAMS", "Seams"]

SEAMS = "seams"

_OTHER_SIZE = "another size than before its face pass"
_WHOLE = "changed as a whole by its face pass"


class Seams:
    """The measure, of pictures that a face pass changed, held against the picture before it.

    The value is that of the part whose border shows the most, 0..1; 0 where the pass changed nothing. A score's detail
    `boxes` says where it drew, px as text.
    """

    SHOWS: ClassVar[float] = 0.25
    """From this share of its border on a face is said to have a seam."""

    name = SEAMS
    words = MeasureWords(
        title="Seams of the face pass, as a share of a face's border", subject=SEAMS, more="more visible seams",
        less="fewer visible seams", is_aside=True,
    )  # fmt: skip
    asked = Asked.SUBJECT
    takes_before = True
    version = 1
    sha256 = ""
    licence = "none needed"
    needs: tuple[str, ...] = ("pictures before and after a face pass",)
    settings: Mapping[str, object] = {}
    key = measure_key(name, version)

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """See `PictureMeasure.score`."""
        return [self.of(before, after) for before, after in zip(context.befores, pictures, strict=True)]

    def of(self, before: Image.Image, after: Image.Image) -> Score:
        """One picture's; both RGB."""
        if before.size != after.size:
            return Score(None, _OTHER_SIZE)
        parts = inpainted(before, after)
        shares = [part.visible for part in parts if not np.isnan(part.visible)]
        if parts and not shares:
            return Score(None, _WHOLE)
        details = {"boxes": boxes_text(part.box for part in parts)} if parts else {}
        return Score(max(shares, default=0.0), details=details)
