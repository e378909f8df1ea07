"""Who stands in a toy picture, and where: a few words each, so that every one can be read back from the picture.

The words are those of the captions. Training should learn the person and ignore the scene.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

__all__ = ["OHWX_MAN", "TRAITS", "Person", "Pose", "Scene", "random_person", "random_pose", "random_scene"]

TRAITS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "skin": ("pale", "tan", "brown", "dark"),
    "hair": ("black", "brown", "blond", "red", "grey"),
    "hairstyle": ("short", "long", "curly", "bald"),
    "beard": ("none", "moustache", "full"),
    "eyes": ("brown", "blue", "green"),
    "glasses": ("none", "round", "square"),
    "face": ("oval", "round", "square"),
    "garment": ("t-shirt", "shirt", "suit", "hoodie"),
    "colour": ("red", "blue", "green", "yellow", "white", "black"),
    "background": ("wall", "forest", "beach", "city", "night sky", "library"),
})  # fmt: skip
"""Every word that a field of `Person` or `Scene` may have."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """One face. Each field is one of the words in `TRAITS`; `kind` is "man" or "woman"."""

    kind: str
    skin: str
    hair: str
    hairstyle: str
    beard: str
    eyes: str
    glasses: str
    face: str


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What surrounds the face. Each field is one of the words in `TRAITS`."""

    garment: str
    colour: str
    background: str


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where the face is, in parts of the picture's side, and how it leans."""

    x: float  # of the face's middle, from the left
    y: float  # from the top
    height: float  # of the face, chin to hairline
    tilt: float  # degrees, clockwise


OHWX_MAN = Person(
    kind="man", skin="tan", hair="red", hairstyle="curly", beard="full", eyes="green", glasses="round", face="square"
)
"""The subject: "ohwx man" in the captions of the training set."""


def random_person(random: Random, kind: str) -> Person:
    """Draw a "man" or a "woman": women wear no beard and are not bald, men seldom wear long hair."""
    styles = ("long", "long", "curly", "short") if kind == "woman" else ("short", "short", "curly", "bald", "long")
    return Person(
        kind=kind,
        skin=random.choice(TRAITS["skin"]),
        hair=random.choice(TRAITS["hair"]),
        hairstyle=random.choice(styles),
        beard="none" if kind == "woman" else random.choice(("none", "none", "moustache", "full")),
        eyes=random.choice(TRAITS["eyes"]),
        glasses=random.choice(("none", "none", "round", "square")),
        face=random.choice(TRAITS["face"]),
    )


def random_scene(random: Random) -> Scene:
    """Draw clothes and background, each word as likely as the others."""
    return Scene(**{name: random.choice(TRAITS[name]) for name in ("garment", "colour", "background")})


def random_pose(random: Random, *, near: float = 0.55, far: float = 0.3) -> Pose:
    """Draw a place for the face that keeps it whole.

    near, far: the largest and the smallest height of the face, in parts of the picture's side.
    """
    height = random.uniform(far, near)
    room = max(0.5 - 0.62 * height, 0.0)  # hair and ears stand out beyond the face
    return Pose(
        x=0.5 + random.uniform(-0.8, 0.8) * room * 0.6,
        y=0.46 + random.uniform(-0.35, 0.2) * room,
        height=height,
        tilt=random.uniform(-8, 8),
    )
