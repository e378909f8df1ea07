"""MediaPipe's face detectors as ADetailer runs them, where the package mediapipe is installed.

They are its `solutions`, which the package no longer has from 0.10.30 on, nor their models. Rules: Bing-su/adetailer
25.3.0, `adetailer/mediapipe.py`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detection import Detection
from ohwx_compare.errors import DetectorError
from ohwx_compare.files.detectors import mediapipe_files

__all__ = ["MediaPipeFaces"]

_MOST_MESHES = 20


class MediaPipeFaces:
    """One of the four, by ADetailer's name for it.

    `..._short` and `..._full` give boxes, which may reach beyond the picture and count so in ratios and areas;
    `..._mesh` gives the hull of a face's landmarks, `..._mesh_eyes_only` of each eye's, and their confidence, which
    nobody tells, is 1. Faces come in MediaPipe's order. Raises DetectorError where the package is not there or has no
    such detectors.
    """

    def __init__(self, name: str):
        files = mediapipe_files(name)
        try:
            from mediapipe import solutions
        except (ImportError, AttributeError, RuntimeError, TypeError) as error:  # TypeError: of protobuf's versions
            raise DetectorError(f"{name} needs the package mediapipe, which cannot be loaded: {error}.") from error
        self._solutions: ModuleType = solutions
        self.name = name
        self.sha256 = hashlib.sha256(b"".join([name.encode(), *(file.read_bytes() for file in files)])).hexdigest()
        self.kind, self.note = "mediapipe", ""

    def __reduce__(self) -> tuple[type["MediaPipeFaces"], tuple[str]]:
        """MediaPipe's own objects cannot be packed."""
        return MediaPipeFaces, (self.name,)

    def detect(self, images: Sequence[Image.Image], confidence: float = 0.3) -> list[list[Detection]]:
        """See `Detector.detect`."""
        find = self._meshes if "_mesh" in self.name else self._boxes
        return find([np.asarray(image.convert("RGB")) for image in images], confidence)

    def _boxes(self, pictures: Sequence[np.ndarray], confidence: float) -> list[list[Detection]]:
        """pictures: uint8 (H, W, 3)."""
        kind = 1 if self.name.endswith("_full") else 0
        detection = self._solutions.face_detection
        with detection.FaceDetection(model_selection=kind, min_detection_confidence=confidence) as found:
            return [[_boxed(face, p.shape) for face in found.process(p).detections or ()] for p in pictures]

    def _meshes(self, pictures: Sequence[np.ndarray], confidence: float) -> list[list[Detection]]:
        """pictures: uint8 (H, W, 3)."""
        mesh = self._solutions.face_mesh
        parts: list[Any] = [slice(None)]
        if self.name.endswith("_eyes_only"):
            eyes = (mesh.FACEMESH_LEFT_EYE, mesh.FACEMESH_RIGHT_EYE)
            parts = [np.array(list(eye)).flatten() for eye in eyes]
        with mesh.FaceMesh(
            static_image_mode=True, max_num_faces=_MOST_MESHES, min_detection_confidence=confidence
        ) as found:
            return [list(_hulls(found.process(p).multi_face_landmarks or (), p.shape, parts)) for p in pictures]


def _boxed(face: Any, shape: tuple[int, ...]) -> Detection:
    height, width, _ = shape
    relative = face.location_data.relative_bounding_box
    x, y = relative.xmin * width, relative.ymin * height
    return Detection(Box(x, y, x + relative.width * width, y + relative.height * height), float(face.score[0]))


def _hulls(faces: Sequence[Any], shape: tuple[int, ...], parts: Sequence[Any]) -> Iterator[Detection]:
    """One detection for each face that has a pixel in the picture. parts: which landmarks each of its hulls is of."""
    height, width, _ = shape
    for face in faces:
        points = np.array([[point.x * width, point.y * height] for point in face.landmark], dtype=int)
        mask = Image.new("L", (width, height))
        for part in parts:
            hull = cv2.convexHull(points[part]).reshape(-1).tolist()
            ImageDraw.Draw(mask).polygon(hull, fill=255)
        if corners := mask.getbbox():
            white = np.array(mask)
            yield Detection(Box(*map(float, corners)), 1.0, white > 0, white)
