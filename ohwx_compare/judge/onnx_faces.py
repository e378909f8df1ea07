"""Faces as numbers by an ArcFace-type network of the user's own, an ONNX file.

Such a network takes an upright face of 112 px, RGB from -1 to 1, and its answers are compared by their angle (Deng and
others 2019, "ArcFace: additive angular margin loss for deep face recognition", CVPR). Answers are scaled to length 1,
so that distances say the same as angles. `onnxruntime`, an extra of the command line, runs it on the CPU.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.landmarks import FacePoints
from ohwx_compare.errors import MeasureError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.judge.extras import extra_module
from ohwx_compare.judge.weights import FaceNetwork

__all__ = ["OnnxFaces"]

_Pixels = NDArray[np.uint8]  # (H, W, 3) RGB

_EYES = np.array([38.2946 + 51.6963j, 73.5318 + 51.5014j]) / 112  # of ArcFace's mean face, x + iy in sides of the chip
_SAME_PERSON = 1.2  # a cosine of 0.28
_BATCH = 16
_FAULTS = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")


class OnnxFaces:
    """Reads faces that a detector has found."""

    def __init__(self, path: Path, points: Callable[[_Pixels, Box], FacePoints]) -> None:
        """points: dlib's five of the face in a box (`FaceReader.points`).

        Raises MeasureError without onnxruntime, and for a file that is no such network.
        """
        runtime = extra_module("onnxruntime", "onnx")
        state = extra_module("onnxruntime.capi.onnxruntime_pybind11_state", "onnx")
        self._faults: tuple[type[Exception], ...] = (OSError, *(getattr(state, name) for name in _FAULTS))
        self._path, self._points = path, points
        try:
            self._session: Any = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except self._faults as error:
            raise MeasureError(f"{path} cannot be read as an ONNX network: {error}") from error
        self._input, self._side, self._together = self._taken()
        said = self._session.get_modelmeta().custom_metadata_map
        self.network = FaceNetwork(
            name=path.name, sha256=sha256(path), same_person=_SAME_PERSON,
            licence=said.get("license") or said.get("licence") or f"not said by {path.name}",
        )  # fmt: skip

    def __reduce__(self) -> tuple[type["OnnxFaces"], tuple[Any, ...]]:
        """Another process reads the file again, which has to lie there at the same path."""
        return OnnxFaces, (self._path, self._points)

    def read(self, images: Sequence[Image.Image], boxes: Sequence[Box]) -> NDArray[np.float32]:
        """(N, F) of length 1. See `FaceNumbers.read`."""
        chips = []
        for image, box in zip(images, boxes, strict=True):
            pixels = np.asarray(image.convert("RGB"))
            chips.append(_upright(pixels, self._points(pixels, box), self._side))
        if not chips:
            return np.zeros((0, 0), np.float32)
        starts = range(0, len(chips), self._together)
        return np.concatenate([self._answers(np.stack(chips[i : i + self._together])) for i in starts])

    def _answers(self, chips: _Pixels) -> NDArray[np.float32]:
        x = (chips.astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 127.5
        try:
            (said,) = self._session.run(None, {self._input: x})
        except self._faults as error:
            raise MeasureError(f"{self._path.name} cannot read a face of {self._side} px: {error}") from error
        lengths = np.linalg.norm(said, axis=1, keepdims=True)
        return np.asarray(said / np.maximum(lengths, 1e-12), np.float32)

    def _taken(self) -> tuple[str, int, int]:
        """The input's name, a face's side in px, faces at once."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shapes = [one.shape for one in (*inputs, *outputs)]
        fits = [len(inputs), len(outputs)] == [1, 1] and [len(shape) for shape in shapes] == [4, 2]
        if not fits or shapes[0][1] != 3 or not isinstance(shapes[0][2], int) or shapes[0][2] != shapes[0][3]:
            raise MeasureError(
                f"{self._path.name} is not a face network of ArcFace's kind: it goes from {shapes[: len(inputs)]} to "
                f"{shapes[len(inputs) :]}, expected faces (N, 3, 112, 112) to numbers (N, 512), or of other sizes."
            )
        return inputs[0].name, shapes[0][2], 1 if shapes[0][0] == 1 else _BATCH


def _upright(pixels: _Pixels, points: FacePoints, side: int) -> _Pixels:
    """(side, side, 3): the face with its eyes where the mean face has them, black where it leaves the picture."""
    left, right = (points[2] + points[3]) / 2, (points[0] + points[1]) / 2  # as the picture shows them
    if left == right:
        return np.zeros((side, side, 3), np.uint8)
    wanted = _EYES * side
    factor = (wanted[1] - wanted[0]) / (right - left)
    shift = wanted[0] - factor * left
    matrix = np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])
    return np.asarray(cv2.warpAffine(pixels, matrix, (side, side)), np.uint8)
