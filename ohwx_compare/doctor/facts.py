"""What is to be known of one picture of a set, in about 2 kB: its faces, its sharpness, and how it looks in small.

Source of the sharpness: Crete et al., "The blur effect" (SPIE 6492, 2007): what is blurred already changes little when
it is blurred once more.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ohwx_compare.core.buckets import Size
from ohwx_compare.core.geometry import Box

__all__ = ["PictureFacts", "facts_of"]

_SMALL = 24  # px, side of the picture in small
_COLOURS = (8, 3, 3)  # bins of hue, saturation and value
_LONGEST = 512  # px, of the copy that blur and colours are taken of
_BLUR = 9  # px, of the second blur
_WIDE = 1.3  # face heights beside the face that a person's clothes may take


@dataclass(frozen=True, eq=False)
class PictureFacts:
    """One picture; boxes in its own px. `error` says why it could not be read, and nothing else is known then."""

    error: str = ""
    size: Size = (0, 0)
    caption: str = ""
    tokens: int = 0  # of the caption
    faces: tuple[Box, ...] = ()  # the largest first
    blur: float = 0.0  # 0 sharp to 1
    small: np.ndarray | None = None  # (24 * 24,) uint8, grey
    background: np.ndarray | None = None  # shares of colours beside the person, uint8 of 255
    clothes: np.ndarray | None = None  # the same below the face; None without room there

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; `from_dict` gives the same back."""
        arrays = {name: _packed(getattr(self, name)) for name in ("small", "background", "clothes")}
        return {**vars(self), **arrays, "faces": [face.xyxy for face in self.faces]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "PictureFacts":
        """Read what `to_dict` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        arrays = {name: _unpacked(data[name]) for name in ("small", "background", "clothes")}
        faces = tuple(Box(*map(float, box)) for box in data["faces"])
        return cls(**{**data, **arrays, "size": (int(data["size"][0]), int(data["size"][1])), "faces": faces})


def facts_of(image: Image.Image, faces: tuple[Box, ...], caption: str, tokens: int) -> PictureFacts:
    """Look at an RGB picture whose faces are known."""
    ordered = tuple(sorted(faces, key=lambda face: -face.area))
    array = np.asarray(image)
    scale = min(1.0, _LONGEST / max(image.size))
    copy = cv2.resize(array, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else array
    grey = cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY)
    places = _places(image.size, ordered[0] if ordered else None)
    colours = cv2.cvtColor(copy, cv2.COLOR_RGB2HSV)
    background, clothes = (
        _colours(colours, [tuple(int(scale * edge) for edge in box) for box in one]) for one in places
    )
    small = cv2.resize(grey, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA).flatten()
    return PictureFacts("", image.size, caption, tokens, ordered, _blur(grey), small, background, clothes)


def _blur(grey: np.ndarray) -> float:
    """The larger of both directions."""
    worst = 0.0
    for axis in (0, 1):
        kernel = (_BLUR, 1) if axis else (1, _BLUR)  # width, height
        sharp = grey.astype(np.float32)
        soft = cv2.blur(sharp, kernel)
        before, after = np.abs(np.diff(sharp, axis=axis)), np.abs(np.diff(soft, axis=axis))
        total = float(before.sum())
        worst = max(worst, 1 - float(np.maximum(0, before - after).sum()) / total) if total else 1.0
    return round(worst, 4)


def _places(size: Size, face: Box | None) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    """Boxes of the background and of the clothes, px."""
    width, height = size
    if face is None:
        return [(0, 0, width, height)], []
    left, right = face.x1 - _WIDE * face.height, face.x2 + _WIDE * face.height
    beside: list[tuple[float, ...]] = [
        (0, 0, left, height),
        (right, 0, width, height),
        (0, 0, width, face.y1 - 0.5 * face.height),
    ]
    below = face.y2 + 0.5 * face.height
    clothes = (face.x1 - 0.3 * face.width, below, face.x2 + 0.3 * face.width, min(height, below + 1.5 * face.height))
    return beside, [clothes]


def _colours(hsv: np.ndarray, boxes: list[tuple[int, ...]]) -> np.ndarray | None:
    total = np.zeros(_COLOURS, np.float32)
    for x1, y1, x2, y2 in boxes:
        part = hsv[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
        if min(part.shape[:2]) > 1:
            total += cv2.calcHist([np.ascontiguousarray(part)], [0, 1, 2], None, _COLOURS, [0, 180, 0, 256, 0, 256])
    counted = float(total.sum())
    return (
        (total.flatten() * (255 / counted)).astype(np.uint8) if counted >= hsv.shape[0] * hsv.shape[1] / 100 else None
    )


def _packed(array: np.ndarray | None) -> str | None:
    return None if array is None else base64.b64encode(array.tobytes()).decode("ascii")


def _unpacked(text: str | None) -> np.ndarray | None:
    return None if text is None else np.frombuffer(base64.b64decode(text), np.uint8)
