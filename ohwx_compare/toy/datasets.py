"""The article's two datasets in toy pictures, and what a toy base model is trained on.

The subject's photographs repeat clothes and backgrounds, as the article's did; the regularization images are
photographs of other people of his class.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from ohwx_compare.files.images import write_png
from ohwx_compare.toy.person import OHWX_MAN, Person, Pose, Scene, random_person, random_pose, random_scene
from ohwx_compare.toy.portrait import Portrait, caption, draw_portrait
from ohwx_compare.toy.styles import STYLES

__all__ = [
    "DISTANCES",
    "SUBJECT_SCENES",
    "Sample",
    "lesson",
    "lesson_truth",
    "toy_sample",
    "write_class",
    "write_lessons",
    "write_subject",
]

SUBJECT_SCENES = (
    Scene(garment="shirt", colour="blue", background="wall"),
    Scene(garment="t-shirt", colour="black", background="city"),
    Scene(garment="suit", colour="white", background="library"),
)
"""All that the subject was ever photographed in."""

DISTANCES = {"close-up ": (0.6, 0.85), "": (0.3, 0.55), "distant ": (0.16, 0.28)}
"""The word before "photo" or "picture" -> the smallest and largest height of the face, in parts of the side."""


@dataclass(frozen=True)
class Sample:
    """One picture of the toy world and everything that is true of it."""

    portrait: Portrait
    person: Person
    scene: Scene
    style: str
    caption: str


def toy_sample(number: int, *, size: int = 128, near: float = 0.55, far: float = 0.3) -> Sample:
    """The toy world's picture of that number: a man or a woman, any scene, any style; the same at every call.

    near, far: of `random_pose`.
    """
    random = Random(number)
    person, scene, style = (
        random_person(random, random.choice(("man", "woman"))),
        random_scene(random),
        random.choice(STYLES),
    )
    portrait = draw_portrait(person, scene, random_pose(random, near=near, far=far), style, size=size, seed=number)
    return Sample(portrait, person, scene, style, caption(person, scene, style, random))


def lesson(number: int, *, size: int = 96) -> Sample:
    """The base model's lesson of that number: like `toy_sample`, but from other distances too and in other words.

    A tenth have no caption, so that the model knows the empty prompt that guidance needs; some photographs have no more
    than the class token, as regularization images do.
    """
    random = Random(f"lesson {number}")
    person, scene, style, distance, pose = _lesson(random)
    portrait = draw_portrait(person, scene, pose, style, size=size, seed=number)
    words = distance + caption(person, scene, style, random, detail=random.choice((0.2, 0.6, 0.9)))
    if random.random() < 0.3:
        words = words.replace(" of a ", " of ", 1)
    if style == "photo" and not distance and random.random() < 0.2:
        words = person.kind
    return Sample(portrait, person, scene, style, "" if random.random() < 0.1 else words)


def lesson_truth(number: int) -> tuple[Person, Scene, str, Pose]:
    """Who that lesson shows, where, in which style and how posed, without drawing it."""
    person, scene, style, _, pose = _lesson(Random(f"lesson {number}"))
    return person, scene, style, pose


def _lesson(random: Random) -> tuple[Person, Scene, str, str, Pose]:
    """Who, where, in which style, from which of `DISTANCES`, and the face's place."""
    kind, style = random.choice(("man", "woman")), random.choice(STYLES)
    person, scene = random_person(random, kind), random_scene(random)
    distance = random.choice(("close-up ", "", "", "", "distant "))
    far, near = DISTANCES[distance]
    return person, scene, style, distance, random_pose(random, near=near, far=far)


def write_lessons(root: Path, count: int, *, size: int = 96) -> None:
    """Write the first `count` lessons to `root/1_toy`, each with its caption in a .txt; those that are there stay."""
    folder = root / "1_toy"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number:05}.txt"
        if path.exists():
            continue
        shown = lesson(number, size=size)
        write_png(path.with_suffix(".png"), shown.portrait.image, "")
        path.write_text(shown.caption, encoding="utf-8")


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
        write_png(
            paths[-1], draw_portrait(person, scene, random_pose(random), "photo", size=size, seed=number).image, ""
        )
    return paths
