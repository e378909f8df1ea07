"""Reads the toy world's words back from a picture: style, kind, and every trait of `TRAITS`.

A small convolutional network, trained on true pictures by `tools/toy_reader.py`. It looks twice: at the whole picture,
for style, scene and where the face is, then at the face alone, enlarged, for the words of the person. Its error on
true pictures stands in docs/toy.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from ohwx_compare.core.geometry import Box
from ohwx_compare.models.yolov8 import Bottleneck, Conv
from ohwx_compare.toy.person import TRAITS, Person
from ohwx_compare.toy.styles import STYLES

__all__ = [
    "FACE_FIELDS", "FIELDS", "LIKENESS_FIELDS", "READER_SIDE", "WEIGHTS", "Reader", "ReaderNetwork", "Reading",
    "face_window", "is_visible", "likeness", "load_reader",
]  # fmt: skip

READER_SIDE = 96  # px of the square that the network sees
WEIGHTS = Path(__file__).with_name("data") / "reader.safetensors"

FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"style": STYLES, "kind": ("man", "woman"), **TRAITS})
"""Every field of a reading and its words, in the order of the network's outputs."""

FACE_FIELDS = tuple(field.name for field in fields(Person))
"""The fields that are read from the face: those of `Person`."""

LIKENESS_FIELDS = tuple(name for name in FACE_FIELDS if name != "kind")
"""The fields that likeness is the mean of."""

Reading = Mapping[str, Mapping[str, float]]  # field -> word -> probability; each field's sum to 1

_COLOURED = ("skin", "hair", "eyes", "colour")  # read by their colour alone
_CLOSE = 0.6  # a face taller than this part of the side leaves too little of the clothes in the picture
_BATCH = 64  # pictures at once


def is_visible(field: str, words: Mapping[str, str], *, height: float = 0.5) -> bool:
    """Whether a picture of these words can show `field` at all. Where it cannot, nothing counts: not in training,
    not in a table of errors, not in likeness.

    A pencil sketch has no colours. A bald head without a beard has no hair colour. A close-up (`height` of the face
    over 0.6 of the side) shows no clothes. `words` needs "style", "hairstyle" and "beard"; others are not looked at.
    """
    if field in _COLOURED and words["style"] == "pencil sketch":
        return False
    if field == "hair" and words["hairstyle"] == "bald" and words["beard"] == "none":
        return False
    return not (field in ("garment", "colour") and height > _CLOSE)


def likeness(reading: Reading, person: Person) -> float:
    """How surely a picture shows this person's face: 0 to 1.

    The mean, over skin, hair, hairstyle, beard, eyes, glasses and face shape, of the probability that the reading gives
    to the person's own word. 1 is a picture in which every word is read for certain; a person who shares no word with
    `person` gets about 0, two men drawn by `random_person` about 0.3. Fields that cannot be seen in the picture as
    it is read, or on the person (`is_visible`), are left out. It compares words, not identities: two people of the same
    words are alike by 1.
    """
    own = vars(person)
    shown = {field: max(words, key=words.__getitem__) for field, words in reading.items()}
    seen = [
        name
        for name in LIKENESS_FIELDS
        if is_visible(name, shown) and is_visible(name, {**own, "style": shown["style"]})
    ]
    return sum(reading[name][own[name]] for name in seen) / len(seen)


def face_window(face: Box) -> Box:
    """The square that the face is read from: the box of the face and as much again for hair, ears and chin.

    Square of 1.5 heights (or two widths, if that is more) about a point a little above the middle; may reach outside
    the picture. Same frame as `face`.
    """
    half = max(0.75 * face.height, face.width)
    x, y = (face.x1 + face.x2) / 2, (face.y1 + face.y2) / 2 - 0.1 * half
    return Box(x - half, y - half, x + half, y + half)


