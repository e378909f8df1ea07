"""Likeness where no face network is there: a ridge regression on the VAE's latent of the face, a fallback.

It learns the person's photographs against other people's (regularization images, or the control column's "a man"), so
what it calls alike may be whatever tells the two sets apart: a beard, but also the light of one camera.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detect import Detector
from ohwx_compare.errors import MeasureError
from ohwx_compare.files.images import load_rgb, pixel_digest
from ohwx_compare.judge.likeness import NO_FACE
from ohwx_compare.judge.measure import Asked, MeasureContext, MeasureWords, Score, boxes_text, measure_key
from ohwx_compare.judge.vae_sight import VaeSight
from ohwx_compare.words import counted

__all__ = ["LatentLikeness", "LatentProbe", "latent_probe"]

_RIDGE = 1.0  # of the mean variance; chosen on drawn people of the toy world, see docs/likeness.md
_STEEP = 6.0  # of the curve that takes a prediction to 0..1
_LEAST_FACE = 16  # px
_LEAST = 5  # faces of the person, and of others


@dataclass(frozen=True, eq=False)
class LatentProbe:
    """A linear function of `VaeSight.faces`: 1 for the person, 0 for others, on average."""

    mean: NDArray[np.float64]  # (F,)
    slope: NDArray[np.float64]  # (F,)
    middle: float

    def __call__(self, latents: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) of (N, F)."""
        return np.asarray((latents - self.mean) @ self.slope + self.middle, np.float64)


def latent_probe(person: NDArray[np.float64], others: NDArray[np.float64]) -> LatentProbe:
    """Ridge regression (Hoerl and Kennard 1970) in which both sets weigh the same. Rows are `VaeSight.faces`'s."""
    rows = np.concatenate([person, others])
    weights = np.repeat([0.5 / len(person), 0.5 / len(others)], [len(person), len(others)])
    wanted = np.repeat([1.0, 0.0], [len(person), len(others)])
    mean = weights @ rows
    spread = np.sqrt(weights @ (rows - mean) ** 2) + 1e-9
    units = (rows - mean) / spread * np.sqrt(weights)[:, None]
    products = units @ units.T
    products[np.diag_indices_from(products)] += _RIDGE * np.trace(products) / len(products)
    slope = units.T @ np.linalg.solve(products, np.sqrt(weights) * (wanted - 0.5)) / spread
    return LatentProbe(mean, slope, 0.5)


class LatentLikeness:
    """The measure, labelled as the fallback that it is. 0.5 is halfway between the person and the others.

    Values compare within a style only: a style changes them for everybody.
    """

    name = "likeness"
    words = MeasureWords(
        title="Likeness by the VAE alone, a fallback", subject="likeness", more="more likeness", less="less likeness"
    )
    asked = Asked.SUBJECT
    takes_before = False
    version = 1
    licence = "that of your checkpoint"
    needs: tuple[str, ...] = (
        "photographs of the person",
        "pictures of other people",
        "a face detector",
        "a checkpoint's VAE",
    )

    def __init__(
        self,
        sight: VaeSight,
        detector: Detector,
        person: Sequence[Path],
        others: Sequence[Path],
        *,
        confidence: float = 0.3,
    ) -> None:
        """person, others: photographs, one in memory at a time.

        Raises MeasureError where faces are found in too few of them, ImageError for one that cannot be read.
        """
        self._sight, self._detector, self._confidence, self.sha256 = sight, detector, confidence, sight.sha256
        digest = hashlib.sha256()
        sets = []
        for what, paths in (("the person", person), ("other people", others)):
            latents = [latent for path in paths if (latent := self._read(path, digest)) is not None]
            if len(latents) < _LEAST:
                found, given = counted(len(latents), "face"), counted(len(paths), "picture")
                raise MeasureError(
                    f"{found} found in {given} of {what} by {detector.name}, expected {_LEAST} or more; give more of "
                    "them, or fetch the face network with `ohwx weights likeness`."
                )
            digest.update(what.encode())
            sets.append(np.stack(latents))
        self._probe = latent_probe(*sets)
        self.settings: Mapping[str, object] = {
            "vae": sight.sha256, "detector": detector.sha256, "confidence": confidence, "learned": digest.hexdigest(),
        }  # fmt: skip
        self.key = measure_key(self.name, self.version, **self.settings)

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """See `PictureMeasure.score`; nothing of the context is needed."""
        boxes = list(self._boxes(pictures))
        seen = [(image, box) for image, box in zip(pictures, boxes, strict=True) if box]
        latents = self._sight.faces([image for image, _ in seen], [box for _, box in seen])
        values = iter(1 / (1 + np.exp(-_STEEP * (self._probe(latents) - 0.5)))) if seen else iter(())
        return [Score(float(next(values)), details={"box": boxes_text([box])}) if box else Score(None, NO_FACE)
                for box in boxes]  # fmt: skip

    def _boxes(self, images: Sequence[Image.Image]) -> Iterator[Box | None]:
        """The largest face of each."""
        for faces in self._detector.detect(images, self._confidence):
            sides = (face.box for face in faces if (face.box.width + face.box.height) / 2 >= _LEAST_FACE)
            yield max(sides, key=lambda box: box.area, default=None)

    def _read(self, path: Path, digest: "hashlib._Hash") -> NDArray[np.float64] | None:
        image = load_rgb(path)
        digest.update(pixel_digest(image).encode())
        (box,) = self._boxes([image])
        return None if box is None else np.asarray(self._sight.faces([image], [box])[0], np.float64)
