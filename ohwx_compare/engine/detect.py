"""Faces in pictures: a YOLOv8 file, MediaPipe's detectors, or the cascade that OpenCV ships, where it is asked for.

`find_detector` looks a detector up by the name an infotext gives it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.named_values import CASCADE, MEDIAPIPE
from ohwx_compare.engine.detection import Detection, Detector
from ohwx_compare.engine.detector_file import read_detector
from ohwx_compare.engine.letterbox import Letterbox
from ohwx_compare.engine.mediapipe_faces import MediaPipeFaces
from ohwx_compare.engine.nms import suppress
from ohwx_compare.engine.segments import picture_mask, stretched_mask
from ohwx_compare.errors import DetectorError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.detectors import detector_file, missing_detector
from ohwx_compare.models.yolov8 import YOLOv8, YOLOv8Output, decode_boxes

__all__ = ["Cascade", "Detection", "Detector", "Found", "Yolo", "find_detector"]

_GREY = 114  # of the letterbox's padding
_BATCH = 8  # pictures at once on a GPU


@dataclass(frozen=True, eq=False)
class Found:
    """The boxes of one picture as the network sees them: in px of the letterbox, unclipped, by falling confidence."""

    letterbox: Letterbox
    boxes: Tensor  # (N, 4) XYXY
    confidences: Tensor  # (N,)
    coefficients: Tensor | None  # (N, M)
    prototypes: Tensor | None  # (M, H/4, W/4)


class Yolo:
    """A YOLOv8 file as a detector: loaded once, float32, all its classes are faces.

    Suppression at IoU 0.7, at most 300 boxes, as ADetailer runs ultralytics 8.3.75. Raises DetectorError for a file
    that is not YOLOv8, UnsafePickleError for one that asks for code.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        file = read_detector(path)
        self.name = path.name
        self.sha256 = sha256(path)
        self.kind = "yolov8-seg" if file.task == "segment" else "yolov8"
        self.note = ""
        self.classes = file.names
        self.size = file.size
        try:
            network = YOLOv8.load(file.state)
        except DetectorError as error:
            raise DetectorError(f"{path.name} is not a YOLOv8 detector: {error}; choose another file.") from error
        self._network = network.to(torch.device(device))
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it

    def detect(self, images: Sequence[Image.Image], confidence: float = 0.3) -> list[list[Detection]]:
        """See `Detector.detect`. Pictures of any mode and size; on a GPU those of one letterboxed size share a batch.

        A CPU gains nothing from batches, and one at a time no answer depends on its neighbours.
        """
        return [list(_detections(found)) for found in self.find(images, confidence)]

    @torch.inference_mode()
    def find(self, images: Sequence[Image.Image], confidence: float) -> list[Found]:
        """The same in the letterbox's frame, one `Found` for each picture."""
        device = next(self._network.parameters()).device
        letterboxes = [Letterbox(*image.size, self.size) for image in images]
        found: dict[int, Found] = {}
        for chunk in _chunks(letterboxes, 1 if device.type == "cpu" else _BATCH):
            pixels = np.stack([_letterboxed(images[i], letterboxes[i]) for i in chunk])  # (B, H, W, 3) uint8
            x = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div_(255)
            with torch.backends.cudnn.flags(allow_tf32=False):
                output = self._network(x)
            found |= {i: _found(output, row, letterboxes[i], confidence) for row, i in enumerate(chunk)}
        return [found[i] for i in range(len(images))]


def _chunks(letterboxes: Sequence[Letterbox], length: int) -> Iterator[list[int]]:
    """Indices of letterboxes of one outer size, at most `length` together."""
    groups: dict[tuple[int, int], list[int]] = {}
    for i, letterbox in enumerate(letterboxes):
        groups.setdefault(letterbox.outer, []).append(i)
    for group in groups.values():
        for start in range(0, len(group), length):
            yield group[start : start + length]


def _letterboxed(image: Image.Image, letterbox: Letterbox) -> np.ndarray:
    """The picture scaled and padded: uint8 (H, W, 3) RGB."""
    pixels = np.asarray(image.convert("RGB"))
    if image.size != letterbox.inner:
        pixels = cv2.resize(pixels, letterbox.inner, interpolation=cv2.INTER_LINEAR)
    left, top, right, bottom = letterbox.padding
    return cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(_GREY,) * 3)


