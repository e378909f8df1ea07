"""A drawn shape predictor, read from dlib's format, against a walk through its trees one by one."""

import dlib_writer as write
import numpy as np
import pytest

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.landmarks import FaceFrame, similarity
from ohwx_compare.engine.landmarks_file import read_landmarks
from ohwx_compare.errors import MeasureError

PIXELS = np.random.RandomState(3).randint(0, 256, (60, 50, 3)).astype(np.uint8)


@pytest.fixture
def saved(tmp_path):
    def save(data: bytes):
        path = tmp_path / "drawn.dat"
        path.write_bytes(data)
        return path

    return save


def umeyama(source, target):
    """Turn times scale of the best similarity between (N, 2) points, by singular values as in the paper."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, d, v = np.linalg.svd(b.T @ a)
    sign = np.diag([1, np.sign(np.linalg.det(u @ v))])
    return u @ sign @ v * (np.diag(d) @ sign).trace() / (a**2).sum()


def walk(parts, pixels, box):
    """The search as the paper has it, a tree at a time, points in px."""
    left, top, right, bottom = box
    shape = parts["mean"].astype(np.float32)
    for stage in range(len(parts["anchors"])):
        turn = umeyama(parts["mean"].reshape(-1, 2).astype(float), shape.reshape(-1, 2).astype(float))
        values = []
        for anchor, offset in zip(parts["anchors"][stage], parts["offsets"][stage], strict=True):
            place = turn @ offset + shape.reshape(-1, 2)[anchor]
            x, y = np.floor(place * (right - 1 - left, bottom - 1 - top) + (left, top) + 0.5).astype(int)
            inside = 0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]
            values.append(int(pixels[y, x].sum()) // 3 if inside else 0)
        before = shape.copy()
        for pairs, thresholds, leaves in zip(
            *(parts[p][stage] for p in ("pairs", "thresholds", "leaves")), strict=True
        ):
            node = 0
            while node < len(pairs):
                first, second = pairs[node]
                node = 2 * node + (1 if values[first] - values[second] > thresholds[node] else 2)
            before = before + leaves[node - len(pairs)]
        shape = before
    return shape.reshape(-1, 2) * (right - 1 - left, bottom - 1 - top) + (left, top)


@pytest.mark.parametrize("box", [(10, 12, 40, 44), (-8, 20, 25, 53), (30, 40, 90, 100)])
@pytest.mark.parametrize("shape", [{}, {"points": 2, "depth": 1}, {"stages": 1, "trees": 1, "depth": 4}])
def test_a_drawn_predictor_finds_what_a_walk_finds(saved, box, shape):
    parts = write.drawn_predictor(**shape)
    found = read_landmarks(saved(write.predictor(parts))).find(PIXELS, FaceFrame.of(Box(*box)))
    np.testing.assert_allclose(np.stack([found.real, found.imag], 1), walk(parts, PIXELS, box), atol=1e-3)


def test_a_frame_of_points_holds_them_as_the_mean_face_does(saved):
    landmarks = read_landmarks(saved(write.predictor(write.drawn_predictor())))
    mean = landmarks.mean.reshape(-1, 2)
    turned = FaceFrame(3 + 4j, 20 + 10j, 1j * (20 + 10j))
    again = landmarks.frame(turned.place(*mean.T))
    assert (again.corner, again.across, again.down) == pytest.approx((turned.corner, turned.across, turned.down))


def test_a_similarity_comes_back():
    points = np.random.RandomState(0).standard_normal(5) + 1j * np.random.RandomState(1).standard_normal(5)
    factor, shift = similarity(points, (2 - 3j) * points + 7j)
    assert (factor, shift) == (pytest.approx(2 - 3j), pytest.approx(7j))


def test_every_cut_and_change_is_a_sentence_or_an_answer(saved):
    whole = write.predictor(write.drawn_predictor())
    for length in range(0, len(whole), 211):
        with pytest.raises(MeasureError, match=r"^drawn\.dat .*\.$"):
            read_landmarks(saved(whole[:length]))
    draw = np.random.RandomState(0)
    for _ in range(200):
        data = bytearray(whole)
        data[draw.randint(len(whole))] = draw.randint(256)
        try:
            read_landmarks(saved(bytes(data)))
        except MeasureError as error:
            assert len(str(error)) < 500  # noqa: PT017  some changes are thresholds


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"anchors": 5}, "point 0 to 5 of 5"),
        ({"pairs": 20}, "pixel .* of 20"),
    ],
)
def test_what_it_does_not_have_is_named(saved, change, word):
    parts = write.drawn_predictor()
    for name, value in change.items():
        parts[name].flat[0] = value
        parts[name].flat[1] = 0
    with pytest.raises(MeasureError, match=word):
        read_landmarks(saved(write.predictor(parts)))
