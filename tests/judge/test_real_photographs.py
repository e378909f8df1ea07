"""`ohwx judge` from end to end on faces of real people: photographs that a package ships, blended as far as is known.

It tests the plumbing: three people are too few to say how well anything measures, and the styles are the filters that
the ceiling is made by.
"""

import io
import json
import shutil
from contextlib import redirect_stdout
from random import Random

import cv2
import numpy as np
import pytest
from PIL import Image
from planted_run import Planted, planted_run, record

from ohwx_compare.cli.main import main
from ohwx_compare.engine.detect import Cascade
from ohwx_compare.engine.face_chip import MEAN_FACE
from ohwx_compare.engine.face_reader import FaceReader
from ohwx_compare.engine.landmarks import similarity
from ohwx_compare.judge.families import family_of
from ohwx_compare.judge.weights import FACE_LANDMARKS, FACE_NET
from ohwx_compare.toy.checkpoint import write_checkpoint

pytestmark = pytest.mark.slow(first=True)
STYLES = ("photo", "oil painting", "impressionist", "watercolor", "cartoon", "comic", "coloured pencil", "pixel art",
          "3d render")  # fmt: skip
NO_FILTER, HIDING = "3d render of ohwx man", "pixel art of ohwx man"
SEEDS = (1, 2, 3)
ORDER = ("no-reg-000030", "no-reg-000060", "reg-000030", "reg-000060")
"""By how much of the person is blended in."""

SIDE, FACE = 384, 210  # px


def upright(reader, path):
    """(SIDE, SIDE, 3): the face of a photograph upright in the middle, its points where all others' are."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    face = max(Cascade().detect([Image.fromarray(pixels)], 0.3)[0], key=lambda found: found.box.area)
    places = MEAN_FACE * FACE + complex(1, 1) * (SIDE - FACE) / 2
    factor, shift = similarity(places, reader.points(pixels, face.box))
    matrix = np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def blends(saves_hash):
    """Exposures and regularization images both give likeness; the latter loses the style more often."""
    for number, (name, alike) in enumerate(zip(ORDER, (0.35, 0.5, 0.6, 0.75), strict=True)):
        said = record(30 * (number % 2 + 1), reg=number > 1, base=saves_hash)
        yield Planted(name, alike, 0.4 if number > 1 else 0.95, said)


@pytest.fixture(scope="module")
def run(people_folder, face_files, tmp_path_factory):
    reader = FaceReader.load(face_files / FACE_NET.name, face_files / FACE_LANDMARKS.name)
    faces = {path.stem: upright(reader, path) for path in people_folder.rglob("*.png")}
    mine, others = (
        [faces[name] for name in names] for names in (("obama", "obama2", "obama3"), ("biden", "astronaut"))
    )

    def draw(planted, job):
        chance = Random(f"{planted.name} {job.prompt} {job.seed}")
        share = planted.alike + chance.gauss(0, 0.02)
        face = (1 - share) * others[job.seed % 2] + share * mine[job.seed % 3]
        drawn = Image.fromarray((face * chance.uniform(0.8, 1.05)).clip(0, 255).astype(np.uint8))
        if chance.random() >= planted.style or job.prompt == NO_FILTER:
            return drawn
        return Image.fromarray(family_of(job.prompt).draw(drawn))

    folder = tmp_path_factory.mktemp("real people ä")
    (folder / "ohwx").mkdir()
    for name in (FACE_NET.name, FACE_LANDMARKS.name):
        shutil.copy(face_files / name, folder / "ohwx")
    (folder / "models").mkdir()
    write_checkpoint(folder / "models" / "base.safetensors")
    return planted_run(folder, styles=STYLES, seeds=SEEDS, saves=blends, draw=draw)


@pytest.fixture(scope="module")
def found(run, people_folder):
    out = io.StringIO()
    models, photos = str(run.parent / "models"), str(people_folder / "obama")
    with redirect_stdout(out):
        assert main(["judge", str(run), "--photos", photos, "--checkpoints", models, "--json"]) == 0
    return json.loads(out.getvalue())


def test_the_planted_order_is_found(found):
    levels = {each["label"]: each["levels"]["likeness"]["estimate"] for each in found["checkpoints"]}
    assert sorted(levels, key=levels.__getitem__) == ["base", *ORDER]
    assert abs(levels["base"]) < 0.1
    assert any("OpenCV's frontal-face cascade" in each for each in found["missing"])


def test_the_sentence_says_what_was_planted(found):
    words = {clause["measure"]: clause["word"] for clause in found["answer"]}
    assert words == {"likeness": "more", "style kept": "less"}


def test_where_floor_meets_ceiling_nothing_is_said(found):
    refused = {style["style"]: style["refused"] for style in found["styles"] if style["refused"]}
    assert set(refused) == {NO_FILTER, HIDING}
    assert "cannot tell them apart" in refused[HIDING]
