"""MediaPipe's detectors give what ADetailer's functions give; where the package is not, they are refused by name.

mediapipe.json holds what ADetailer 25.3.0 answered with mediapipe 0.10.15: boxes, confidences, and of each mask the
number of white pixels and its digest.
"""

import hashlib
import json
import sys

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.compare.face_pass import select
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.named_values import MEDIAPIPE
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.errors import DetectorError
from ohwx_compare.files import detectors
from ohwx_compare.files.detectors import detectors_there, has_detector


@pytest.fixture
def answers(goldens):
    return json.loads((goldens / "mediapipe.json").read_text(encoding="utf-8"))


@pytest.fixture
def _installed():
    try:
        import mediapipe
    except (ImportError, RuntimeError, TypeError) as error:
        pytest.skip(f"mediapipe: {error}")
    if not hasattr(mediapipe, "solutions"):
        pytest.skip("mediapipe without solutions")


@pytest.mark.usefixtures("_installed")
@pytest.mark.filterwarnings("ignore")  # of mediapipe and its protobuf
@pytest.mark.parametrize("name", MEDIAPIPE)
def test_boxes_and_masks_are_adetailers(name, goldens, answers):
    detector = find_detector(name, [])
    for case in (case for case in answers if case["model"] == name):
        with Image.open(goldens / case["image"]) as picture:
            image = picture.convert("RGB")
        image = image.crop(case["crop"] or (0, 0, *image.size))
        found = detector.detect([image], case["confidence"])[0]
        assert [face.box.xyxy for face in found] == [pytest.approx(box, abs=0.01) for box in case["boxes"]]
        assert [face.confidence for face in found] == pytest.approx(case["confidences"], abs=1e-4)
        masks = select(found, FaceSettings(model=name, dilate=0), image.size).masks
        assert [[int((np.array(m) > 0).sum()), _digest(m)] for m in masks] == case["masks"]


@pytest.mark.usefixtures("_installed")
def test_each_of_the_four_has_a_hash_of_its_own():
    assert len({find_detector(name, []).sha256 for name in MEDIAPIPE}) == 4
    assert set(MEDIAPIPE) <= set(detectors_there([]))


@pytest.mark.parametrize("there", [False, True])
def test_without_them_they_are_refused_by_name(there, tmp_path, monkeypatch):
    """Not installed, or a version that no longer has them; the package is not loaded to find out."""
    (tmp_path / "mediapipe").mkdir()
    (tmp_path / "mediapipe" / "__init__.py").write_text("raise RuntimeError('loaded')", encoding="utf-8")
    monkeypatch.delitem(sys.modules, "mediapipe", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    if not there:
        monkeypatch.setattr(detectors, "find_spec", lambda name: None)
    why = "brings no such detectors" if there else "is not installed"
    for name in MEDIAPIPE:
        with pytest.raises(DetectorError, match=f"{name} is one of MediaPipe's .* {why}.*pip install 'mediapipe<"):
            find_detector(name, [tmp_path])
        assert not has_detector(name, [tmp_path])
    assert not set(MEDIAPIPE) & set(detectors_there([tmp_path]))


def _digest(mask):
    return hashlib.sha256(np.array(mask).tobytes()).hexdigest()[:16]
