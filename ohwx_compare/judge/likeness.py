"""Likeness: how far the face of a picture lies from photographs of the person, by dlib's face network or another.

The value is the Euclidean distance of the picture's descriptor to the mean of the photographs' descriptors: less is
more alike. Drawn faces lie far from every photograph, whoever they are, so distances of two styles are not compared;
`style_scale.py` puts each style on a scale of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from PIL import Image

from ohwx_compare.judge.families import StyleFamily, family_of
from ohwx_compare.judge.measure import Asked, MeasureContext, MeasureWords, Score, boxes_text, measure_key
from ohwx_compare.judge.references import FaceSight, References, SeenFace
from ohwx_compare.judge.weights import FACE_LANDMARKS

__all__ = ["NO_FACE", "Likeness", "ceiling_distances"]

NO_FACE = "no face"
"""The outcome of a picture in which the detector found none."""


class Likeness:
    """The measure, against the photographs that a person's checkpoints are judged by.

    held_out: photographs of the person that were not trained on, for the ceiling. strangers: photographs of others, for
    a floor where the base drew nothing. `faces` says beforehand which face of a picture counts: the "largest", or the
    "best", that nearest to the photographs. Details of a score: `nearest` and `nearest_distance` (the photograph
    nearest to the picture; one far nearer than the photographs are to each other is a copy), the face's `box` (px, as
    text) and `confidence`.
    """

    name = "likeness"
    words = MeasureWords(
        title="Likeness to the photographs", subject="likeness", more="more likeness", less="less likeness"
    )
    asked = Asked.SUBJECT
    takes_before = False
    version = 1
    needs: tuple[str, ...] = ("photographs of the person", "a face detector", "a face network and dlib's landmarks")

    def __init__(
        self,
        sight: FaceSight,
        references: References,
        *,
        held_out: References | None = None,
        strangers: References | None = None,
        faces: Literal["largest", "best"] = "largest",
    ) -> None:
        self._sight, self._references, self._faces = sight, references, faces
        self._held_out, self._strangers = held_out, strangers
        self._known: dict[tuple[str, int], Sequence[float]] = {}
        network = sight.network
        self.sha256, self.licence = network.sha256, network.licence
        if network.name:
            self.words = replace(self.words, title=f"{self.words.title}, by {network.name}")
        self.settings: Mapping[str, object] = {
            "network": network.sha256, "landmarks": FACE_LANDMARKS.sha256, "faces": faces,
            "detector": sight.detector.sha256, "confidence": sight.confidence, "photographs": references.sha256,
        }  # fmt: skip
        self.key = measure_key(self.name, self.version, **self.settings)

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """See `PictureMeasure.score`; nothing of the context is needed."""
        seen = self._sight.see(pictures, largest=self._faces == "largest")
        return [self._score(faces) for faces in seen]

    def ceiling(self, style: str) -> Sequence[float] | None:
        """See `DistanceMeasure.ceiling`; by `ceiling_distances`."""
        family = family_of(style)
        return self._drawn(family, self._held_out) if family else None

    def strangers(self, style: str) -> Sequence[float]:
        """See `DistanceMeasure.strangers`; none where no photographs of others were given."""
        family = family_of(style)
        if family is None or self._strangers is None:
            return ()
        return self._drawn(family, self._strangers)

    @property
    def copy_below(self) -> float:
        """A picture nearer to one photograph than any two photographs are to each other may be a copy of it."""
        return self._references.closest

    def _drawn(self, family: StyleFamily, photographs: References | None) -> Sequence[float]:
        known = self._known.get((family.name, id(photographs)))
        if known is None:
            known = ceiling_distances(self._sight, self._references, family, photographs)
            self._known[family.name, id(photographs)] = known
        return known

    def _score(self, faces: Sequence[SeenFace]) -> Score:
        if not faces:
            return Score(None, NO_FACE)
        distance, face = min(
            ((self._references.distance(face.descriptor), face) for face in faces), key=lambda pair: pair[0]
        )
        nearest, nearest_distance = self._references.nearest(face.descriptor)
        details: dict[str, float | str] = {"nearest": nearest, "nearest_distance": nearest_distance}
        return Score(distance, details={**details, "box": boxes_text([face.box]), "confidence": face.confidence})


def ceiling_distances(
    sight: FaceSight, references: References, family: StyleFamily, held_out: References | None = None
) -> list[float]:
    """How far true photographs of the person lie from the references once they are drawn in a style, one each.

    Held-out photographs through the filter of the style's family; without any, each reference against the mean of
    the others, for which two are needed. The face is where it was found before the filter.
    """
    photographs = (held_out or references).faces
    distances = []
    for i, photograph in enumerate(photographs):
        drawn = Image.fromarray(family.draw(photograph.crop))
        descriptor = sight.reader.read([drawn], [photograph.box])[0]
        distances.append(references.distance(descriptor, without=None if held_out else i))
    return distances
