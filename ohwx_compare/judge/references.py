"""Photographs of a person as the measures hold pictures against them, and faces as a detector and a reader see them."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detect import Detection, Detector
from ohwx_compare.errors import MeasureError
from ohwx_compare.files.dataset import ReadingRules, load_picture
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.images import pixel_digest
from ohwx_compare.judge.weights import DLIB_FACES, FaceNetwork
from ohwx_compare.words import counted

__all__ = ["CROP_FACE", "FaceNumbers", "FaceSight", "Reference", "References", "SeenFace", "read_references"]

CROP_FACE = 256
"""px: the side of the face in a reference's crop."""

_LONGEST = 2048  # px of a photograph's side; a phone's are shrunk to it
_LEAST_FACE = 16  # px; smaller ones cannot be read
_SECOND = 0.5  # of the largest face's area: as large as this, a second face is said


@dataclass(frozen=True, eq=False)
class SeenFace:
    """A face of a picture."""

    box: Box  # px
    confidence: float  # the detector's, 0..1
    descriptor: NDArray[np.float32]  # (F,)


class FaceNumbers(Protocol):
    """What turns faces into numbers, near each other for one person: `FaceReader`, `OnnxFaces`."""

    def read(self, images: Sequence[Image.Image], boxes: Sequence[Box]) -> NDArray[np.float32]:
        """(N, F): the face in each box, px of the image beside it."""
        ...


class FaceSight:
    """A detector and a reader of what it finds, whose network is named. Faces under 16 px are left out."""

    def __init__(
        self, detector: Detector, reader: FaceNumbers, *, confidence: float = 0.3, network: FaceNetwork = DLIB_FACES
    ) -> None:
        self.detector, self.reader, self.confidence, self.network = detector, reader, confidence, network

    def see(self, images: Sequence[Image.Image], *, largest: bool) -> list[list[SeenFace]]:
        """The faces of each image by falling area: all, or the largest alone. No image's answer depends on another."""
        found = self._found(images)
        chosen = [faces[:1] if largest else faces for faces in found]
        each = [(image, face) for image, faces in zip(images, chosen, strict=True) for face in faces]
        read = iter(self.reader.read([image for image, _ in each], [face.box for _, face in each]))
        return [[SeenFace(face.box, face.confidence, next(read)) for face in faces] for faces in chosen]

    def _found(self, images: Sequence[Image.Image]) -> list[list[Detection]]:
        answers = self.detector.detect(images, self.confidence)
        readable = ([d for d in faces if (d.box.width + d.box.height) / 2 >= _LEAST_FACE] for faces in answers)
        return [sorted(faces, key=lambda face: -face.box.area) for faces in readable]


@dataclass(frozen=True, eq=False)
class Reference:
    """One photograph's face."""

    name: str
    pixels: str  # sha256 of the photograph's size and RGB values as it was read
    descriptor: NDArray[np.float32]  # (F,)
    crop: Image.Image  # around the face, three of its sides wide, the face `CROP_FACE` px large
    box: Box  # of the face in the crop
    is_crowded: bool  # whether another face is at least half as large


@dataclass(frozen=True, eq=False)
class References:
    """Photographs of one person, at least one."""

    faces: tuple[Reference, ...]
    notes: tuple[str, ...] = ()  # which photographs were left out or are odd, a sentence each

    @cached_property
    def descriptors(self) -> NDArray[np.float32]:
        """(N, F)."""
        return np.stack([face.descriptor for face in self.faces])

    @cached_property
    def sha256(self) -> str:
        """Of the photographs in whatever order: 64 hex digits."""
        return hashlib.sha256("".join(sorted(face.pixels for face in self.faces)).encode()).hexdigest()

    @cached_property
    def closest(self) -> float:
        """The least distance between the faces of two photographs; 0 of one alone."""
        if len(self.faces) < 2:
            return 0.0
        apart = np.linalg.norm(self.descriptors[:, None] - self.descriptors[None], axis=2)
        return float(apart[np.triu_indices(len(apart), 1)].min())

    def distance(self, descriptor: NDArray[np.float32], *, without: int | None = None) -> float:
        """To the mean of the photographs' descriptors, one of them left out where asked (of two or more)."""
        others = self.descriptors if without is None else np.delete(self.descriptors, without, 0)
        return float(np.linalg.norm(descriptor - others.mean(0)))

    def nearest(self, descriptor: NDArray[np.float32]) -> tuple[str, float]:
        """The photograph whose face is nearest, and its distance."""
        distances = np.linalg.norm(self.descriptors - descriptor, axis=1)
        index = int(distances.argmin())
        return self.faces[index].name, float(distances[index])


