import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.judge.style_scale import LEAST_APART, style_scale


def test_a_worked_example():
    scale = style_scale([0.8, 0.9, 1.0], [0.4, 0.5])
    assert (scale.floor, scale.ceiling, scale.apart, scale.refusal) == (0.9, 0.45, 1.0, "")
    assert [scale.of(d) for d in (0.9, 0.45, 0.675, 0.225)] == pytest.approx([0, 1, 0.5, 1.5])


def test_where_floor_meets_ceiling_nothing_is_said():
    """Grey pencil of the study that the bound rests on: the two overlap."""
    scale = style_scale([0.7, 0.8, 0.9], [0.72, 0.75, 0.85])
    assert scale.apart == pytest.approx(5 / 9)
    assert "56% of pairs, expected 95%" in scale.refusal
    assert scale.of(0.5) is None


@pytest.mark.parametrize(
    ("floor", "ceiling", "words"),
    [
        ([], [0.4, 0.5], "0 pictures of the base"),
        ([0.8], [0.4, 0.5], "1 picture of"),
        ([0.8, 0.9], [0.4], "1 photograph of"),
    ],
)
def test_one_of_a_kind_is_no_scale(floor, ceiling, words):
    scale = style_scale(floor, ceiling)
    assert words in scale.refusal
    assert scale.of(0.5) is None


distances = st.lists(st.floats(0, 2), min_size=2, max_size=8)


@given(distances, distances)
def test_a_scale_is_given_just_where_most_pairs_are_apart(floor, ceiling):
    """The share by counting pairs one by one; less distance is always more likeness."""
    pairs = [(1.0 if f > c else 0.5 if f == c else 0.0) for f in floor for c in ceiling]
    scale = style_scale(floor, ceiling)
    assert scale.apart == pytest.approx(np.mean(pairs))
    assert bool(scale.refusal) == (scale.apart < LEAST_APART)
    if not scale.refusal:
        assert scale.of(0.3) > scale.of(0.4)