def _found(output: YOLOv8Output, row: int, letterbox: Letterbox, confidence: float) -> Found:
    scores, classes = output.scores[row].sigmoid().max(1)  # (A,)
    cells = (scores > confidence).nonzero()[:, 0]
    boxes = decode_boxes(output.distances[row][cells], cells, letterbox.outer)
    best = suppress(boxes.cpu().numpy(), scores[cells].cpu().numpy(), classes[cells].cpu().numpy())
    kept = torch.from_numpy(best).to(cells.device)
    return Found(
        letterbox=letterbox,
        boxes=boxes[kept],
        confidences=scores[cells[kept]],
        coefficients=None if output.coefficients is None else output.coefficients[row][cells[kept]],
        prototypes=None if output.prototypes is None else output.prototypes[row],
    )


def _detections(found: Found) -> Iterator[Detection]:
    letterbox = found.letterbox
    confidences = found.confidences.tolist()
    for i, (corners, confidence) in enumerate(zip(found.boxes.tolist(), confidences, strict=True)):
        box = letterbox.clip(letterbox.inverse(Box(*corners)))
        mask = stretched = None
        if found.coefficients is not None and found.prototypes is not None:
            segment = found.coefficients[i], found.prototypes
            mask = picture_mask(*segment, box, letterbox)
            stretched = stretched_mask(*segment, Box(*corners), (letterbox.width, letterbox.height))
        yield Detection(box, confidence, mask, stretched)


class Cascade:
    """Viola and Jones' frontal-face cascade as OpenCV ships it, by the name `opencv-frontalface`.

    It finds upright frontal faces of photographs and little else. It says yes or no, so `confidence` is not a network's
    probability: (n + 1) / (n + 2), the rule of succession, for a face on which n >= 5 shifted and scaled windows agree.
    Raises DetectorError where OpenCV comes without its cascades.
    """

    _WINDOWS = 5  # that must agree

    def __init__(self, note: str = "") -> None:
        path = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / "haarcascade_frontalface_default.xml"
        if not path.is_file():
            raise DetectorError(
                "This OpenCV comes without its face cascade; install opencv-python 4, or choose a YOLOv8 file."
            )
        text = path.read_bytes()
        self.name = CASCADE
        self.sha256 = hashlib.sha256(text).hexdigest()
        self.kind = "cascade"
        self.note = note
        self._classifier = cv2.CascadeClassifier()
        # From memory: OpenCV cannot open a path with letters outside the code page on Windows.
        storage = cv2.FileStorage(text.decode("utf-8"), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        self._classifier.read(storage.getFirstTopLevelNode())
        storage.release()

    def __reduce__(self) -> tuple[type["Cascade"], tuple[str]]:
        """OpenCV's own object cannot be packed."""
        return Cascade, (self.note,)

    def detect(self, images: Sequence[Image.Image], confidence: float = 0.3) -> list[list[Detection]]:
        """See `Detector.detect`; no masks."""
        return [self._detect(np.asarray(image.convert("L")), confidence) for image in images]

    def _detect(self, grey: np.ndarray, confidence: float) -> list[Detection]:
        boxes, counts = self._classifier.detectMultiScale2(grey, scaleFactor=1.1, minNeighbors=self._WINDOWS)
        found = [
            Detection(Box(float(x), float(y), float(x + width), float(y + height)), (int(count) + 1) / (int(count) + 2))
            for (x, y, width, height), count in zip(boxes, counts, strict=True)
        ]
        return sorted((d for d in found if d.confidence > confidence), key=lambda d: -d.confidence)


def find_detector(name: str, folders: Sequence[Path], *, device: str = "cpu") -> Detector:
    """The detector an infotext calls `name`: a file (see `files.detectors.detector_file`), or one that needs none.

    Raises DetectorError for a file that cannot be read, for one that is not there, naming those that are, and for
    MediaPipe's where the package is not installed.
    """
    if name == CASCADE:
        return Cascade()
    if name in MEDIAPIPE:
        return MediaPipeFaces(name)
    path = detector_file(name, folders)
    if path is None:
        raise missing_detector(name, folders)
    return Yolo(path, device=device)
