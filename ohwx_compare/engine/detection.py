"""What a detector finds, and what a detector is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from ohwx_compare.core.geometry import Box

__all__ = ["Detection", "Detector"]


@dataclass(frozen=True, eq=False)
class Detection:
    """One face (or whatever the detector was trained on)."""

    box: Box  # px of the picture, inside it; MediaPipe's may reach beyond
    confidence: float  # 0..1
    mask: np.ndarray | None = None  # bool (height, width) of the whole picture; only from segmentation heads
    stretched: np.ndarray | None = None  # uint8 (height, width), the same as ADetailer puts it; see `segments`


class Detector(Protocol):
    """Finds faces in pictures."""

    name: str  # as shown to people: the file's name, or "opencv-frontalface"
    sha256: str  # of the file, lower case hex
    kind: str  # "yolov8", "yolov8-seg", "mediapipe" or "cascade"
    note: str  # what a person should know about this detector; "" if it is the one that was asked for

    def detect(self, images: Sequence[Image.Image], confidence: float) -> list[list[Detection]]:
        """For each picture the detections more certain than `confidence` (0..1), by falling confidence.

        MediaPipe's come in its own order.
        """
        ...
