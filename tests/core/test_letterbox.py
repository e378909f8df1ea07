import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.letterbox import Letterbox
from ohwx_compare.errors import GeometryError

sides = st.integers(1, 4096)
letterboxes = st.builds(Letterbox, sides, sides, st.sampled_from([320, 640, 1280]))
boxes = st.tuples(*[st.floats(0, 4096)] * 4).map(lambda v: Box(*v))


def corners(box):
    return pytest.approx((box.x1, box.y1, box.x2, box.y2), rel=1e-9, abs=1e-6)


@given(letterboxes, boxes)
def test_a_box_goes_there_and_back(letterbox, box):
    back = letterbox.inverse(letterbox.forward(box))
    assert (back.x1, back.y1, back.x2, back.y2) == corners(box)


@given(letterboxes)
def test_padding_is_minimal_and_even(letterbox):
    left, top, right, bottom = letterbox.padding
    assert all(side % 32 == 0 for side in letterbox.outer)
    assert max(letterbox.outer) == max(letterbox.inner) == letterbox.size
    assert 0 <= right - left <= 1
    assert 0 <= bottom - top <= 1
    assert left + right < 32
    assert top + bottom < 32


@given(letterboxes)
def test_the_frame_of_boxes_is_the_pasted_picture_but_for_rounding(letterbox):
    whole = letterbox.forward(Box(0, 0, letterbox.width, letterbox.height))
    (width, height), (left, top, _, _) = letterbox.inner, letterbox.padding
    assert (whole.x1, whole.y1) == pytest.approx((left, top), abs=1 + letterbox.size * 0.25 / min(width, height))
    # A short side rounded down to a multiple of the stride makes ultralytics' one scale half a px too small there.
    longest = 1 + letterbox.size * 0.5 / min(width, height)
    assert (whole.width, whole.height) == pytest.approx((width, height), abs=longest)


@given(letterboxes, boxes)
def test_a_clipped_box_lies_in_the_picture_and_stays(letterbox, box):
    clipped = letterbox.clip(box)
    assert 0 <= clipped.x1 <= letterbox.width
    assert 0 <= clipped.y2 <= letterbox.height
    assert letterbox.clip(clipped) == clipped


def test_worked_example_of_a_tall_picture():
    letterbox = Letterbox(832, 1216)
    assert letterbox.inner == (438, 640)
    assert letterbox.padding == (5, 0, 5, 0)
    assert letterbox.outer == (448, 640)


def test_the_odd_pixel_goes_right():
    assert Letterbox(831, 1216).padding == (5, 0, 6, 0)


@pytest.mark.parametrize("bad", [(0, 10), (10, -1), (10, 10, 600)])
def test_what_cannot_be_is_refused(bad):
    with pytest.raises(GeometryError):
        Letterbox(*bad)
