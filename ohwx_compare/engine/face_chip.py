"""A face turned upright and cut out, as dlib's network was trained on faces.

Written after `get_face_chip_details`, `extract_image_chips` and `pyramid_down<2>` of
https://github.com/davisking/dlib/tree/v19.24, with their rounding.
"""

from math import floor

import cv2
import numpy as np
from numpy.typing import NDArray

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.landmarks import FacePoints, similarity

__all__ = ["CHIP_SIDE", "MEAN_FACE", "face_chip"]

_Pixels = NDArray[np.uint8]  # (H, W, 3) RGB

CHIP_SIDE = 150  # px
_PADDING = 0.25  # of the face's side, on each side
MEAN_FACE = np.array(
    [
        0.8595674595992 + 0.2134981538014j,
        0.6460604764104 + 0.2289674387677j,
        0.1205750620789 + 0.2137274526848j,
        0.3340850613712 + 0.2290642403242j,
        0.4901123135679 + 0.6277975316475j,
    ]
)
"""Where dlib's five points lie in an upright face, x + iy in sides of it: corners of two eyes, below the nose."""

_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32)


def face_chip(pixels: _Pixels, points: FacePoints, side: int = CHIP_SIDE) -> _Pixels:
    """(side, side, 3): the face of these five points upright, black where it leaves the picture.

    Scaled and turned so that the points come nearest to those of the mean face. A face much larger than the chip is
    halved first, as often as it must be, so that no pixel is left out.
    """
    factor, shift = similarity((MEAN_FACE + complex(_PADDING, _PADDING)) / (2 * _PADDING + 1) * side, points)
    scale = abs(factor)
    turn = factor / scale if scale else 1.0
    middle, reach = factor * complex(side / 2, side / 2) + shift, (side * scale - 1) / 2
    rect = Box(middle.real - reach, middle.imag - reach, middle.real + reach, middle.imag + reach)
    halvings, margin = 0, 2
    smaller = _halved(rect)
    while _area(smaller) > side * side:
        smaller, halvings, margin = _halved(smaller), halvings + 1, 2 * margin + 2
    corners = [middle + turn * complex(x, y) for x in (-reach, reach) for y in (-reach, reach)]
    left, top, part = _around(pixels, corners, margin)
    rect = Box(rect.x1 - left, rect.y1 - top, rect.x2 - left, rect.y2 - top)
    for _ in range(halvings):
        part, rect = _half(part), _halved(rect)
    middle = complex(rect.x1 + rect.x2, rect.y1 + rect.y2) / 2
    steps = np.arange(side) / (side - 1) - 0.5
    places = middle + turn * (steps * rect.width + 1j * steps[:, None] * rect.height)
    return _sampled(part, places.astype(np.complex128))


def _halved(rect: Box) -> Box:
    """Where dlib says that a rectangle lies in the picture of half the size."""
    return Box(rect.x1 / 2 - 1.25, rect.y1 / 2 - 0.75, rect.x2 / 2 - 1.25, rect.y2 / 2 - 0.75)


def _area(rect: Box) -> float:
    """In dlib's rectangles the last pixel is inside."""
    return (rect.width + 1) * (rect.height + 1)


def _around(pixels: _Pixels, corners: list[complex], margin: float) -> tuple[int, int, _Pixels]:
    """Left, top and pixels of the part of the picture that holds the corners, and a margin in px."""
    height, width = pixels.shape[:2]
    across, down = [corner.real for corner in corners], [corner.imag for corner in corners]
    left, top = floor(max(min(across) - margin, 0) + 0.5), floor(max(min(down) - margin, 0) + 0.5)
    right, bottom = min(max(across) + margin, width - 1), min(max(down) + margin, height - 1)
    return left, top, pixels[top : max(floor(bottom + 0.5) + 1, 0), left : max(floor(right + 0.5) + 1, 0)]


def _half(pixels: _Pixels) -> _Pixels:
    """Every other pixel behind a 5x5 binomial filter, the border of two left out; nothing of 8 px or less."""
    height, width = pixels.shape[:2]
    if min(height, width) <= 8:
        return pixels[:0, :0]
    smooth = cv2.sepFilter2D(pixels, cv2.CV_32F, _BINOMIAL, _BINOMIAL)  # up to 65,280: exact in float32
    return (smooth[2:-2:2, 2:-2:2][: (height - 3) // 2, : (width - 3) // 2] / 256).astype(np.uint8)


def _sampled(pixels: _Pixels, places: FacePoints) -> _Pixels:
    """The picture at these places (H, W), bilinear and rounded down; black beside the picture."""
    height, width = pixels.shape[:2]
    x, y = np.floor(places.real).astype(np.int64), np.floor(places.imag).astype(np.int64)
    inside = (x >= 0) & (y >= 0) & (x + 1 < width) & (y + 1 < height)
    if not inside.any():
        return np.zeros((*places.shape, 3), np.uint8)
    right, below = (places.real - x)[..., None], (places.imag - y)[..., None]
    flat, at = pixels.reshape(-1, 3), (y * width + x) * inside
    above = (1 - right) * flat.take(at, 0) + right * flat.take(at + 1, 0)
    under = (1 - right) * flat.take(at + width, 0) + right * flat.take(at + width + 1, 0)
    return (((1 - below) * above + below * under) * inside[..., None]).astype(np.uint8)
