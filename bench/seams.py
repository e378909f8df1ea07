"""Seams of the face pass: how many planted ones are found, and how many are seen where none was planted.

usage: python bench/seams.py [--archive face_recognition-1.3.0.tar.gz] [--more DIR] [--toys 40]

A mask as ADetailer's (a box, dilated by 4 px) is inpainted in a way whose truth is known, blurred and pasted by the
program's own functions. Photographs, the longer side 1024 px: those of the package, at the face and at three places by
chance, and any others, at three places. Toy pictures: people and scenes by number, 128 px, at the face. The rule was
chosen on biden.jpg, NASA's astronaut and the toy pictures 0 to 39; none of them is here.
"""

import argparse
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.files import masks
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.images import load_rgb
from ohwx_compare.judge.seams import Seams
from ohwx_compare.toy.datasets import toy_sample

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS / "engine"))

from face_cases import PHOTOGRAPHS, read_photographs  # noqa: E402

SIDE, PLACES = 1024, 3
CHOSEN_ON, FIRST_TOY = "biden.jpg", 20_000
Pixels = NDArray[np.float32]


def drawings(pixels: Pixels, box: Box, other: Pixels, random: Random, blur: int) -> Mapping[str, tuple[Pixels, int]]:
    """What the pass drew, and the mask's blur; the first letter says whether its border shows."""
    x1, y1, x2, y2 = (round(edge) for edge in box.xyxy)
    inside, middle = pixels[y1:y2, x1:x2], _middle(y2 - y1, x2 - x1)
    donor, sign = cv2.resize(other, (x2 - x1, y2 - y1)), random.choice((-1, 1))
    tone = sign * random.uniform(12, 20)
    colour = sign * random.uniform(14, 22) * np.array([1, 0.2, -0.6], np.float32)

    def put(patch: Pixels) -> Pixels:
        whole = pixels.copy()
        whole[y1:y2, x1:x2] = patch
        return whole

    return {
        "no: nothing changed": (pixels, blur),
        "no: as a VAE gives it back": (_degraded(pixels, random), blur),
        "no: features moved in the middle": (put(_warped(inside, middle, sign)), blur),
        "no: light that grows to the middle": (put(inside + sign * 25 * middle), blur),
        "no: contrast that grows to the middle": (put(inside + 0.4 * middle * (inside - inside.mean((0, 1)))), blur),
        "no: another face that grows to the middle": (put(inside + middle * (donor - inside)), blur),
        "yes: lighter or darker, blurred mask": (pixels + tone, blur),
        "yes: lighter or darker, hard mask": (pixels + tone, 0),
        "yes: another colour, blurred mask": (pixels + colour, blur),
        "yes: another colour, hard mask": (pixels + colour, 0),
        "yes: another face, blurred mask": (put(donor), blur),
        "yes: another face, hard mask": (put(donor), 0),
        "yes: mirrored, hard mask": (put(inside[:, ::-1]), 0),
        "yes: moved by a twentieth, hard mask": (np.roll(pixels, [max(3, (x2 - x1) // 20)] * 2, (0, 1)), 0),
        "hardly: lighter or darker by 8, blurred mask": (pixels + sign * 8, blur),
    }


def passes(pixels: Pixels, box: Box, other: Pixels, random: Random, blur: int) -> Iterator[tuple[str, Image.Image]]:
    """The picture after each of them."""
    before = Image.fromarray(pixels.astype(np.uint8))
    mask = masks.dilate(masks.box_mask(before.size, box), 4)
    for name, (drawn, own) in drawings(pixels, box, other, random, blur).items():
        image = Image.fromarray(drawn.clip(0, 255).round().astype(np.uint8))
        yield name, masks.paste(image, masks.overlay(before, masks.gaussian_blur(mask, own)))


def photographs(archive: Path, more: Path | None) -> Iterator[tuple[str, Pixels, Box, Pixels, int]]:
    """Picture, place, another's face and blur: at the face, and at places by chance."""
    found = {name: _sized(pixels, Box(*PHOTOGRAPHS[name])) for name, pixels in read_photographs(archive).items()}
    other = _cut(*found.pop(CHOSEN_ON))
    for name, (pixels, box) in found.items():
        yield f"{name} face", pixels, box, other, 4
        yield from _by_chance(name, pixels, other)
    for path in pictures([more]) if more else ():
        yield from _by_chance(path.name, _sized(np.asarray(load_rgb(path)), Box(0, 0, 1, 1))[0], other)


def toys(count: int) -> Iterator[tuple[str, Pixels, Box, Pixels, int]]:
    """The same of toy pictures; the blur is the demo's."""
    for number in range(FIRST_TOY, FIRST_TOY + count):
        one, other = (toy_sample(each).portrait for each in (number, number + count))
        pixels, donor = (np.asarray(each.image, np.float32) for each in (one, other))
        yield f"toy {number}", pixels, one.face, _cut(donor, other.face), 2


def report(title: str, cases: Iterator[tuple[str, Pixels, Box, Pixels, int]]) -> None:
    """The share of each kind in which a seam is seen."""
    seen: dict[str, list[float]] = {}
    for name, pixels, box, other, blur in cases:
        before = Image.fromarray(pixels.astype(np.uint8))
        for kind, after in passes(pixels, box, other, Random(name), blur):
            seen.setdefault(kind, []).append(Seams().of(before, after).value or 0.0)
    print(title)
    for kind, shares in sorted(seen.items()):
        values = np.array(shares)
        found = np.mean(values >= Seams.SHOWS)
        print(f"  {kind:46} {found:6.1%} of {len(values)}; share of the border {values.mean():.2f}, "
              f"{values.min():.2f} to {values.max():.2f}")  # fmt: skip
    for truth in ("yes", "no"):
        values = np.concatenate([shares for kind, shares in seen.items() if kind.startswith(truth)])
        print(f"  all {truth}: {np.mean(values >= Seams.SHOWS):.1%} of {len(values)}")


def _middle(height: int, width: int) -> Pixels:
    """(H, W, 1): 0 at the edges, 1 in the middle, without a corner."""
    y, x = (np.sin(np.linspace(0, np.pi, side)) ** 2 for side in (height, width))
    return (y[:, None] * x)[..., None].astype(np.float32)


def _degraded(pixels: Pixels, random: Random) -> Pixels:
    memory = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(memory, "JPEG", quality=90)
    grain = np.random.default_rng(random.randrange(2**31)).normal(0, 1.5, pixels.shape)
    return np.asarray(np.asarray(Image.open(memory).convert("RGB"), np.float32) + grain, np.float32)


def _warped(inside: Pixels, middle: Pixels, sign: int) -> Pixels:
    y, x = np.indices(inside.shape[:2], np.float32)
    by = sign * 0.06 * inside.shape[1] * middle[..., 0]
    return cv2.remap(inside, x + by, y + by, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _by_chance(name: str, pixels: Pixels, other: Pixels) -> Iterator[tuple[str, Pixels, Box, Pixels, int]]:
    random = Random(name)
    for place in range(PLACES):
        side = random.uniform(90, 260)
        x, y = (random.uniform(20, edge - side - 20) for edge in (pixels.shape[1], pixels.shape[0]))
        yield f"{name} {place}", pixels, Box(x, y, x + side, y + side), other, 4


def _sized(pixels: NDArray[np.uint8], box: Box) -> tuple[Pixels, Box]:
    image, scale = Image.fromarray(pixels), SIDE / max(pixels.shape[:2])
    resized = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    return np.asarray(resized, np.float32), Box(*(edge * scale for edge in box.xyxy))


def _cut(pixels: Pixels, box: Box) -> Pixels:
    x1, y1, x2, y2 = (round(edge) for edge in box.xyxy)
    return pixels[y1:y2, x1:x2]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--more", type=Path, help="a folder of photographs of anything")
    parser.add_argument("--toys", type=int, default=40)
    options = parser.parse_args()
    if options.archive:
        report("photographs", photographs(options.archive, options.more))
    report("toy pictures", toys(options.toys))


if __name__ == "__main__":
    main()
