"""Colours given from one picture to another."""

import numpy as np
from PIL import Image

from ohwx_compare.files.colours import with_colours_of


def shades(*last) -> Image.Image:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 8, axis=1)
    return Image.fromarray(np.stack([ramp // factor for factor in last], axis=-1))


def test_own_colours_are_kept_and_others_taken_at_the_same_luminosity():
    grey, red = shades(1, 1, 1), shades(1, 4, 4)
    assert np.abs(np.asarray(with_colours_of(grey, grey), dtype=int) - np.asarray(grey)).max() <= 2
    reddened = np.asarray(with_colours_of(grey, red), dtype=int)
    weights = np.array((0.299, 0.587, 0.114))
    assert (reddened[40:160, :, 0] > reddened[40:160, :, 1] + 5).all()
    assert np.abs(reddened @ weights - np.asarray(grey) @ weights).max() <= 2
