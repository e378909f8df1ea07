"""Colours of one picture given to another: what the webui calls colour correction.

`apply_color_correction` of modules/processing.py, 82a973c, over scikit-image's `match_histograms` (0.21) and the
package blendmodes' luminosity (2022): each channel in L*a*b* is given the other picture's distribution, and the
luminosity is put back.
"""

import cv2
import numpy as np
from PIL import Image

__all__ = ["with_colours_of"]

_WEIGHTS = (0.299, 0.587, 0.114)


def with_colours_of(drawn: Image.Image, model: Image.Image) -> Image.Image:
    """`drawn` (RGB) in the colours of `model` (RGB, any size), with its own luminosity."""
    own, wanted = (cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2LAB) for image in (drawn, model))
    matched = np.stack([_matched(own[..., i], wanted[..., i]) for i in range(3)], axis=-1)
    coloured = cv2.cvtColor(matched, cv2.COLOR_LAB2RGB) / 255.0
    lit = np.clip(_with_luminosity(coloured, _luminosity(np.asarray(drawn) / 255.0)), 0, 1)
    return Image.fromarray((lit * 255).astype(np.uint8))


def _matched(channel: np.ndarray, model: np.ndarray) -> np.ndarray:
    """`channel` (uint8) through the curve that gives it `model`'s cumulated histogram, truncated."""
    counts, wanted = np.bincount(channel.reshape(-1)), np.bincount(model.reshape(-1))
    values = np.nonzero(wanted)[0]
    curve = np.interp(np.cumsum(counts) / channel.size, np.cumsum(wanted[values]) / model.size, values)
    matched: np.ndarray = curve[channel].astype(np.uint8)
    return matched


def _luminosity(colours: np.ndarray) -> np.ndarray:
    red, green, blue = (colours[..., i] * weight for i, weight in enumerate(_WEIGHTS))
    total: np.ndarray = red + green + blue
    return total


def _with_luminosity(colours: np.ndarray, luminosity: np.ndarray) -> np.ndarray:
    """Shifted to it, then pulled towards grey where a channel leaves 0..1."""
    shifted = colours + (luminosity - _luminosity(colours))[..., None]
    grey, low, high = _luminosity(shifted)[..., None], shifted.min(-1, keepdims=True), shifted.max(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        raised = np.where(low < 0, grey + (shifted - grey) * grey / (grey - low), shifted)
        lit: np.ndarray = np.where(high > 1, grey + (raised - grey) * (1 - grey) / (high - grey), raised)
    return lit
