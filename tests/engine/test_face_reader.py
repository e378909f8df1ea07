"""The way from a picture to numbers, with drawn files of dlib's format; the real ones: test_against_dlib.py."""

import dlib_writer as write
import numpy as np
import pytest
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.face_chip import face_chip
from ohwx_compare.engine.face_reader import FaceReader
from ohwx_compare.errors import MeasureError

BOXES = [Box(99, 63, 186, 150), Box(90.5, 50.25, 180, 160)]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "net.dat").write_bytes(write.network(write.drawn_weights()))
    (folder / "points.dat").write_bytes(write.predictor(write.drawn_predictor()))
    return FaceReader.load(folder / "net.dat", folder / "points.dat")


@pytest.fixture(scope="module")
def image(goldens):
    return Image.open(goldens / "astronaut.png").convert("RGB")


def test_a_face_is_its_chip_through_the_network(reader, image):
    found = reader.read([image] * 2, BOXES)
    chips = [face_chip(np.asarray(image), reader.points(np.asarray(image), box), write.SIDE) for box in BOXES]
    assert found.shape == (2, write.OUTPUTS)
    np.testing.assert_allclose(found, reader.read_chips(np.stack(chips)), atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_more_faces_than_a_batch_and_none(reader, image):
    many = reader.read([image] * 19, [BOXES[0]] * 19)
    np.testing.assert_allclose(many, reader.read([image], BOXES[:1]).repeat(19, 0), atol=1e-5)
    assert reader.read([], []).shape == (0, write.OUTPUTS)


def test_a_picture_of_any_mode_is_read_as_rgb(reader, image):
    grey = image.convert("L")
    np.testing.assert_array_equal(reader.read([grey], BOXES[:1]), reader.read([grey.convert("RGB")], BOXES[:1]))


def test_the_wrong_file_in_a_place_is_a_sentence(tmp_path):
    for name, data in (
        ("net.dat", write.network(write.drawn_weights())),
        ("points.dat", write.predictor(write.drawn_predictor())),
    ):
        (tmp_path / name).write_bytes(data)
    with pytest.raises(MeasureError, match=r"points\.dat is no readable file"):
        FaceReader.load(tmp_path / "points.dat", tmp_path / "points.dat")
    with pytest.raises(MeasureError, match=r"net\.dat is no "):
        FaceReader.load(tmp_path / "net.dat", tmp_path / "net.dat")
    (tmp_path / "two.dat").write_bytes(write.predictor(write.drawn_predictor(points=2)))
    with pytest.raises(MeasureError, match=r"two\.dat finds 2 points of a face, expected 5"):
        FaceReader.load(tmp_path / "net.dat", tmp_path / "two.dat")
