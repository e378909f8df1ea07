"""The planner: what can be detected, and with how many styles."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.effects import effect
from ohwx_compare.judge.planner import Spread, designs, detectable, power, spread_of


def test_blooms_multiplier_and_a_table():
    """2.8 standard errors for many, 3.5 for six; with the demo's style sd of .117."""
    assert detectable(1, 10_000) == pytest.approx(1.96 + 0.84, abs=0.005)
    told = {6: 0.167, 10: 0.116, 20: 0.077, 30: 0.062, 60: 0.043, 100: 0.033}
    for styles, difference in told.items():
        assert detectable(Spread(0.117, 0).error(styles, 1), styles - 1) == pytest.approx(difference, abs=5e-4)


@given(st.floats(0.01, 1), st.integers(2, 200))
def test_what_is_detectable_is_found_in_four_of_five(error, freedom):
    assert power(detectable(error, freedom), error, freedom) == pytest.approx(0.8)
    assert power(0, error, freedom) == pytest.approx(0.025)  # of the wrong half, the other sign is not counted


def test_both_spreads_come_back():
    random = np.random.RandomState(0)
    values = 0.2 * random.standard_normal((4000, 1)) + 0.1 * random.standard_normal((4000, 4))
    values[random.random_sample(values.shape) < 0.2] = np.nan
    found = spread_of(values)
    assert (found.style, found.seed) == pytest.approx((0.2, 0.1), rel=0.03)
    whole = values[~np.isnan(values).any(1)]
    assert spread_of(whole).error(len(whole), 4) == pytest.approx(effect(whole).error)


def test_a_plan_starts_from_pictures():
    with pytest.raises(ExperimentError, match="two styles and two seeds, got 3 styles and 3 pairs"):
        spread_of(np.zeros((3, 1)))


@given(st.floats(0.0, 0.3), st.floats(0.01, 0.3), st.floats(0.03, 0.2))
def test_designs_detect_with_as_few_styles_as_do_and_styles_come_before_seeds(style, seed, difference):
    spread = Spread(style, seed)
    found = designs(spread, difference)
    assert sorted(one.seeds for one in found) == [1, 2, 4, 8]
    for one in found:
        assert one.cells == one.styles * one.seeds
        assert detectable(spread.error(one.styles, one.seeds), one.styles - 1) <= difference
        fewer = one.styles - 1
        assert fewer < 6 or detectable(spread.error(fewer, one.seeds), fewer - 1) > difference
    assert [one.cells for one in found] == sorted(one.cells for one in found)
    by_seeds = sorted(found, key=lambda one: one.seeds)
    assert all(a.styles >= b.styles for a, b in pairwise(by_seeds))


def test_what_no_number_of_styles_would_detect_is_refused():
    with pytest.raises(ExperimentError, match="do not detect 1e-06"):
        designs(Spread(0.3, 0.3), 1e-6)