class ReaderNetwork(nn.Module):
    """Stride 8, then one glance (a softmax over the 12 x 12 cells) for each field and one for the face's box.

    `x` (B, 3, 96, 96) RGB in 0..1 gives logits (B, 49), the words of all `FIELDS` in a row, and the face's box (B, 4):
    middle x, y, width and height in parts of the side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            Conv(3, 24, 3, 2), Conv(24, 24, 3), Conv(24, 48, 3, 2), Bottleneck(48, True), Conv(48, 64, 3, 2),
            Bottleneck(64, True), Bottleneck(64, True),
        )  # fmt: skip
        of_word = [i for i, words in enumerate(FIELDS.values()) for _ in words]
        self.glance = nn.Conv2d(64, len(FIELDS) + 1, 1)
        self.words = nn.Parameter(torch.zeros(len(of_word), 64))
        self.prior = nn.Parameter(torch.zeros(len(of_word)))
        self.box = nn.Linear(64, 4)
        cells = (torch.arange(12) + 0.5) / 12
        self.register_buffer("of_word", torch.tensor(of_word), persistent=False)
        self.register_buffer("cells", torch.cartesian_prod(cells, cells).flip(1), persistent=False)  # (144, 2) x, y

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x)
        weights = self.glance(features).flatten(2).softmax(2)  # (B, fields + 1, 144)
        seen = weights @ features.flatten(2).transpose(1, 2)  # (B, fields + 1, 64)
        logits = (seen[:, self.of_word] * self.words).sum(2) + self.prior
        middle, size = self.box(seen[:, -1]).split(2, 1)
        return logits, torch.cat([weights[:, -1] @ self.cells + middle, size.exp()], 1)


class Reader:
    """The trained network, for pictures of any size and shape (they are scaled to 96 x 96 px). CPU, float32."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._network = ReaderNetwork().requires_grad_(False).eval()
        self._network.load_state_dict({name: value.float() for name, value in state.items()})

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        """What is in each picture: for every one of `FIELDS` its words' probabilities.

        Those of `FACE_FIELDS` come from a second look, at the face where the first one saw it.
        """
        whole, boxes = self._look([(image, Box(0, 0, *image.size)) for image in images])
        faces = self.read_faces(images, boxes)
        return [{**first, **{n: face[n] for n in FACE_FIELDS}} for first, face in zip(whole, faces, strict=True)]

    def read_faces(self, images: Sequence[Image.Image], boxes: Sequence[Box]) -> list[Reading]:
        """What is inside the face box (px) of each picture: style and `FACE_FIELDS`, read from `face_window`."""
        readings, _ = self._look([(i, face_window(box)) for i, box in zip(images, boxes, strict=True)])
        return [{name: reading[name] for name in ("style", *FACE_FIELDS)} for reading in readings]

    def find(self, images: Sequence[Image.Image]) -> list[Box]:
        """Where the face is in each picture, px, hairline to chin without ears. It always answers: one face each."""
        return self._look([(image, Box(0, 0, *image.size)) for image in images])[1]

    @torch.inference_mode()
    def _look(self, windows: Sequence[tuple[Image.Image, Box]]) -> tuple[list[Reading], list[Box]]:
        """One look through each window: the reading and, in px of the picture, the face's box."""
        readings: list[Reading] = []
        boxes: list[Box] = []
        for start in range(0, len(windows), _BATCH):
            part = windows[start : start + _BATCH]
            pixels = torch.from_numpy(np.stack([_through(image, window) for image, window in part]))
            logits, found = self._network(pixels.permute(0, 3, 1, 2).float() / 255)
            readings += _readings(logits)
            boxes += [_unfolded(box, window) for (_, window), box in zip(part, found.tolist(), strict=True)]
        return readings, boxes


def _through(image: Image.Image, window: Box) -> NDArray[np.uint8]:
    """What the window shows, (96, 96, 3) RGB; beyond the picture its edge goes on."""
    pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    beyond = max(math.ceil(max(-window.x1, -window.y1, window.x2 - width, window.y2 - height)), 0)
    if beyond:
        pixels = cv2.copyMakeBorder(pixels, beyond, beyond, beyond, beyond, cv2.BORDER_REPLICATE)
    part = tuple(edge + beyond for edge in window.xyxy)
    return np.asarray(Image.fromarray(pixels).resize((READER_SIDE, READER_SIDE), Image.Resampling.BILINEAR, part))


def _unfolded(box: Sequence[float], window: Box) -> Box:
    """A box in parts of the window (middle, width, height) in the window's own frame."""
    x, y, width, height = box
    return Box(
        window.x1 + (x - width / 2) * window.width,
        window.y1 + (y - height / 2) * window.height,
        window.x1 + (x + width / 2) * window.width,
        window.y1 + (y + height / 2) * window.height,
    )


def _readings(logits: Tensor) -> list[Reading]:
    """(B, words) to B readings."""
    of_field = logits.double().split([len(words) for words in FIELDS.values()], 1)
    columns = [part.softmax(1).tolist() for part in of_field]
    named = zip(FIELDS.items(), columns, strict=True)
    by_field = [(field, [dict(zip(words, row, strict=True)) for row in rows]) for (field, words), rows in named]
    return [{field: rows[i] for field, rows in by_field} for i in range(len(logits))]


@lru_cache(maxsize=1)
def load_reader() -> Reader:
    """The reader whose weights are part of the package; loaded once."""
    return Reader(load_file(WEIGHTS))
