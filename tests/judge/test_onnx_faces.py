"""A face network of the user's own: a drawn ONNX graph whose four corners' means are its answer."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detect import Detection
from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.extras import extra_module
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.onnx_faces import OnnxFaces
from ohwx_compare.judge.references import FaceSight, read_references

WHY = "needs `pip install onnxruntime onnx`"
EYES = np.array([90 + 60j, 80 + 60j, 50 + 60j, 60 + 60j, 70 + 80j])  # dlib's order: the picture's right eye first


def graph(path, *, of=("N", 3, 112, 112), kernel=56, licence="Apache-2.0"):
    """Means of squares of `kernel` px, as they are or less 0.1 each: other weights."""
    onnx = pytest.importorskip("onnx", reason=WHY)
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    outputs = 3 * (112 // kernel) ** 2
    nodes = [
        helper.make_node("AveragePool", ["face"], ["means"], kernel_shape=[kernel, kernel], strides=[kernel, kernel]),
        helper.make_node("Flatten", ["means"], ["numbers"]),
    ]
    face = helper.make_tensor_value_info("face", floats, of)
    numbers = helper.make_tensor_value_info("numbers", floats, ("N", outputs))
    drawn = helper.make_graph(nodes, "drawn", [face], [numbers])
    model = helper.make_model(drawn, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if licence:
        helper.set_model_props(model, {"license": licence})
    onnx.save(model, str(path))
    return path


@pytest.fixture
def faces(tmp_path):
    pytest.importorskip("onnxruntime", reason=WHY)
    return OnnxFaces(graph(tmp_path / "gesicht ä.onnx"), lambda pixels, box: EYES + complex(box.x1, box.y1))


def test_a_face_is_upright_rgb_from_minus_one_to_one_and_of_length_one(faces):
    """Left of the nose red, right of it blue: the eyes' middle is the chip's middle, up to half a pixel."""
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[:, :70], pixels[:, 70:] = (255, 0, 0), (0, 0, 255)
    given, run = [], faces._session.run
    faces._session = SimpleNamespace(run=lambda names, of: given.extend(of.values()) or run(names, of))
    (said,) = faces.read([Image.fromarray(pixels)], [Box(0, 0, 140, 140)])
    assert (given[0].shape, given[0].min(), given[0].max()) == ((1, 3, 112, 112), -1, 1)
    red, green, blue = said.reshape(3, 2, 2)
    assert np.linalg.norm(said) == pytest.approx(1, abs=1e-6)
    assert np.allclose(green, -1 / np.sqrt(12), atol=0.02)
    assert np.allclose([red[:, 0], blue[:, 1]], 1 / np.sqrt(12), atol=0.02)
    assert np.allclose([red[:, 1], blue[:, 0]], -1 / np.sqrt(12), atol=0.02)


def test_a_turned_face_answers_as_an_upright_one(faces):
    random = np.random.default_rng(0)
    pixels = np.kron(random.integers(0, 256, (10, 10, 3), np.uint8), np.ones((14, 14, 1), np.uint8))
    upright = Image.fromarray(pixels)
    faces._points = lambda pixels, box: EYES
    (first,) = faces.read([upright], [Box(0, 0, 140, 140)])
    faces._points = lambda pixels, box: EYES.imag + 1j * (139 - EYES.real)  # a quarter turn against the clock
    (second,) = faces.read([upright.transpose(Image.Transpose.ROTATE_90)], [Box(0, 0, 140, 140)])
    assert np.abs(first - second).max() < 0.02


def test_what_the_file_says_and_holds_is_recorded_and_another_file_is_another_measure(faces, tmp_path):
    class OneFace:
        name, sha256, kind, note = "one face", "1" * 64, "drawn", ""

        def detect(self, images, confidence):
            return [[Detection(Box(0, 0, 140, 140), 0.9)] for _ in images]

    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(2):
        Image.new("RGB", (200, 200), (200, 100 + number, 50)).save(photos / f"{number}.png")
    keys, other = set(), graph(tmp_path / "other.onnx", kernel=28, licence="")
    for reader in (faces, OnnxFaces(other, faces._points)):
        sight = FaceSight(OneFace(), reader, network=reader.network)
        measure = Likeness(sight, read_references([photos], sight))
        assert measure.sha256 == reader.network.sha256 == measure.settings["network"]
        assert reader.network.name in measure.words.title
        keys.add((measure.key, measure.licence))
    assert {licence for _, licence in keys} == {"Apache-2.0", "not said by other.onnx"}
    assert len({key for key, _ in keys}) == 2


@pytest.mark.parametrize("of", [("N", 1, 112, 112), ("N", 3, 112, 224), ("N", 3, "H", "H")])
def test_another_networks_shapes_are_a_sentence(tmp_path, of):
    pytest.importorskip("onnxruntime", reason=WHY)
    with pytest.raises(MeasureError, match="not a face network of ArcFace's kind"):
        OnnxFaces(graph(tmp_path / "other.onnx", of=of), lambda pixels, box: EYES)


def test_a_file_that_is_none_is_a_sentence(tmp_path):
    pytest.importorskip("onnxruntime", reason=WHY)
    (tmp_path / "no.onnx").write_bytes(b"no network")
    with pytest.raises(MeasureError, match=r"no\.onnx cannot be read as an ONNX network"):
        OnnxFaces(tmp_path / "no.onnx", lambda pixels, box: EYES)


def test_a_package_that_is_not_there_is_named_with_its_extra():
    with pytest.raises(MeasureError, match=r"the extra \[onnx\]: `pip install"):
        extra_module("onnxruntime_that_nobody_has", "onnx")
