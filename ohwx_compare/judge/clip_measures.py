"""What CLIP says of pictures, told beside the answer: CLIP-I, CLIP-T, and style descriptors (CSD).

CLIP-I and CLIP-T are those of DreamBooth's paper (Ruiz and others 2023, section 4.1): the mean cosine between a picture
and the person's photographs, and between a picture and its prompt. Cosines of two styles do not compare, so each style
has a scale of its own, from the base's pictures.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.clip_sight import ClipSight, PictureSight
from ohwx_compare.judge.families import family_of
from ohwx_compare.judge.measure import Asked, MeasureContext, MeasureWords, Score, measure_key
from ohwx_compare.judge.style_ends import StyleControl, StyleEnds, loaded
from ohwx_compare.judge.style_kept import PHOTOGRAPH, is_photo_style

__all__ = ["ClipPhotographs", "ClipStyle", "clip_style", "clip_text"]

_Numbers = NDArray[np.float64]  # (N, F) rows of length 1
_LONGEST = 768  # px of a photograph: three faces of the size that filters are made for
_LEAST = 2


class ClipPhotographs:
    """CLIP-I: 1 less the mean cosine to the person's photographs; a distance, so less is more alike.

    It sees whole pictures, dress and place too. Ceiling: each photograph in the style against the others as they are.
    """

    name = "CLIP-I"
    words = MeasureWords(
        title="CLIP-I, whole pictures against the photographs", subject="CLIP-I", more="more alike by CLIP-I",
        less="less alike by CLIP-I", is_aside=True,
    )  # fmt: skip
    asked = Asked.SUBJECT
    takes_before = False
    version = 1
    needs: tuple[str, ...] = ("photographs of the person", "CLIP weights")

    def __init__(self, sight: ClipSight, photographs: Sequence[Path]) -> None:
        """Raises MeasureError for fewer than two photographs, ImageError for one that cannot be read."""
        if len(photographs) < _LEAST:
            raise MeasureError(f"CLIP-I needs {_LEAST} photographs of the person or more, got {len(photographs)}.")
        self._sight, self._photographs = sight, photographs
        self.sha256, self.licence = sight.sha256, sight.licence
        digests: list[str] = []
        self._seen = np.concatenate([sight.pictures([loaded(path, digests)]) for path in photographs])
        self._ceilings: dict[str, list[float]] = {}
        self.settings: Mapping[str, object] = {
            "weights": sight.sha256, "model": sight.model, "photographs": _told(digests),
        }  # fmt: skip
        self.key = measure_key(self.name, self.version, **self.settings)

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """See `PictureMeasure.score`; nothing of the context is needed."""
        return [Score(float(1 - mean)) for mean in (self._sight.pictures(pictures) @ self._seen.T).mean(1)]

    def ceiling(self, style: str) -> Sequence[float] | None:
        """See `DistanceMeasure.ceiling`."""
        family = family_of(style)
        if family is None:
            return None
        if family.name not in self._ceilings:
            found = []
            for place, path in enumerate(self._photographs):
                image = loaded(path, [])
                image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
                drawn = self._sight.pictures([Image.fromarray(family.draw(image))])[0]
                found.append(float(1 - (np.delete(self._seen, place, 0) @ drawn).mean()))
            self._ceilings[family.name] = found
        return self._ceilings[family.name]

    def strangers(self, style: str) -> Sequence[float]:
        """See `DistanceMeasure.strangers`; there are none."""
        return ()


@dataclass(frozen=True, eq=False)
class _Scale:
    """Towards which numbers pictures of a style lie, and the mean cosines of the base's own."""

    towards: NDArray[np.float64]  # (F,)
    photographs: float
    drawn: float


class ClipStyle:
    """How far a picture lies towards its style: 0 at the base's photographs, 1 at its pictures of the style."""

    asked = Asked.SUBJECT
    takes_before = False
    version = 1
    needs: tuple[str, ...] = ("the base as control", "a photo style among the base's pictures", "weights")

    def __init__(self, name: str, sight: PictureSight, scales: Mapping[str, _Scale], controls: str) -> None:
        self.name, self._sight, self._scales = name, sight, scales
        self.sha256, self.licence = sight.sha256, sight.licence
        self.words = MeasureWords(
            title=f"{name}, the style asked for", subject=name, more=f"more of the style by {name}",
            less=f"less of the style by {name}", is_aside=True,
        )  # fmt: skip
        self.settings: Mapping[str, object] = {"weights": sight.sha256, "model": sight.model, "controls": controls}
        self.key = measure_key(self.name, self.version, **self.settings)

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """See `PictureMeasure.score`. A style that the base's own pictures do not show has no number."""
        if is_photo_style(context.style):
            return [Score(None, PHOTOGRAPH)] * len(pictures)
        scale = self._scales.get(context.style)
        if scale is None or scale.drawn <= scale.photographs:
            return [Score(None, f"{self.name} cannot tell this style from a photograph")] * len(pictures)
        cosines = self._sight.pictures(pictures) @ scale.towards
        shares = (cosines - scale.photographs) / (scale.drawn - scale.photographs)
        return [Score(float(share)) for share in shares.clip(0, 1)]


def clip_text(sight: ClipSight, ends: StyleEnds) -> ClipStyle:
    """CLIP-T: towards the base's own prompt of the style. Raises ImageError for a picture that cannot be read."""
    digests: list[str] = []
    photos = _read(sight, ends.photos, digests)
    scales = {}
    for style, own in ends.drawn.items():
        (towards,) = sight.words([own[0].prompt])
        digests.append(own[0].prompt)
        drawn = _read(sight, own, digests)
        scales[style] = _Scale(towards, float((photos @ towards).mean()), float((drawn @ towards).mean()))
    return ClipStyle("CLIP-T", sight, scales, _told(digests))


def clip_style(sight: PictureSight, ends: StyleEnds) -> ClipStyle:
    """CSD: towards the mean of the base's pictures of the style, each of which is held against the others' mean.

    Raises ImageError for a picture that cannot be read.
    """
    digests: list[str] = []
    photos = _read(sight, ends.photos, digests)
    scales = {}
    for style, own in ends.drawn.items():
        drawn = _read(sight, own, digests)
        towards = drawn.mean(0)
        scales[style] = _Scale(towards, float((photos @ towards).mean()), float(np.mean(list(_against_others(drawn)))))
    return ClipStyle("CSD", sight, scales, _told(digests))


def _against_others(rows: _Numbers) -> Iterator[float]:
    for place, row in enumerate(rows):
        yield float(np.delete(rows, place, 0).mean(0) @ row)


def _read(sight: PictureSight, controls: Sequence[StyleControl], digests: list[str]) -> _Numbers:
    """(N, F): the base's pictures, one in memory at a time."""
    return np.concatenate([sight.pictures([loaded(each.path, digests)]) for each in controls])


def _told(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
