"""Faces as 128 numbers each, near each other for one person: dlib's landmarks, alignment and network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.face_chip import MEAN_FACE, face_chip
from ohwx_compare.engine.face_net_file import read_face_net
from ohwx_compare.engine.landmarks import FaceFrame, FacePoints, Landmarks
from ohwx_compare.engine.landmarks_file import read_landmarks
from ohwx_compare.errors import MeasureError
from ohwx_compare.models.face import FaceNet

__all__ = ["FaceReader"]

_BATCH = 16  # faces at once


class FaceReader:
    """Reads faces that a detector has found. Float32."""

    def __init__(self, network: FaceNet, landmarks: Landmarks, *, device: str = "cpu") -> None:
        self._network = network.to(torch.device(device))
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self._landmarks = landmarks

    @classmethod
    def load(cls, network: Path, landmarks: Path, *, device: str = "cpu") -> "FaceReader":
        """The reader of two files of dlib's. Raises MeasureError for files that are not theirs."""
        found = read_landmarks(landmarks)
        if (points := len(found.mean) // 2) != len(MEAN_FACE):
            raise MeasureError(f"{landmarks.name} finds {points} points of a face, expected {len(MEAN_FACE)}.")
        return cls(read_face_net(network), found, device=device)

    def read(self, images: Sequence[Image.Image], boxes: Sequence[Box]) -> NDArray[np.float32]:
        """(N, 128): the face in each box, px of the image beside it. An image may come as often as it has faces."""
        chips = []
        for image, box in zip(images, boxes, strict=True):
            pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
            chips.append(face_chip(pixels, self.points(pixels, box), self._network.config.side))
        return self.read_chips(np.stack(chips)) if chips else np.zeros((0, self._network.config.outputs), np.float32)

    def points(self, pixels: NDArray[np.uint8], box: Box) -> FacePoints:
        """The points of the face in `box` of `pixels` (H, W, 3) RGB.

        Detectors draw boxes of many kinds, dlib's landmarks were trained on one. So there are two looks: in the square
        of the box's mean side, then in the square, turned as the face is, that the points of the first look ask for.
        """
        half = (box.width + box.height) / 4
        x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
        first = self._landmarks.find(pixels, FaceFrame.of(Box(x - half, y - half, x + half, y + half)))
        return self._landmarks.find(pixels, self._landmarks.frame(first))

    @torch.inference_mode()
    def read_chips(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 128) of faces cut out already, (N, side, side, 3) RGB."""
        answers, device = [], next(self._network.parameters()).device
        for start in range(0, len(chips), _BATCH):
            x = torch.from_numpy(chips[start : start + _BATCH]).to(device).permute(0, 3, 1, 2).float()
            with torch.backends.cudnn.flags(allow_tf32=False):
                answers.append(self._network(x).cpu().numpy())
        return np.concatenate(answers)
