"""Where a face pass drew, and whether its border shows: from the picture before it and the picture after it alone.

A pass changes nothing outside its blurred mask, so the pixels that differ say where it drew. Their outline is cut into
arcs. An arc shows where the pass put a step: a tone that changes as soon as the mask lets it, in place of growing
towards the middle, or an edge along the border that is steeper than what lies on either side of it. What the picture
had there before is no seam.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.core.geometry import Box

__all__ = ["Inpainted", "inpainted"]

_CHANGED = 2  # levels of 255: less is rounding
_LEAST = 64  # px: a smaller speck is no face
_ARCS = 24
_RAMP = 12.0  # px from the border until a mask blur of 4, ADetailer's own, lets most of what was drawn through
_OUTSIDE = 8.0  # px beyond the border that are looked at
_TONE = 6.0  # levels by which a tone must jump
_SUDDEN = 0.5  # of a jump is there within the ramp already
_RESTLESS = 0.5  # of the spread of what was there: on a restless ground a tone must jump by that much
_EDGE = 6.0  # levels from pixel to pixel that the pass must have added along the border
_STEEPER = 1.5  # times what lies beside it

_Floats = NDArray[np.float32]
_Mask = NDArray[np.uint8]  # (H, W), 0 or 1


@dataclass(frozen=True)
class Inpainted:
    """A part of a picture that a pass inpainted."""

    box: Box  # px
    visible: float  # the share of its border that shows, 0..1; NaN where all of it lies on the picture's own edge


def inpainted(before: Image.Image, after: Image.Image) -> list[Inpainted]:
    """The parts of `after` that differ from `before` (both RGB and of one size), the largest first."""
    old, new = (np.asarray(image, np.float32) for image in (before, after))
    changed = (np.abs(new - old).max(2) >= _CHANGED).astype(np.uint8)
    closed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for outline in sorted(outlines, key=cv2.contourArea, reverse=True):
        x, y, width, height = cv2.boundingRect(outline)
        top, left = max(y - round(_OUTSIDE), 0), max(x - round(_OUTSIDE), 0)
        around = slice(top, y + height + round(_OUTSIDE)), slice(left, x + width + round(_OUTSIDE))
        region = np.zeros(old[around].shape[:2], np.uint8)
        cv2.drawContours(region, [outline], 0, 1, cv2.FILLED, offset=(-left, -top))
        if region.sum() >= _LEAST:
            found.append(Inpainted(Box(x, y, x + width, y + height), _visible(old[around], new[around], region)))
    return found


def _visible(old: _Floats, new: _Floats, region: _Mask) -> float:
    """(H, W, 3) before and after, and where it was drawn."""
    border = _Border(region)
    before, after = old.mean(2), new.mean(2)
    has_outside = ~np.isnan(border.mean(-_OUTSIDE, 0, before))
    shows = _tone(border, new - old, before) | _edge(border, before, after)
    return float(shows[has_outside].mean()) if has_outside.any() else float("nan")


class _Border:
    """The border of a region: how deep each pixel lies in it, and on which arc."""

    def __init__(self, region: _Mask) -> None:
        inside, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (region, 1 - region))
        self.depth = np.where(region > 0, inside - 0.5, 0.5 - outside)  # px, positive inside
        self.ramp = float(np.clip(inside.max() / 3, 2, _RAMP))
        rows, columns = np.nonzero(region)
        y, x = np.indices(region.shape)
        turn = np.arctan2(y - rows.mean(), x - columns.mean()) / (2 * np.pi) + 0.5
        self._arc = (turn * _ARCS).astype(np.intp) % _ARCS

    def mean(self, low: float, high: float, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """(A,) of (H, W), or (A, 3) of (H, W, 3): the mean of each arc's pixels that lie so deep; NaN without any."""
        where = (self.depth >= low) & (self.depth < high)
        arc = self._arc[where]
        count = np.bincount(arc, minlength=_ARCS)
        with np.errstate(invalid="ignore"):
            means = [np.bincount(arc, each, minlength=_ARCS) / count for each in np.atleast_2d(values[where].T)]
        return np.stack(means, -1) if values.ndim == 3 else means[0]

    def across(self, light: _Floats) -> NDArray[np.float64]:
        """(H, W): by how much the light changes from pixel to pixel, straight across the border."""
        (down, right), (y, x) = np.gradient(light), np.gradient(self.depth)
        return np.asarray(np.abs(down * y + right * x) / np.maximum(np.hypot(y, x), 1e-6))


def _tone(border: _Border, change: _Floats, before: _Floats) -> NDArray[np.bool_]:
    """Arcs on which the change is there as soon as the mask lets it through, in place of growing towards the middle."""
    within, near, further = (border.mean(low * border.ramp, high * border.ramp, change)
                             for low, high in ((0.5, 1), (1, 1.5), (1.5, 2)))  # fmt: skip
    back = near - (further - near) * 7 / 6  # on a line from 1.75 and 1.25 ramps to two thirds of one, its middle
    largest = np.maximum(np.abs(near), np.abs(further))
    is_sudden = (near * back > 0) & (near * within > 0) & (np.abs(within) >= _SUDDEN * largest)
    jump = np.where(is_sudden, np.minimum(np.abs(near), np.abs(back)), 0).max(1)
    mean, square = (border.mean(-_OUTSIDE, border.ramp, each) for each in (before, before**2))
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return np.asarray(jump >= np.maximum(_TONE, _RESTLESS * spread))


def _edge(border: _Border, before: _Floats, after: _Floats) -> NDArray[np.bool_]:
    """Arcs along which the pass left a line."""
    now = border.across(after)
    there = border.mean(-1, 1, now)
    beside = np.fmax(border.mean(-_OUTSIDE, -3, now), border.mean(3, 8, now))
    added = there - border.mean(-1, 1, border.across(before))
    return np.asarray((added >= _EDGE) & (there >= _STEEPER * beside))
