"""What dlib's answers are recorded of (tools/dlib_answers.py): a photograph altered exactly, those of a package."""

import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

Case = tuple[Callable[[np.ndarray], np.ndarray], tuple[int, int, int, int]]  # what to do; box left, top, right, bottom

CASES: Mapping[str, Case] = {
    "as it is": (lambda p: p, (99, 63, 186, 150)),
    "mirrored": (lambda p: p[:, ::-1], (102, 63, 189, 150)),
    "another box": (lambda p: p, (90, 40, 190, 152)),
    "large": (lambda p: p.repeat(3, 0).repeat(3, 1), (297, 189, 558, 450)),
    "huge": (lambda p: p.repeat(8, 0).repeat(8, 1), (792, 504, 1488, 1200)),
    "small": (lambda p: p[::3, ::3], (33, 21, 62, 50)),
    "at the edge": (lambda p: p[80:, 120:], (-21, -17, 66, 70)),
    "lying": (lambda p: np.rot90(p), (63, 102, 150, 189)),
}

PHOTOGRAPHS: Mapping[str, tuple[int, int, int, int]] = {  # in tests/test_images of the archive face-recognition 1.3.0
    "obama.jpg": (366, 136, 625, 395),
    "obama2.jpg": (164, 302, 475, 612),
    "obama3.jpg": (646, 302, 956, 612),
    "biden.jpg": (439, 233, 750, 543),
}


def altered(photograph: np.ndarray, name: str) -> np.ndarray:
    """(H, W, 3) uint8, in C order."""
    return np.ascontiguousarray(CASES[name][0](photograph))


def read_photographs(archive: Path) -> dict[str, np.ndarray]:
    """Name to (H, W, 3) uint8 of the archive's photographs."""
    with tarfile.open(archive) as members:
        inside = f"{archive.name.removesuffix('.tar.gz')}/tests/test_images"
        return {
            name: np.asarray(Image.open(members.extractfile(f"{inside}/{name}")).convert("RGB")) for name in PHOTOGRAPHS
        }