def read_references(
    photographs: Iterable[Path], sight: FaceSight, *, least: int = 2, of_one: bool = True
) -> References:
    """The photographs of a person: files or folders, upright, the largest face of each, one in memory at a time.

    One in which no face is found, or whose face is no other's within the network's `same_person`, is left out with a
    note. Raises ImageError for a file that cannot be read and where there is none, MeasureError without faces, for
    fewer than `least` photographs with one, and where they fall into groups that look like several people. of_one:
    False takes anybody.
    """
    found: list[Reference] = []
    faceless: list[str] = []
    for path in pictures(photographs):
        reference = _reference(path, sight)
        if reference:
            found.append(reference)
        else:
            faceless.append(path.name)
    if not found:
        raise MeasureError(
            f"No face was found in {_listed(faceless)} by {sight.detector.name}; give photographs of the person from "
            "the front, or a YOLOv8 detector."
        )
    notes = [f"No face was found in {_listed(faceless)}."] if faceless else []
    kept = _of_one_person(found, sight.network.same_person) if of_one else found
    if strangers := [face.name for face in found if face not in kept]:
        notes.append(f"Left out, for it looks like nobody else here: {_listed(strangers)}.")
    if crowded := [face.name for face in kept if face.is_crowded]:
        notes.append(f"More than one person is in {_listed(crowded)}; the largest face was taken.")
    if len(kept) < least:
        usable = f"{counted(len(kept), 'photograph')} with a face that can be used"
        raise MeasureError(
            f"{usable} ({_listed([face.name for face in kept])}), expected at least {least} of the person; give more."
        )
    return References(tuple(kept), tuple(notes))


def _reference(path: Path, sight: FaceSight) -> Reference | None:
    """The largest face of a photograph."""
    image = load_picture(path, ReadingRules())
    image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    faces = sight.see([image], largest=False)[0]
    if not faces:
        return None
    box, area = faces[0].box, faces[0].box.area
    crop, inside = _cropped(image, box)
    is_crowded = len(faces) > 1 and faces[1].box.area >= _SECOND * area
    return Reference(path.name, pixel_digest(image), faces[0].descriptor, crop, inside, is_crowded)


def _cropped(image: Image.Image, box: Box) -> tuple[Image.Image, Box]:
    """Three sides of the face around it, black beyond the photograph, scaled until the side is `CROP_FACE` px."""
    side = (box.width + box.height) / 2
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    left, top, whole = round(x - 1.5 * side), round(y - 1.5 * side), round(3 * side)
    size = 3 * CROP_FACE
    crop = image.crop((left, top, left + whole, top + whole)).resize((size, size), Image.Resampling.LANCZOS)
    scale = size / whole
    inside = Box((box.x1 - left) * scale, (box.y1 - top) * scale, (box.x2 - left) * scale, (box.y2 - top) * scale)
    return crop, inside


def _of_one_person(found: Sequence[Reference], same_person: float) -> list[Reference]:
    """Those of the one group of faces that are near each other; single ones beside it are left out.

    Raises MeasureError where another group is more than one photograph, or no group is.
    """
    groups = sorted(_groups(np.stack([face.descriptor for face in found]), same_person), key=len, reverse=True)
    several = [group for group in groups if len(group) > 1]
    if len(several) > 1 or (len(found) > 1 and not several):
        named = "; ".join(_listed([found[i].name for i in group]) for group in groups)
        raise MeasureError(
            f"The photographs look like {len(groups)} people: {named}. Give photographs of one person; a group's faces "
            f"lie within {same_person} of each other."
        )
    return [found[i] for i in sorted(groups[0])]


def _groups(descriptors: NDArray[np.float32], same_person: float) -> Iterator[list[int]]:
    """Indices that hang together by steps of less than `same_person`."""
    near = np.linalg.norm(descriptors[:, None] - descriptors[None], axis=2) < same_person
    left = set(range(len(descriptors)))
    while left:
        group = [left.pop()]
        for member in group:
            joining = [i for i in left if near[member, i]]
            left.difference_update(joining)
            group += joining
        yield group


def _listed(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
