"""One toy picture: a person, a scene, a pose and a style in; pixels, face box and caption out."""

from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.toy.person import Person, Pose, Scene
from ohwx_compare.toy.shapes import face_shapes, scene_shapes
from ohwx_compare.toy.styles import EYES, layers_of, paint

__all__ = ["Portrait", "caption", "draw_portrait"]

_FINER = 3  # drawn this much larger, then shrunk by area


@dataclass(frozen=True)
class Portrait:
    """A picture and the truth about it."""

    image: Image.Image  # RGB, square
    face: Box  # chin to hairline without ears, px


def draw_portrait(person: Person, scene: Scene, pose: Pose, style: str, *, size: int = 128, seed: int = 0) -> Portrait:
    """Draw `person` in `style` (one of `styles.STYLES`) on `size` x `size` px; `seed` is the grain's and the wash's.

    Raises KeyError for an unknown style or trait.
    """
    behind = scene_shapes(scene)
    shapes = [*behind, *face_shapes(person, scene, pose, EYES.get(style, 1.0))]
    large = paint(layers_of(shapes, size * _FINER, behind=len(behind)), style, size * _FINER, seed)
    small = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)
    face = next(shape.outlines[0] for shape in shapes if shape.name == "face") * size
    (x1, y1), (x2, y2) = face.min(axis=0), face.max(axis=0)
    image = Image.fromarray(np.round(small * 255).astype(np.uint8))
    return Portrait(image, Box(float(x1), float(y1), float(x2), float(y2)))


def caption(person: Person, scene: Scene, style: str, random: Random, *, detail: float = 0.5) -> str:
    """The picture in words, as in captions: "photo of a man with red hair, wearing a blue suit, city background".

    detail: how likely each trait is named, 0 to 1; at 0 only style and kind are.
    """
    names = {name for name in ("hair", "beard", "glasses", "garment", "background", "eyes") if random.random() < detail}
    words = []
    if "hair" in names:
        is_bald = person.hairstyle == "bald"
        words.append("with a bald head" if is_bald else f"with {person.hairstyle} {person.hair} hair")
    if "beard" in names and person.kind == "man":
        words.append(
            {"none": "clean-shaven", "moustache": "with a moustache", "full": "with a full beard"}[person.beard]
        )
    if "eyes" in names:
        words.append(f"with {person.eyes} eyes")
    if "glasses" in names:
        words.append("without glasses" if person.glasses == "none" else f"wearing {person.glasses} glasses")
    if "garment" in names:
        words.append(f"wearing a {scene.colour} {scene.garment}")
    if "background" in names:
        words.append(f"{scene.background} background")
    what = f"photo of a {person.kind}" if style == "photo" else f"picture of a {person.kind}"
    return ", ".join([what, *words, *([] if style == "photo" else [f"{style} style"])])
