"""The styles of the toy world: the same outlines as a photograph, anime, pixel art, watercolour, sketch, 3D render.

Each painter takes the layers back to front and returns the picture, (height, width, 3) float32, 0 to 1. Chance comes
from NumPy's frozen RandomState, so a picture is a function of its parameters and seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from ohwx_compare.toy.shapes import Outlines

__all__ = ["EYES", "PHOTO", "STYLES", "Layer", "layers_of", "paint"]

Pixels = NDArray[np.float32]  # (height, width, 3), 0 to 1
Painted = np.ndarray  # the same in any float dtype, before it is clipped
Mask = NDArray[np.float32]  # (height, width), 0 to 1
_LIGHT = np.array((-0.5, -0.6, 0.62), np.float32)  # towards the lamp: x right, y down, z to the viewer
_SUBPIXEL = 4  # bits of fixed point in OpenCV's coordinates


@dataclass(frozen=True)
class Layer:
    """A shape on the pixel grid: the part of the picture that it can change, and how much of each pixel it covers."""

    shape: Outlines
    window: tuple[slice, slice]  # rows, columns
    mask: Mask  # of that window
    is_back: bool  # part of the scene behind the person

    @property
    def reach(self) -> float:
        """How far its bulge is felt, px: a part of the side of a square as large as the shape."""
        return max(float(np.sqrt(self.mask.sum())) / 5, 1.0)


def layers_of(shapes: Sequence[Outlines], size: int, *, behind: int) -> list[Layer]:
    """Rasterise `shapes` on size x size px; the first `behind` of them are the scene."""
    return [_rasterised(shape, size, i < behind) for i, shape in enumerate(shapes)]


def paint(layers: Sequence[Layer], style: str, size: int, seed: int) -> Pixels:
    """Paint in one of `STYLES`. Raises KeyError for another style."""
    picture = _PAINTERS[style](layers, size, np.random.RandomState(seed & 0xFFFFFFFF))
    return np.clip(picture, 0, 1).astype(np.float32)


def _photo(layers: Sequence[Layer], size: int, random: np.random.RandomState) -> Painted:
    back = _blur(_compose([layer for layer in layers if layer.is_back], size, _lit), 0.012 * size)
    picture = _compose([layer for layer in layers if not layer.is_back], size, _lit, back)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    picture = _blur(picture, 0.003 * size) * (1.04 - 0.16 * (x**2 + y**2))[..., None]
    grain = random.standard_normal((size, size, 1)) * 0.025
    return picture * (1.02, 1.0, 0.95) + grain


def _anime(layers: Sequence[Layer], size: int, _: np.random.RandomState) -> Painted:
    def cel(layer: Layer) -> Pixels:
        shadow = (_light(layer) < 0.62)[..., None] if layer.shape.round else 0
        return _vivid(layer.shape.colour, 1.35) * (1 - 0.22 * shadow)

    return _inked(layers, size, cel, width=0.011)


def _pixel_art(layers: Sequence[Layer], size: int, _: np.random.RandomState) -> Painted:
    def flat(layer: Layer) -> Pixels:
        shadow = (_light(layer) < 0.6)[..., None] if layer.shape.round else 0
        return np.asarray(layer.shape.colour, np.float32) * (1 - 0.25 * shadow)

    picture = _inked(layers, size, flat, width=0.01)
    small = cv2.resize(picture.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
    small = np.round(small * 5) / 5
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_NEAREST)


def _watercolour(layers: Sequence[Layer], size: int, random: np.random.RandomState) -> Painted:
    wash = 0.75 + 0.35 * _clouds(random, size, 0.06)

    def pigment(layer: Layer) -> Pixels:
        edge = (
            np.clip(layer.mask - _blur(layer.mask, 0.012 * size), 0, 1) * 1.3
        )  # it gathers where the paper dries last
        strength = np.clip(0.62 * wash[layer.window] + edge, 0, 1)[..., None]
        return 1 - (1 - np.asarray(layer.shape.colour, np.float32)) * strength

    picture = _compose(layers, size, pigment, np.ones((size, size, 3), np.float32))
    picture = _warp(picture, random, 0.012 * size)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    border = np.maximum(np.abs(x), np.abs(y)) + 0.1 * _clouds(random, size, 0.05)
    paper = np.clip((border - 0.9) / 0.06, 0, 1)[..., None]
    return picture * (1 - paper) + 0.97 * paper + 0.02 * _clouds(random, size, 0.008)[..., None]


def _sketch(layers: Sequence[Layer], size: int, random: np.random.RandomState) -> Painted:
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    bend = 0.01 * _clouds(random, size, 0.1)
    hatch = 0.5 + 0.5 * np.sin((x + y + bend) * 2 * np.pi * 34)

    def strokes(layer: Layer) -> Pixels:
        tone = float(np.dot(layer.shape.colour, (0.3, 0.59, 0.11))) * (0.55 if layer.is_back else 1)
        ink = hatch[layer.window] < (1 - tone * _light(layer)) * 0.85
        return np.repeat((1 - 0.55 * ink * (0.4 if layer.is_back else 1))[..., None], 3, axis=2)

    picture = _blur(_inked(layers, size, strokes, width=0.009), 0.002 * size)
    grain = 1 - 0.06 * np.abs(random.standard_normal((size, size, 1)))
    return (0.1 + 0.88 * picture) * grain


def _render(layers: Sequence[Layer], size: int, _: np.random.RandomState) -> Painted:
    def plastic(layer: Layer) -> Pixels:
        colour = _vivid(layer.shape.colour, 1.25)
        if not layer.shape.round:
            return colour
        light = _light(layer)[..., None]
        return colour * (0.35 + 0.85 * light) + 0.75 * np.clip(light - 0.88, 0, 1) / 0.12 * 0.6

    back = _blur(_compose([layer for layer in layers if layer.is_back], size, plastic), 0.04 * size)
    front = [layer for layer in layers if not layer.is_back]
    shadow = np.zeros((size, size), np.float32)
    for layer in front:
        shadow[layer.window] = np.maximum(shadow[layer.window], layer.mask)
    lower = np.array([[1, 0, 0.03 * size], [0, 1, 0.03 * size]], np.float32)
    moved = cv2.warpAffine(_blur(shadow, 0.035 * size), lower, (size, size), borderMode=cv2.BORDER_REPLICATE)[..., None]
    return _compose(front, size, plastic, (0.25 + 0.75 * back) * (1 - 0.45 * moved))


_PAINTERS: Mapping[str, Callable[[Sequence[Layer], int, np.random.RandomState], Painted]] = MappingProxyType({
    "photo": _photo,
    "anime": _anime,
    "pixel art": _pixel_art,
    "watercolor": _watercolour,
    "pencil sketch": _sketch,
    "3d render": _render,
})  # fmt: skip

STYLES = tuple(_PAINTERS)
"""The styles, "photo" first."""

PHOTO = STYLES[0]
"""The style that training pictures are of."""

EYES: Mapping[str, float] = MappingProxyType({"anime": 1.5, "3d render": 1.3, "pixel art": 1.25})
"""How large a style draws the eyes, where not as in a photograph."""


def _compose(layers: Sequence[Layer], size: int, colour: Callable[[Layer], Pixels], on: Pixels | None = None) -> Pixels:
    picture = np.zeros((size, size, 3), np.float32) if on is None else on.astype(np.float32)
    for layer in layers:
        _lay(picture, layer, layer.mask, colour(layer))
    return picture


def _lay(picture: Pixels, layer: Layer, mask: Mask, colour: Pixels | float) -> None:
    part, mask = picture[layer.window], mask[..., None]
    picture[layer.window] = part * (1 - mask) + colour * mask


def _inked(layers: Sequence[Layer], size: int, colour: Callable[[Layer], Pixels], *, width: float) -> Pixels:
    """Fill every layer and draw its outline, `width` of the side wide; finer round small things and in the distance."""
    picture = np.ones((size, size, 3), np.float32)
    for layer in layers:
        fine = min(layer.reach / (0.03 * size), 1.0) * (0.5 if layer.is_back else 1.0)
        line = max(round(width * size * fine), 1)
        grown = cv2.dilate(layer.mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * line + 1, 2 * line + 1)))
        _lay(picture, layer, layer.mask, colour(layer))
        _lay(picture, layer, np.clip(grown - layer.mask, 0, 1) * min(0.5 + fine, 1.0), 0.1)
    return picture


def _lit(layer: Layer) -> Pixels:
    return np.asarray(layer.shape.colour, np.float32) * (0.6 + 0.5 * _light(layer))[..., None]


def _light(layer: Layer) -> Mask:
    """How much light falls on each pixel, 0 to 1, as if the shape bulged; 0.8 on what is flat."""
    if not layer.shape.round:
        return np.full(layer.mask.shape, 0.8, np.float32)
    height = _blur(layer.mask, layer.reach) * layer.reach * 2.2 * layer.shape.round
    down, right = np.gradient(height)
    length = np.sqrt(1 + down**2 + right**2)
    light = (-right * _LIGHT[0] - down * _LIGHT[1] + _LIGHT[2]) / (length * np.linalg.norm(_LIGHT))
    return np.clip(0.25 + 0.85 * light, 0, 1).astype(np.float32)


def _vivid(colour: tuple[float, float, float], by: float) -> Pixels:
    value = np.asarray(colour, np.float32)
    grey = value.mean()
    return np.clip(grey + (value - grey) * by, 0, 1)


def _rasterised(shape: Outlines, size: int, is_back: bool) -> Layer:
    mask = np.zeros((size, size), np.uint8)
    fixed = [np.round((points * size - 0.5) * 2**_SUBPIXEL).astype(np.int32) for points in shape.outlines]
    cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, _SUBPIXEL)
    x, y, width, height = cv2.boundingRect(mask)
    margin = round(0.04 * size + 0.6 * np.sqrt(width * height))  # three sigmas of its bulge
    rows, columns = (slice(max(at - margin, 0), at + length + margin) for at, length in ((y, height), (x, width)))
    return Layer(shape, (rows, columns), mask[rows, columns].astype(np.float32) / np.float32(255), is_back)


def _blur(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), max(sigma, 0.3)), np.float32)


def _clouds(random: np.random.RandomState, size: int, grain: float) -> Mask:
    """Smooth noise, about -1 to 1; `grain` is its coarseness in parts of the side."""
    noise = _blur(random.standard_normal((size, size)).astype(np.float32), grain * size)
    return np.clip(noise / (3 * noise.std() + 1e-6) * 1.5, -1, 1)


def _warp(picture: Pixels, random: np.random.RandomState, by: float) -> Pixels:
    size = picture.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    right, down = (by * _clouds(random, size, 0.07) for _ in range(2))
    warped = cv2.remap(picture, x + right, y + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, np.float32)
