"""Geometry: the webui's own figures, and laws that hold for every box."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ohwx_compare.core.geometry import Box, CropPaste, contain, cover, crop_region
from ohwx_compare.errors import GeometryError

sizes = st.tuples(st.integers(8, 2048), st.integers(8, 2048))


@st.composite
def pictures_and_boxes(draw):
    width, height = draw(sizes)
    x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (width, height), Box(x1, y1, draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height)))


def test_a_boxs_measures():
    box = Box(1.5, 2, 4, 6)
    assert (box.width, box.height, box.area, box.xyxy) == (2.5, 4, 10, (1.5, 2, 4, 6))
    assert Box(4, 0, 1, 9).area == 0


def test_the_webuis_own_example():
    """expand_crop_region's docstring: 128x32 drawn at 512x512 becomes 128x128."""
    assert crop_region(Box(100, 200, 228, 232), 0, (1024, 1024), (512, 512)) == Box(100, 152, 228, 280)


def test_the_smaller_half_goes_first_and_the_border_shifts():
    assert crop_region(Box(10, 10, 20, 15), 0, (64, 64), (64, 64)) == Box(10, 8, 20, 18)
    assert crop_region(Box(10, 0, 20, 5), 0, (64, 64), (64, 64)) == Box(10, 0, 20, 10)
    assert crop_region(Box(59, 10, 64, 20), 0, (64, 64), (64, 64)) == Box(54, 10, 64, 20)


@given(pictures_and_boxes(), st.integers(0, 256), sizes)
def test_a_crop_holds_its_box_inside_the_picture(drawn, padding, canvas):
    (width, height), box = drawn
    crop = crop_region(box, padding, (width, height), canvas)
    assert 0 <= crop.x1 <= box.x1 < box.x2 <= crop.x2 <= width
    assert 0 <= crop.y1 <= box.y1 < box.y2 <= crop.y2 <= height


@given(pictures_and_boxes(), st.integers(0, 64), sizes)
def test_a_crop_has_the_canvas_proportions_where_the_picture_allows(drawn, padding, canvas):
    (width, height), box = drawn
    crop = crop_region(box, padding, (width, height), canvas)
    assume(crop.width < width and crop.height < height)
    ratio = canvas[0] / canvas[1]
    assert crop.width - 1 <= crop.height * ratio + ratio
    assert crop.height - 1 <= crop.width / ratio + 1 / ratio


@given(pictures_and_boxes(), st.integers(0, 64), sizes)
def test_both_directions_of_a_crop(drawn, padding, canvas):
    picture, box = drawn
    change = CropPaste.around(box, padding=padding, picture=picture, canvas=canvas)
    into, back = change.into, change.back
    assert into.x >= 0
    assert into.y >= 0
    assert into.width <= canvas[0]
    assert into.height <= canvas[1]
    assert into.width == canvas[0] or into.height == canvas[1]
    assert back.width >= change.size[0] - 1
    assert back.height >= change.size[1] - 1
    assert back.width == change.size[0] or back.height == change.size[1]


@given(sizes, st.integers(1, 4))
def test_the_same_proportions_fit_exactly(size, times):
    canvas = (size[0] * times, size[1] * times)
    for place in (contain(size, canvas), cover(size, canvas)):
        assert (place.width, place.height, place.x, place.y) == (*canvas, 0, 0)


@pytest.mark.parametrize("box", [Box(5, 5, 5, 9), Box(70, 0, 80, 9), Box(9, 9, 3, 3)])
def test_a_box_with_nothing_in_the_picture_is_refused(box):
    with pytest.raises(GeometryError, match="covers nothing of the picture"):
        crop_region(box, 0, (64, 64), (64, 64))


def test_an_empty_canvas_is_refused():
    with pytest.raises(GeometryError, match="0x64"):
        contain((64, 64), (0, 64))
