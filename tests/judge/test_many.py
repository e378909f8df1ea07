"""Holm's and Benjamini and Hochberg's methods, the screen, and the planned contrasts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.judge.effects import effect
from ohwx_compare.judge.factorial import factorial
from ohwx_compare.judge.many import benjamini_hochberg, holm, screen

# Benjamini & Hochberg 1995, 4.1: at .05 theirs rejects four, Bonferroni's three
P = (0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1.0)


def test_worked_examples():
    assert sum(q <= 0.05 for q in benjamini_hochberg(P)) == 4
    assert sum(p <= 0.05 for p in holm(P)) == 3
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert holm([]) == benjamini_hochberg([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms())
def test_adjusting_keeps_the_order_and_does_not_depend_on_it(p, random):
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        assert all(a <= b + 1e-12 <= 1 + 1e-9 for a, b in zip(p, adjusted, strict=True))
        shuffled = random.sample(list(zip(p, adjusted, strict=True)), len(p))
        assert adjust([one for one, _ in shuffled]) == pytest.approx([other for _, other in shuffled])


def test_the_screen_names_the_style_that_differs_and_no_style_of_few_seeds():
    values = 0.1 * np.random.RandomState(0).standard_normal((20, 5))
    values[3] += 1
    values[7, :2] = np.nan
    found = screen(values)
    assert [place for place, each in enumerate(found) if each and each.is_found] == [3]
    assert [place for place, each in enumerate(found) if each is None] == [7]
    assert found[3].effect == effect(values[3:4])


def planted(passes: int = 2) -> np.ndarray:
    """Each contrast has an effect of its own, and every style and seed an ease of its own."""
    arm, exposures, passed = np.ogrid[0:2, 30:151:30, 0:passes]
    cells = 0.3 * arm + exposures / 1000 + 0.1 * passed + arm * exposures / 500 + 0.04 * arm * passed
    return cells[..., None, None] + np.random.RandomState(0).standard_normal((7, 3))


def test_contrasts_are_what_was_planted():
    found = {each.name: each.effect.value for each in factorial(planted(), range(30, 151, 30))}
    assert found == pytest.approx({
        "regularization": 0.3 + 90 / 500 + 0.02,
        "exposures": 120 * (1 / 1000 + 1 / 1000),
        "regularization x exposures": 120 / 500,
        "face pass": 0.1 + 0.02,
        "regularization x face pass": 0.04,
    })  # fmt: skip


def test_what_was_not_varied_has_no_contrast():
    assert [each.name for each in factorial(planted(1), range(30, 151, 30))] == [
        "regularization", "exposures", "regularization x exposures",
    ]  # fmt: skip
    assert [each.name for each in factorial(planted()[:, :1], [30])] == [
        "regularization", "face pass", "regularization x face pass",
    ]  # fmt: skip


def test_a_seed_counts_where_its_cells_are_whole():
    values = planted() + 0.1 * np.random.RandomState(1).standard_normal((2, 5, 2, 7, 3))
    values[0, 2, 0, 0, 0] = np.nan  # the middle exposures weigh nothing in a straight line
    contrasts = factorial(values, range(30, 151, 30))
    found = {each.name: each.effect for each in contrasts}
    whole = {each.name: each.effect for each in factorial(np.where(np.isnan(values), 0, values), range(30, 151, 30))}
    assert found["exposures"] == whole["exposures"]
    assert found["regularization"].value != whole["regularization"].value
    assert [each.p for each in contrasts] == holm([each.effect.p for each in contrasts])
