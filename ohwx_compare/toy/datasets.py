"""The article's two datasets in toy pictures, and what a toy base model is trained on.

The subject's photographs repeat clothes and backgrounds, as the article's did; the regularization images are
photographs of other people of his class.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from ohwx_compare.files.images import write_png
from ohwx_compare.toy.person import OHWX_MAN, Person, Scene, random_person, random_pose, random_scene
from ohwx_compare.toy.portrait import Portrait, caption, draw
from ohwx_compare.toy.styles import STYLES

__all__ = ["SUBJECT_SCENES", "Sample", "sample", "write_class", "write_subject"]

SUBJECT_SCENES = (
    Scene(garment="shirt", colour="blue", background="wall"),
    Scene(garment="t-shirt", colour="black", background="city"),
    Scene(garment="suit", colour="white", background="library"),
)
"""All that the subject was ever photographed in."""


@dataclass(frozen=True)
class Sample:
    """One picture of the toy world and everything that is true of it."""

    portrait: Portrait
    person: Person
    scene: Scene
    style: str
    caption: str


def sample(number: int, *, size: int = 128) -> Sample:
    """The toy world's picture of that number: a man or a woman, any scene, any style; the same at every call."""
    random = Random(number)
    person, scene, style = (
        random_person(random, random.choice(("man", "woman"))),
        random_scene(random),
        random.choice(STYLES),
    )
    portrait = draw(person, scene, random_pose(random), style, size=size, seed=number)
    return Sample(portrait, person, scene, style, caption(person, scene, style, random))


def write_subject(root: Path, *, count: int = 15, repeats: int = 1, size: int = 128) -> list[Path]:
    """Write `count` photographs of the subject to `root/{repeats}_ohwx man`; the folder's name is their caption."""
    folder = root / f"{repeats}_ohwx man"
    scenes = [SUBJECT_SCENES[number * len(SUBJECT_SCENES) // count] for number in range(count)]
    return _write(folder, [(OHWX_MAN, scene) for scene in scenes], size)


def write_class(root: Path, kind: str, *, count: int = 150, repeats: int = 1, size: int = 128) -> list[Path]:
    """Write `count` photographs of people of `kind` ("man", "woman") to `root/{repeats}_{kind}`."""
    random = Random(f"class {kind}")
    people = [(random_person(random, kind), random_scene(random)) for _ in range(count)]
    return _write(root / f"{repeats}_{kind}", people, size)


def _write(folder: Path, shown: list[tuple[Person, Scene]], size: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(folder.name)
    paths = []
    for number, (person, scene) in enumerate(shown, 1):
        paths.append(folder / f"{number:03}.png")
        write_png(paths[-1], draw(person, scene, random_pose(random), "photo", size=size, seed=number).image, "")
    return paths
