"""Families of styles with a filter each, that draws a photograph in it: as alike as that style can be.

A filter keeps the face's shape, which a model may change: it says what the face network makes of the style's texture,
not what an artist would draw. A style of no family has no such measure.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["FAMILIES", "StyleFamily", "family_of"]

_Pixels = NDArray[np.uint8]  # (H, W, 3) RGB


@dataclass(frozen=True)
class StyleFamily:
    """Styles that share a filter."""

    name: str
    words: str  # a regular expression that finds the family in a style's name or prompt
    filter: Callable[[_Pixels], _Pixels]

    def draw(self, photograph: Image.Image) -> _Pixels:
        """(H, W, 3): an RGB photograph in this style; strokes are sized for a face of 256 px (`CROP_FACE`)."""
        return self.filter(np.asarray(photograph))


def _same(pixels: _Pixels) -> _Pixels:
    return pixels


def _flattened(pixels: _Pixels, times: int) -> _Pixels:
    """Colours run together, edges stay (Tomasi and Manduchi 1998, bilateral filter)."""
    for _ in range(times):
        pixels = np.asarray(cv2.bilateralFilter(pixels, 9, 40, 9), np.uint8)
    return pixels


def _watercolour(pixels: _Pixels) -> _Pixels:
    """Washes that are flat inside, darker at their edges, pale, with the paper's grain."""
    flat = cv2.medianBlur(_flattened(pixels, 3), 9).astype(np.float32)
    edge = np.abs(flat - cv2.GaussianBlur(flat, (0, 0), 4)).mean(2, keepdims=True)
    grain = np.random.RandomState(0).standard_normal(pixels.shape[:2]).astype(np.float32)
    paper = cv2.GaussianBlur(grain, (0, 0), 1.5)[..., None] * 20
    return np.asarray(np.clip(255 - (255 - flat) * 0.8 - edge + paper, 0, 255), np.uint8)


def _oil(pixels: _Pixels) -> _Pixels:
    """Each pixel the mean of the calmest of four windows at whose corner it lies (Kuwahara 1976)."""
    side, reach = 7, 3
    values = pixels.astype(np.float32)
    mean = cv2.blur(values, (side, side))
    spread = (cv2.blur(values**2, (side, side)) - mean**2).sum(2)
    shifts = [(y, x) for y in (-reach, reach) for x in (-reach, reach)]
    means = np.stack([np.roll(mean, shift, (0, 1)) for shift in shifts])
    spreads = np.stack([np.roll(spread, shift, (0, 1)) for shift in shifts])
    calmest = spreads.argmin(0)[None, ..., None]
    return np.asarray(np.take_along_axis(means, calmest, 0)[0].clip(0, 255), np.uint8)


def _cartoon(pixels: _Pixels) -> _Pixels:
    """Few colours and black lines."""
    flat = cv2.medianBlur(_flattened(pixels, 5), 5)
    grey = cv2.medianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), 7)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 11, 4)
    return np.where(lines[..., None] > 0, np.asarray(flat, np.uint8) // 32 * 32 + 16, 0).astype(np.uint8)


def _strokes(pixels: _Pixels) -> NDArray[np.float32]:
    """(H, W, 1) 0 to 1: what is darker than around it, as pencil on white paper."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) + 1
    around = cv2.GaussianBlur(grey, (0, 0), 8)
    return np.asarray(np.minimum(grey / around, 1)[..., None] ** 1.5, np.float32)


def _coloured_pencil(pixels: _Pixels) -> _Pixels:
    """Pencil strokes over pale colours."""
    colours = 255 - (255 - cv2.GaussianBlur(pixels, (0, 0), 3).astype(np.float32)) * 0.5
    return (colours * _strokes(pixels)).astype(np.uint8)


def _pencil(pixels: _Pixels) -> _Pixels:
    """Dark lines on white, no shading (Winnemöller and others 2012, extended difference of Gaussians)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    lines = cv2.GaussianBlur(grey, (0, 0), 2.5) - 0.98 * cv2.GaussianBlur(grey, (0, 0), 4)
    white = 1 + np.tanh(60 * np.minimum(lines - 0.01, 0))
    return np.asarray((white * 255)[..., None].repeat(3, 2), np.uint8)


def _pixel_art(pixels: _Pixels) -> _Pixels:
    """Squares of 12 px, some 21 across a face, in 16 colours."""
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize((width // 12, height // 12), Image.Resampling.BOX)
    few = small.quantize(16, dither=Image.Dither.NONE).convert("RGB")
    return np.array(few.resize((width, height), Image.Resampling.NEAREST))


FAMILIES = (  # the first whose words are found is a style's family
    StyleFamily("pixel art", r"pixel ?art|\b(8|16)[- ]?bit\b", _pixel_art),
    StyleFamily("coloured pencil", r"colou?red pencil|colou?r pencil|crayon", _coloured_pencil),
    StyleFamily("pencil", r"pencil|charcoal|graphite|\bsketch", _pencil),
    StyleFamily("watercolour", r"water ?colou?r|aquarelle|gouache", _watercolour),
    StyleFamily("oil", r"\boil (paint|on canvas)|impressionis|impasto", _oil),
    StyleFamily("cartoon", r"cartoon|comic|anime|manga|cel[- ]shad", _cartoon),
    StyleFamily("photo", r"\bphoto", _same),
)


def family_of(style: str) -> StyleFamily | None:
    """The family of a style by its name or prompt, whatever its case; None: no filter stands for it."""
    return next((family for family in FAMILIES if re.search(family.words, style, re.IGNORECASE)), None)
