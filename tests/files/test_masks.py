"""Masks: ADetailer's and the webui's figures, and laws."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from ohwx_compare.core.geometry import Box, CropPaste
from ohwx_compare.errors import GeometryError, ImageError
from ohwx_compare.files import masks

SIZE = (48, 40)
offsets = st.integers(-60, 60)


@st.composite
def boxes(draw):
    x1, y1 = draw(st.integers(0, 46)), draw(st.integers(0, 38))
    return Box(x1, y1, draw(st.integers(x1, 47)), draw(st.integers(y1, 39)))


def white(mask) -> int:
    return int((np.array(mask) == 255).sum())


def test_a_detections_box_is_truncated_and_both_ends_are_white():
    mask = masks.box_mask(SIZE, Box(10.7, 4.2, 20.9, 8.0))
    assert masks.bounding_box(mask) == Box(10, 4, 21, 9)
    assert white(mask) == 11 * 5
    with pytest.raises(GeometryError, match="inverted"):
        masks.box_mask(SIZE, Box(5, 0, 4, 1))


def test_ratio_and_black():
    assert masks.box_ratio((10, 20), Box(0, 0, 5, 10)) == 0.25
    black = Image.new("L", SIZE)
    assert masks.is_black(black)
    assert masks.bounding_box(black) is None
    assert not masks.is_black(masks.box_mask(SIZE, Box(0, 0, 0, 0)))


@given(boxes(), offsets, offsets)
def test_offset_wraps_and_can_be_undone(box, x, y):
    mask = masks.box_mask(SIZE, box)
    moved = masks.offset(mask, x, y)
    assert white(moved) == white(mask)
    assert masks.offset(moved, -x, -y) == mask
    assert masks.offset(mask, SIZE[0], SIZE[1]) == mask


def test_offset_is_right_and_up():
    assert masks.bounding_box(masks.offset(masks.box_mask(SIZE, Box(10, 10, 12, 12)), 3, 5)) == Box(13, 5, 16, 8)


def test_dilation_by_four_grows_one_px_left_and_two_right():
    mask = masks.box_mask(SIZE, Box(20, 20, 24, 24))
    grown = masks.bounding_box(masks.dilate(mask, 4))
    assert (20 - grown.x1, grown.x2 - 25) == (1, 2)
    assert (20 - grown.y1, grown.y2 - 25) == (1, 2)


@given(boxes(), st.integers(1, 9))
def test_dilation_and_erosion(box, side):
    mask = np.array(masks.box_mask(SIZE, box))
    image = Image.fromarray(mask)
    assert (np.array(masks.dilate(image, side)) >= mask).all()
    assert (np.array(masks.dilate(image, -side)) <= mask).all()
    assert masks.dilate(image, 0) is image


@given(boxes(), boxes())
def test_merge_is_the_union_and_invert_is_the_rest(one, two):
    first, second = masks.box_mask(SIZE, one), masks.box_mask(SIZE, two)
    union, rest = masks.merge([first, second]), masks.merge([first, second], invert=True)
    assert (np.array(union) == np.maximum(np.array(first), np.array(second))).all()
    assert (np.array(union) + np.array(rest) == 255).all()
    assert masks.merge([first]) == first


def test_merging_nothing_is_an_error():
    with pytest.raises(ImageError, match="at least one"):
        masks.merge([])


@settings(max_examples=30)
@example(Box(13, 24, 13, 24), 11)
@given(boxes(), st.integers(1, 12))
def test_a_blur_spreads_by_its_kernel_at_most(box, sigma):
    sigma = min(sigma, math.isqrt(int((box.width + 1) * (box.height + 1))))  # more washes a small mask out
    blurred = masks.bounding_box(masks.gaussian_blur(masks.box_mask(SIZE, box), sigma))
    reach = int(2.5 * sigma + 0.5)
    assert box.x1 - reach <= blurred.x1 <= box.x1
    assert box.y2 + 1 <= blurred.y2 <= box.y2 + 1 + reach


def test_a_blur_of_four_widens_the_box_by_ten():
    wide = masks.box_mask((200, 200), Box(60, 60, 139, 139))
    assert masks.bounding_box(masks.gaussian_blur(wide, 4)) == Box(50, 50, 150, 150)
    assert masks.gaussian_blur(wide, 0) is wide


def test_latent_masks_are_zero_and_one():
    latent = masks.latent_mask(masks.gaussian_blur(masks.box_mask((128, 64), Box(20, 20, 90, 50)), 4), (16, 8))
    assert latent.shape == (8, 16)
    assert latent.dtype == np.float32
    assert set(np.unique(latent)) == {0.0, 1.0}


def test_doubling_saturates():
    levels = Image.fromarray(np.array([[0, 1, 127, 128, 255]], np.uint8))
    assert np.array(masks.double(levels)).tolist() == [[0, 2, 254, 255, 255]]


def noise_picture(size, seed=0):
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, (size[1], size[0], 3), np.uint8))


def test_pasting_leaves_everything_outside_the_mask():
    picture, mask = noise_picture((96, 80)), masks.box_mask((96, 80), Box(30, 30, 50, 60))
    change = CropPaste.around(masks.bounding_box(mask), padding=8, picture=(96, 80), canvas=(64, 64))
    whole = masks.paste(noise_picture((64, 64), 1), masks.overlay(picture, mask), change)
    same = (np.array(whole) == np.array(picture)).all(axis=2)
    assert whole.size == picture.size
    assert same[np.array(mask) == 0].all()
    assert not same[np.array(mask) == 255].all()


def test_a_crop_fills_the_canvas_with_its_edges():
    picture = noise_picture((90, 30))
    cut = masks.crop(picture, CropPaste(picture.size, Box(0, 0, 90, 30), (60, 60)))
    pixels = np.array(cut)
    assert cut.size == (60, 60)
    assert (pixels[:20] == pixels[0]).all()
    assert (pixels[40:] == pixels[59]).all()


@given(st.integers(8, 90), st.integers(8, 90))
def test_a_crop_at_its_own_size_is_the_crop(width, height):
    picture = noise_picture((width, height))
    change = CropPaste((width, height), Box(0, 0, width, height), (width, height))
    assert masks.crop(picture, change) == picture


def test_resized_pictures_stretch_lose_their_ends_or_gain_some():
    wide = Image.new("RGB", (40, 20), "red")
    wide.paste("blue", (10, 0, 30, 20))
    reds = {
        mode: masks.fitted(wide, (16, 16), mode).getpixel((2, 1))[0] for mode in ("stretch", "crop", "fill", "latent")
    }
    assert reds["crop"] < 5 < 250 < min(reds["stretch"], reds["fill"], reds["latent"])
    assert masks.fitted(wide, (16, 16), "latent") == masks.fitted(wide, (16, 16), "fill")


def test_what_is_filled_takes_its_colours_from_around_the_mask():
    image, mask = Image.new("RGB", (64, 64), (10, 200, 30)), Image.new("L", (64, 64))
    image.paste("white", (20, 20, 44, 44))
    mask.paste(255, (16, 16, 48, 48))
    filled = np.asarray(masks.filled_in(image, mask), dtype=int)
    assert np.abs(filled - (10, 200, 30)).max() <= 8
