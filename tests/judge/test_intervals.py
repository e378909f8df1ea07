"""Intervals: worked examples of their sources, and how often they hold the truth."""

import numpy as np
import pytest

from ohwx_compare.judge.intervals import mean_of, share_of


def test_wilson_of_a_worked_example():
    found = share_of(81, 263)  # Newcombe 1998, Statistics in Medicine 17:857, table I
    assert (found.value, found.low, found.high) == pytest.approx((0.3080, 0.2553, 0.3662), abs=5e-5)
    assert share_of(0, 20).low == 0
    assert share_of(20, 20).high == pytest.approx(1)


def test_student_of_his_own_example():
    """The hours of sleep gained with one drug rather than the other (Student 1908): 0.70 to 2.46."""
    found = mean_of([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert (found.value, found.low, found.high) == pytest.approx((1.58, 0.70, 2.46), abs=0.005)
    assert found.is_clear


@pytest.mark.parametrize("n", [2, 4, 8, 24])
def test_an_interval_holds_the_mean_in_95_of_100_draws(n):
    draws = np.random.RandomState(n).standard_normal((2000, n)) + 3
    held = np.mean([each.low <= 3 <= each.high for each in map(mean_of, draws)])
    assert held == pytest.approx(0.95, abs=0.015)
