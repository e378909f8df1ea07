"""The trained detector finds the faces of true pictures that it never saw, through the ordinary loader."""

import json
from pathlib import Path

import pytest
from PIL import Image

import ohwx_compare.toy
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.toy.datasets import toy_sample

DATA = Path(ohwx_compare.toy.__file__).with_name("data")


@pytest.fixture(scope="module")
def detector():
    return find_detector("toy_face_yolov8.pt", [DATA])


@pytest.mark.parametrize(("far", "near"), [(0.3, 0.55), (0.18, 0.28)])
def test_its_most_certain_box_is_the_face(detector, far, near):
    unseen = [toy_sample(400_000 + i, size=96, far=far, near=near).portrait for i in range(16)]
    found = detector.detect([portrait.image for portrait in unseen], 0.3)
    right = [
        faces[:1] and faces[0].box.xyxy == pytest.approx(portrait.face.xyxy, abs=0.2 * portrait.face.height)
        for faces, portrait in zip(found, unseen, strict=True)
    ]
    assert sum(map(bool, right)) >= 14
    assert sum(map(len, found)) <= 20  # and it sees few faces where none is


def test_the_size_of_the_picture_does_not_matter(detector):
    portrait = toy_sample(400_000, size=96).portrait
    small, large = (
        detector.detect([portrait.image.resize((side, side), Image.Resampling.BICUBIC)], 0.3)[0][0].box.xyxy
        for side in (96, 384)
    )
    assert [edge / 4 for edge in large] == pytest.approx(small, abs=2)


def test_it_is_the_file_of_its_training_record(detector):
    record = json.loads((DATA / "toy_face_yolov8.json").read_text(encoding="utf-8"))
    assert detector.sha256 == record["sha256"]
    assert (detector.kind, detector.classes, detector.size) == ("yolov8", ("face",), 640)
