"""A person in a scene as coloured outlines, back to front; a style paints them.

Points are in parts of the picture's side, x right, y down. A face is drawn in its own frame (origin in its middle, one
unit half its height) and put into the picture by its pose.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import cos, pi, radians, sin
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.toy.person import Person, Pose, Scene

__all__ = ["Outlines", "Points", "colour_of", "face_shapes", "scene_shapes"]

Points = NDArray[np.float64]  # (n, 2)
Colour = tuple[float, float, float]  # red, green, blue, 0 to 1

_COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType({
    "skin pale": (244, 212, 190), "skin tan": (222, 170, 128), "skin brown": (163, 108, 72), "skin dark": (98, 62, 44),
    "hair black": (32, 28, 30), "hair brown": (96, 60, 34), "hair blond": (232, 198, 104), "hair red": (196, 74, 26),
    "hair grey": (168, 170, 176),
    "eyes brown": (96, 56, 24), "eyes blue": (46, 120, 214), "eyes green": (40, 150, 70),
    "red": (200, 44, 48), "blue": (44, 84, 190), "green": (40, 140, 72), "yellow": (238, 200, 54),
    "white": (240, 240, 236), "black": (40, 40, 46),
    "wall": (206, 196, 182), "trunk": (92, 66, 44), "leaves": (58, 118, 58), "meadow": (118, 166, 84),
    "sky": (150, 198, 238), "sea": (50, 128, 186), "sand": (234, 212, 158), "sun": (255, 226, 120),
    "haze": (186, 204, 222), "house": (120, 122, 136), "window": (248, 224, 140), "night": (22, 26, 64),
    "moon": (244, 240, 214), "shelf": (110, 76, 48),
    "ink": (30, 26, 28), "lips": (176, 82, 78), "rouge": (214, 52, 72), "eyeball": (250, 250, 250),
    "lens": (206, 226, 236),
})  # fmt: skip


@dataclass(frozen=True)
class Outlines:
    """Outlines of one colour, filled by the even-odd rule: one inside another is a hole."""

    name: str
    outlines: tuple[Points, ...]
    colour: Colour
    round: float = 0.0  # how much it bulges: 0 flat, 1 a ball


def colour_of(name: str) -> Colour:
    """The colour of a word, as light as on paper: red, green and blue, 0 to 1. Raises KeyError for another word."""
    red, green, blue = _COLOURS[name]
    return red / 255, green / 255, blue / 255


def _oval(x: float, y: float, width: float, height: float, *, power: float = 2.0, n: int = 48) -> Points:
    """A superellipse about (x, y) of half axes `width` and `height`; power 2 is an ellipse, 4 almost a box."""
    turn = np.linspace(0, 2 * pi, n, endpoint=False)
    c, s = np.cos(turn), np.sin(turn)
    return np.stack(
        (
            x + width * np.sign(c) * np.abs(c) ** (2 / power),
            y + height * np.sign(s) * np.abs(s) ** (2 / power),
        ),
        axis=1,
    )


def _box(left: float, top: float, right: float, bottom: float) -> Points:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def _mirrored(half: Sequence[tuple[float, float]]) -> Points:
    """An outline from its right half, given from top to bottom."""
    return np.array([*half, *((-x, y) for x, y in reversed(half))], float)


def face_shapes(person: Person, scene: Scene, pose: Pose, eye: float = 1.0) -> list[Outlines]:
    """Body and head, back to front; the one named "face" is the face itself.

    eye: how large the eyes are drawn, 1 as in a photograph.
    """
    turn, half = radians(pose.tilt), pose.height / 2
    matrix = np.array([(cos(turn), sin(turn)), (-sin(turn), cos(turn))]) * half
    upright = np.array([(half, 0.0), (0.0, half)])

    def put(shape: Outlines, by: NDArray[np.float64]) -> Outlines:
        return replace(shape, outlines=tuple(points @ by + (pose.x, pose.y) for points in shape.outlines))

    hood = [put(shape, upright) for shape in _hood(scene)]
    behind = [put(shape, matrix) for shape in _hair_behind(person)]
    body = [put(shape, upright) for shape in _body(person, scene)]
    head = [put(shape, matrix) for shape in _head(person, eye)]
    return [*hood, *behind, *body, *head]


def _hood(scene: Scene) -> Iterator[Outlines]:
    if scene.garment == "hoodie":
        yield _one("hood", _oval(0, 0.75, 1.15, 0.75), _darker(colour_of(scene.colour), 0.8), 0.6)


def _body(person: Person, scene: Scene) -> Iterator[Outlines]:
    skin, cloth = colour_of(f"skin {person.skin}"), colour_of(scene.colour)
    wide = 1.85 if person.kind == "man" else 1.35
    yield _one("neck", _box(-0.36, 0.55, 0.36, 1.6), _darker(skin, 0.86), 0.4)
    trunk = _mirrored([(0.38, 1.12), (wide * 0.7, 1.35), (wide, 1.75), (wide * 1.3, 12)])
    yield _one("garment", trunk, cloth, 0.5)
    dark, light = _darker(cloth, 0.55), colour_of("white")
    if scene.garment == "t-shirt":
        yield _one("neckline", _oval(0, 1.12, 0.42, 0.24), _darker(skin, 0.86))
    elif scene.garment == "shirt":
        yield _one("collar", np.array([(-0.5, 1.1), (0, 1.62), (-0.62, 1.62)]), _lighter(cloth, 0.3))
        yield _one("collar", np.array([(0.5, 1.1), (0, 1.62), (0.62, 1.62)]), _lighter(cloth, 0.3))
        for y in (1.9, 2.3, 2.7):
            yield _one("button", _oval(0, y, 0.07, 0.07, n=12), dark)
    elif scene.garment == "suit":
        yield _one("front", np.array([(-0.42, 1.1), (0.42, 1.1), (0, 2.7)]), light)
        yield _one("tie", np.array([(-0.1, 1.25), (0.1, 1.25), (0.16, 2.1), (0, 2.5), (-0.16, 2.1)]), dark)
        yield _one("lapel", np.array([(-0.45, 1.08), (0, 2.75), (-0.85, 1.75)]), _darker(cloth, 0.75))
        yield _one("lapel", np.array([(0.45, 1.08), (0, 2.75), (0.85, 1.75)]), _darker(cloth, 0.75))
    else:
        yield _one("neckline", _oval(0, 1.16, 0.5, 0.26), _darker(cloth, 0.6))
        for x in (-0.22, 0.22):
            yield _one("cord", _box(x - 0.04, 1.3, x + 0.04, 2.0), _lighter(cloth, 0.6))


def _hair_behind(person: Person) -> Iterator[Outlines]:
    hair = _darker(colour_of(f"hair {person.hair}"), 0.85)
    if person.hairstyle == "long":
        yield _one("hair behind", _oval(0, 0.35, 1.0, 1.45, power=2.8), hair, 0.6)
    elif person.hairstyle == "curly":
        for x, y in _around(1.0, 13, 0.0, 2 * pi):
            yield _one("hair behind", _oval(x * 0.82, y * 0.8 - 0.32, 0.34, 0.34, n=20), hair, 0.8)


def _head(person: Person, eye: float) -> Iterator[Outlines]:
    skin, hair = colour_of(f"skin {person.skin}"), colour_of(f"hair {person.hair}")
    width = {"oval": 0.72, "round": 0.86, "square": 0.78}[person.face] * (1.0 if person.kind == "man" else 0.9)
    power = {"oval": 2.1, "round": 2.0, "square": 3.1}[person.face]
    for side in (-1, 1):
        yield _one("ear", _oval(side * width, 0.02, 0.14, 0.22, n=24), _darker(skin, 0.9), 0.6)
    face = _oval(0, 0, width, 1.0, power=power)
    yield _one("face", face, skin, 0.9)
    yield from _beard(person, face, hair)
    yield from _lenses(person, width)
    if person.glasses != "none":
        eye = min(eye, 1.1)  # the lens shows around it
    for side in (-1, 1):
        x = side * 0.34 * width / 0.75
        yield _one("eyeball", _oval(x, -0.12, 0.18 * eye, 0.12 * eye**1.5, n=24), colour_of("eyeball"))
        iris = min(0.115 * eye**1.4, 0.2)
        yield _one("iris", _oval(x, -0.12, iris, iris, n=20), colour_of(f"eyes {person.eyes}"))
        yield _one("pupil", _oval(x, -0.12, 0.045, 0.045 * eye, n=12), colour_of("ink"))
        low = -0.3 if person.kind == "man" else -0.38
        brow = ((-0.22, -0.43), (0.0, -0.48), (0.22, -0.42), (0.22, low), (0.0, low - 0.05), (-0.22, low - 0.01))
        brow_colour = _darker(hair if person.hairstyle != "bald" else colour_of("hair brown"), 0.7)
        yield _one("brow", np.array([(x + right, y) for right, y in brow]), brow_colour)
    nose = np.array([(-0.03, -0.05), (0.04, -0.05), (0.13, 0.27), (0.0, 0.33), (-0.13, 0.27)])
    yield _one("nose", nose, _darker(skin, 0.86), 0.5)
    lips, full = ("lips", 0.8) if person.kind == "man" else ("rouge", 1.7)
    mouth = np.array([(-0.26, -0.02), (-0.08, -0.05), (0.08, -0.05), (0.26, -0.02), (0.1, 0.08), (-0.1, 0.08)])
    yield _one("mouth", mouth * (1, full) + (0, 0.52), colour_of(lips))
    yield from _glasses(person, width)
    yield from _hair(person, width, power, hair)


def _beard(person: Person, face: Points, hair: Colour) -> Iterator[Outlines]:
    if person.beard == "full":
        under = face[face[:, 1] >= 0.12]
        under = under[np.argsort(-under[:, 0])] * (1.06, 1.2)  # from the right cheek round the chin to the left one
        inner = np.array([(-0.42, 0.3), (-0.3, 0.42), (0.3, 0.42), (0.42, 0.3)])
        yield _one("beard", np.concatenate((under, inner)), hair, 0.6)
    if person.beard != "none":
        moustache = _mirrored([(0.0, 0.29), (0.24, 0.31), (0.5, 0.5), (0.48, 0.68), (0.3, 0.5), (0.0, 0.46)])
        yield _one("moustache", moustache, _darker(hair, 0.92), 0.3)


def _lenses(person: Person, width: float) -> Iterator[Outlines]:
    for x, wide, high, power in _frames(person, width):
        yield _one("lens", _oval(x, -0.11, wide, high, power=power), colour_of("lens"))


def _glasses(person: Person, width: float) -> Iterator[Outlines]:
    ink, thick = colour_of("ink"), 0.09
    for x, wide, high, power in _frames(person, width):
        hole = _oval(x, -0.11, wide - thick, high - thick, power=power)
        yield Outlines("glasses", (_oval(x, -0.11, wide, high, power=power), hole), ink)
        ends = sorted((x / abs(x) * width, x + x / abs(x) * wide))
        yield _one("glasses", _box(ends[0], -0.19, ends[1], -0.1), ink)
    if person.glasses != "none":
        yield _one("glasses", _box(-0.1, -0.18, 0.1, -0.09), ink)


def _frames(person: Person, width: float) -> Iterator[tuple[float, float, float, float]]:
    """Middle, half width, half height and power of each lens, frame and all."""
    if person.glasses != "none":
        wide, high, power = (0.31, 0.31, 2.0) if person.glasses == "round" else (0.33, 0.24, 7.0)
        for side in (-1, 1):
            yield side * 0.34 * width / 0.75, wide, high, power


def _hair(person: Person, width: float, power: float, hair: Colour) -> Iterator[Outlines]:
    if person.hairstyle == "bald":
        return
    skull = _oval(0, -0.02, width * 1.1, 1.1, power=power)
    line = -0.5 if person.hairstyle == "short" else -0.42
    cap = skull[skull[:, 1] <= line]
    cap = cap[np.argsort(cap[:, 0])]
    fringe = {
        "short": [(0.62, -0.42), (0.5, -0.62), (0.0, -0.56), (-0.5, -0.62), (-0.62, -0.42)],
        "long": [(0.74, 0.1), (0.58, -0.4), (0.1, -0.74), (-0.58, -0.36), (-0.74, 0.1)],
        "curly": [(0.66, -0.3), (0.4, -0.55), (0.0, -0.48), (-0.4, -0.55), (-0.66, -0.3)],
    }[person.hairstyle]
    yield _one("hair", np.concatenate((cap, np.array(fringe) * (width / 0.75, 1))), hair, 0.6)
    if person.hairstyle == "curly":
        for x, y in _around(1.0, 7, pi * 1.08, pi * 1.92):
            yield _one("hair", _oval(x * width, y * 0.85 - 0.08, 0.25, 0.23, n=20), hair, 0.8)


def _around(radius: float, n: int, start: float, end: float) -> Iterator[tuple[float, float]]:
    for turn in np.linspace(start, end, n):
        yield radius * cos(turn), radius * sin(turn)


def scene_shapes(scene: Scene) -> list[Outlines]:
    """What is behind the person, back to front; the first fills the picture."""
    painter = {
        "wall": _wall, "forest": _forest, "beach": _beach, "city": _city, "night sky": _night, "library": _library,
    }[scene.background]  # fmt: skip
    return list(painter())


def _wall() -> Iterator[Outlines]:
    yield _one("back", _box(0, 0, 1, 1), colour_of("wall"))


def _forest() -> Iterator[Outlines]:
    yield _one("back", _box(0, 0, 1, 1), colour_of("meadow"))
    for x, y, r in ((0.05, 0.2, 0.24), (0.34, 0.06, 0.26), (0.68, 0.1, 0.25), (0.97, 0.22, 0.24)):
        yield _one("trunk", _box(x - 0.04, y, x + 0.04, 0.9), colour_of("trunk"), 0.4)
        yield _one("leaves", _oval(x, y, r, r * 0.95), colour_of("leaves"), 0.7)


def _beach() -> Iterator[Outlines]:
    yield _one("back", _box(0, 0, 1, 1), colour_of("sky"))
    yield _one("sun", _oval(0.14, 0.14, 0.09, 0.09), colour_of("sun"))
    yield _one("sea", _box(0, 0.36, 1, 0.66), colour_of("sea"))
    yield _one("sand", _box(0, 0.64, 1, 1), colour_of("sand"))


def _city() -> Iterator[Outlines]:
    yield _one("back", _box(0, 0, 1, 1), colour_of("haze"))
    houses = ((0.0, 0.22, 0.2), (0.22, 0.08, 0.4), (0.6, 0.14, 0.78), (0.8, 0.03, 1.0))
    yield Outlines("house", tuple(_box(left, top, right, 1) for left, top, right in houses), colour_of("house"))
    windows = (
        _box(x, y, x + 0.04, y + 0.06)
        for left, top, right in houses
        for y in np.arange(top + 0.05, 0.8, 0.12)
        for x in np.arange(left + 0.03, right - 0.05, 0.075)
    )
    yield Outlines("window", tuple(windows), colour_of("window"))


def _night() -> Iterator[Outlines]:
    yield _one("back", _box(0, 0, 1, 1), colour_of("night"))
    yield _one("moon", _oval(0.83, 0.16, 0.1, 0.1), colour_of("moon"), 0.3)
    stars = ((0.08, 0.1), (0.24, 0.3), (0.4, 0.06), (0.6, 0.12), (0.94, 0.4), (0.06, 0.52), (0.9, 0.66), (0.3, 0.14))
    yield Outlines("star", tuple(_oval(x, y, 0.014, 0.014, n=8) for x, y in stars), colour_of("moon"))


def _library() -> Iterator[Outlines]:
    yield _one("back", _box(0, 0, 1, 1), colour_of("shelf"))
    order = ("red", "blue", "yellow", "green", "white", "red", "green", "blue", "yellow", "red", "white")
    books: dict[str, list[Points]] = {name: [] for name in order}
    for row, y in enumerate((0.03, 0.28, 0.53, 0.78)):
        for i in range(10):
            x, high = 0.02 + 0.098 * i, 0.16 + 0.03 * ((i * 7 + row) % 3) / 2
            books[order[(i + 3 * row) % len(order)]].append(_box(x, y + 0.2 - high, x + 0.08, y + 0.2))
    for name, outlines in books.items():
        yield Outlines("book", tuple(outlines), _darker(colour_of(name), 0.8))


def _one(name: str, outline: Points, colour: Colour, round: float = 0.0) -> Outlines:
    return Outlines(name, (outline,), colour, round)


def _darker(colour: Colour, by: float) -> Colour:
    red, green, blue = colour
    return red * by, green * by, blue * by


def _lighter(colour: Colour, by: float) -> Colour:
    red, green, blue = (c + (1 - c) * by for c in colour)
    return red, green, blue
