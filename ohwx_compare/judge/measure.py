"""What every measure of a picture is: one small protocol, so that whoever runs measures knows none of them.

A score is kept under the picture and the measure's `key`; a measure of another key has another name's scores, never
these, so numbers of two kinds of weights are not mixed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.core.geometry import Box

__all__ = [
    "LIKENESS", "MEASURED", "STYLE_KEPT", "UNET_CALLS", "Asked", "DistanceMeasure", "MeasureContext", "MeasureWords",
    "PictureMeasure", "Score", "SeedMeasure", "boxes_in", "boxes_text", "measure_key",
]  # fmt: skip

MEASURED = "measured"
"""The outcome of a picture that was measured; any other is a word for why it was not."""

LIKENESS = "likeness"
"""The name of the measure of likeness that a run is judged by, whatever it rests on."""

STYLE_KEPT = "style kept"
"""The name of the measure by which likeness is matched and weighed: from 0.5 on a picture shows the style asked for."""


UNET_CALLS = 8
"""Calls of the base's UNet that the second opinion on style takes for each picture."""


class Asked(str, Enum):
    """Whom a picture was asked to show."""

    SUBJECT = "subject"  # the person: the prompt has his token
    CLASS = "class"  # "a man": the same checkpoint without the token


@dataclass(frozen=True, kw_only=True)
class MeasureWords:
    """How a report speaks of a measure whose values are 0 to 1, or are scaled to that style by style."""

    title: str  # "Likeness to the photographs"
    subject: str  # "likeness"
    more: str  # "more likeness"
    less: str  # "less likeness"
    is_share: bool = False  # yes or no: every value is 0 or 1
    is_aside: bool = False  # told beside the answer, not in its sentence


@dataclass(frozen=True)
class Score:
    """What a measure says of one picture."""

    value: float | None  # in the measure's own unit; None where `outcome` is not "measured", never 0 in its place
    outcome: str = MEASURED  # or "no face", ...
    details: Mapping[str, float | str] = field(default_factory=dict)  # what a report shows beside it


@dataclass(frozen=True, eq=False)
class MeasureContext:
    """What stands beside pictures that are scored together; they are all of one style."""

    style: str = ""  # the value of the style axis, else the prompt
    seeds: Sequence[int] = ()  # one for each picture
    befores: Sequence[Image.Image] = ()  # the picture before its face pass, one for each, or none


class PictureMeasure(Protocol):
    """A number for each picture. Made once for a run, with what it holds pictures against."""

    name: str
    words: MeasureWords
    asked: Asked  # the pictures that it is of
    takes_before: bool  # then it is given only pictures that a face pass made, and those before it with them
    version: int  # raised when the same picture would get another number
    sha256: str  # of its weights, lower case hex; "" without any
    licence: str  # of its weights
    needs: tuple[str, ...]  # what must be given for it, in words: "photographs of the person", ...
    settings: Mapping[str, object]  # JSON: what else decides its numbers
    key: str  # `measure_key` of name, version and settings

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """A score for each picture, in order; any mode and size. Memory holds no more than these pictures need."""
        ...


@runtime_checkable
class DistanceMeasure(PictureMeasure, Protocol):
    """A measure whose values are distances: less is more alike. Each style gets a scale of its own (`StyleScale`)."""

    def ceiling(self, style: str) -> Sequence[float] | None:
        """Distances of the person's photographs drawn in the style; None where no filter stands for the style."""
        ...

    def strangers(self, style: str) -> Sequence[float]:
        """Distances of other people's photographs drawn in the style: the floor where the base drew nothing."""
        ...


@runtime_checkable
class SeedMeasure(PictureMeasure, Protocol):
    """A measure of a style's seeds together: what `score` keeps of a picture becomes a number among the others."""

    def among(self, scores: Sequence[Score]) -> NDArray[np.float64]:
        """(N,) of N measured pictures of one checkpoint and style; NaN for fewer than two. Their mean is the number.

        Its unit is what the base's pictures score on average over styles, else all checkpoints' pictures.
        """
        ...


def measure_key(name: str, version: int, **given: object) -> str:
    """sha256 of all that decides a measure's numbers: 64 hex digits. `given` is JSON: hashes of weights, rules, ..."""
    text = json.dumps({"measure": name, "version": version, **given}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def boxes_text(boxes: Iterable[Box]) -> str:
    """Boxes as a score's details keep them, in whole px: "x1 y1 x2 y2; ..."."""
    return "; ".join(" ".join(f"{edge:.0f}" for edge in box.xyxy) for box in boxes)


def boxes_in(text: object) -> tuple[Box, ...]:
    """The boxes of `boxes_text`; () of anything else."""
    found = [part.split() for part in str(text).split(";")]
    if not all(len(edges) == 4 and all(edge.lstrip("-").isdecimal() for edge in edges) for edges in found):
        return ()
    return tuple(Box(*map(float, edges)) for edges in found)
