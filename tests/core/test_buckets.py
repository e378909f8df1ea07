"""Buckets: sd-scripts' own choices, and what any choice must satisfy."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.buckets import BucketPlacement, Buckets
from ohwx_compare.errors import GeometryError

sides = st.integers(64, 6000)


def rule(case: dict) -> Buckets:
    return Buckets(
        resolution=tuple(case["resolution"]),
        smallest=case["min_bucket"],
        largest=case["max_bucket"],
        step=case["step"],
        no_upscale=case["no_upscale"],
    )


@pytest.mark.parametrize("number", range(4))
def test_buckets_equal_kohyas(goldens, number):
    case = json.loads((goldens / "kohya_buckets.json").read_text(encoding="utf-8"))[number]
    buckets = rule(case)
    if case["predefined"]:
        assert buckets.predefined == tuple(map(tuple, case["predefined"]))
    assert len(case["rows"]) == 20
    for row in case["rows"]:
        placed = buckets.place(tuple(row["image"]))
        assert (list(placed.bucket), list(placed.resized)) == (row["bucket"], row["resized"]), row


@given(width=sides, height=sides, no_upscale=st.booleans(), largest=st.sampled_from([1024, 2048]))
def test_a_picture_covers_its_bucket_and_no_more_than_half_a_pixel_is_off(width, height, no_upscale, largest):
    buckets = Buckets(resolution=(1024, 1024), largest=largest, no_upscale=no_upscale)
    try:
        placed = buckets.place((width, height))
    except GeometryError:
        assert no_upscale
        return
    assert placed.bucket[0] <= placed.resized[0]
    assert placed.bucket[1] <= placed.resized[1]
    assert placed.bucket[0] % 64 == placed.bucket[1] % 64 == 0
    assert placed.bucket[0] * placed.bucket[1] <= 1024 * 1024
    if no_upscale:
        assert placed.resized[0] <= width + 1


def test_the_crop_is_told_on_the_axis_that_was_cropped():
    placed = BucketPlacement(original=(1024, 1536), resized=(1024, 1536), bucket=(1024, 1024))
    assert placed.crop == (0, 256)
    assert placed.conditioning() == (1536, 1024, 256, 0, 1024, 1024)
    assert placed.conditioning(kohya_crop=True) == (1536, 1024, 0, 170, 1024, 1024)


@given(side=sides)
def test_squares_are_not_cropped(side):
    placed = Buckets(resolution=(1024, 1024)).place((side, side))
    assert placed.conditioning() == placed.conditioning(kohya_crop=True) == (side, side, 0, 0, 1024, 1024)


def test_one_bucket_takes_all():
    assert Buckets(resolution=(768, 512), only_resolution=True).place((100, 900)).bucket == (768, 512)


def test_too_small_a_picture_is_named():
    with pytest.raises(GeometryError, match="40x900"):
        Buckets(resolution=(1024, 1024), no_upscale=True).place((40, 900))
