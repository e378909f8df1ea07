import numpy as np
import pytest
from PIL import Image

from ohwx_compare.judge.families import FAMILIES, family_of


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("photo of ohwx man", "photo"),
        ("Pencil sketch of ohwx man", "pencil"),
        ("colored pencil drawing", "coloured pencil"),
        ("watercolor painting of a photographer", "watercolour"),
        ("oil painting", "oil"),
        ("anime screenshot of ohwx man", "cartoon"),
        ("pixel art, 16-bit", "pixel art"),
        ("3d render of ohwx man", None),
        ("boiled egg", None),
    ],
)
def test_a_style_is_of_the_family_that_it_names(style, name):
    family = family_of(style)
    assert (family and family.name) == name


@pytest.fixture(scope="module")
def crop(goldens):
    return Image.open(goldens / "astronaut.png").convert("RGB").resize((768, 768))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_filter_draws_the_same_picture_each_time(family, crop):
    before = np.array(crop)
    drawn = family.draw(crop)
    assert (drawn.shape, drawn.dtype) == ((768, 768, 3), np.uint8)
    assert np.array_equal(drawn, family.draw(crop))
    assert np.array_equal(np.asarray(crop), before)
    assert np.array_equal(drawn, before) == (family.name == "photo")


def drawn(name, crop):
    return next(family for family in FAMILIES if family.name == name).draw(crop)


def test_filters_keep_what_their_style_has(crop):
    pencil = drawn("pencil", crop)
    assert np.ptp(pencil, axis=2).max() == 0
    assert np.median(pencil) > 240
    squares = drawn("pixel art", crop).reshape(64, 12, 64, 12, 3)
    assert np.ptp(squares, axis=(1, 3)).max() == 0
    assert len(np.unique(drawn("pixel art", crop).reshape(-1, 3), axis=0)) <= 16
    assert len(np.unique(drawn("cartoon", crop))) <= 9
    assert drawn("watercolour", crop).mean() > np.asarray(crop).mean()
    rough = [np.abs(np.diff(image.astype(int), axis=1)).mean() for image in (drawn("oil", crop), np.asarray(crop))]
    assert rough[0] < rough[1]
