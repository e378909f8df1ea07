import numpy as np
import pytest
from PIL import Image

from ohwx_compare.engine.detect import Yolo
from ohwx_compare.testing.drawn_detector import draw_detector


@pytest.fixture(scope="module", params=[1, 2])
def detector(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / "drawn ä.safetensors"
    draw_detector(path, request.param)
    return Yolo(path)


def test_a_drawn_checkpoints_pictures_have_a_handful(detector, goldens):
    names = ["article", "batch_2x2.0", "batch_2x2.1", "batch_2x2.2", "batch_2x2.3", "size_192x128", "portrait"]
    for found in detector.detect([Image.open(goldens / f"{name}.png") for name in names], 0.3):
        assert 1 <= len(found) <= 10


@pytest.mark.parametrize("size", [(64, 64), (640, 1536), (1024, 1024), (832, 1216)])
def test_so_have_noise_pictures_of_any_size(detector, size):
    noise = np.random.default_rng(7).integers(0, 256, (size[1], size[0], 3), np.uint8)
    assert 1 <= len(detector.detect([Image.fromarray(noise)], 0.3)[0]) <= 10


def test_boxes_are_a_faces_part_of_the_picture(detector, goldens):
    for detection in detector.detect([Image.open(goldens / "article.png")], 0.3)[0]:
        assert 128 * 0.1 < max(detection.box.width, detection.box.height) < 128 * 0.7


def test_the_same_seed_is_the_same_detector(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 3)):
        draw_detector(tmp_path / name, seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
