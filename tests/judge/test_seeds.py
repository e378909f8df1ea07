"""Seeds that all styles share: seen where they pull together, silent where they do not."""

import numpy as np
import pytest

from ohwx_compare.judge.effects import effect
from ohwx_compare.judge.planner import Spread, designs, spread_of
from ohwx_compare.judge.seeds import other_seeds, seed_variance
from ohwx_compare.judge.student import f_tail, tail
from ohwx_compare.judge.verdict import Word, verdict
from ohwx_compare.judge.words import Clause, line, one_sentence


def layout(styles: int, seeds: int, shared: float, seed: int = 0) -> np.ndarray:
    random = np.random.RandomState(seed)
    common = shared * random.standard_normal((1, seeds))
    return 0.05 * random.standard_normal((styles, 1)) + common + 0.1 * random.standard_normal((styles, seeds))


@pytest.mark.parametrize("freedom", [1, 5, 40.5])
def test_fishers_f_of_one_degree_of_freedom_is_students_t_squared(freedom):
    for t in (0.1, 1.0, 4.0):
        assert f_tail(t**2, 1, freedom) == pytest.approx(2 * tail(t, freedom))


def test_fishers_printed_table():
    """Fisher & Yates, table V: 5 % at 3 and 15 degrees of freedom is 3.29, 1 % at 4 and 20 is 4.43."""
    assert f_tail(3.287, 3, 15) == pytest.approx(0.05, abs=5e-5)
    assert f_tail(4.431, 4, 20) == pytest.approx(0.01, abs=5e-5)


def test_the_two_way_layout_adds_up():
    """Squares of styles, seeds and rest are those of all values."""
    values = layout(5, 4, 0.1)
    found = seed_variance(values)
    styles = 4 * ((values.mean(1) - values.mean()) ** 2).sum()
    assert styles + 3 * found.square + 12 * found.rest == pytest.approx(((values - values.mean()) ** 2).sum())
    assert (found.seeds, found.freedom, found.styles) == (4, 12, 5)
    assert found.shared == pytest.approx((found.square - found.rest) / 5)


def test_seeds_of_their_own_are_flagged_as_rarely_as_is_said():
    found = [seed_variance(layout(6, 4, 0, seed)) for seed in range(1000)]
    assert np.mean([one.is_visible for one in found]) == pytest.approx(0.05, abs=0.03)
    assert np.mean([one.may_be for one in found]) == pytest.approx(0.25, abs=0.05)


def test_nothing_is_said_of_all_seeds_that_other_seeds_would_overturn():
    """Nothing differs, seeds share 15 % of the variance within 15 styles: "more" or "less" of these seeds alone is
    said in 14 % of experiments, without that word in 5.
    """
    random, bare = np.random.RandomState(1), []
    for _ in range(1000):
        seeds = np.sqrt(0.105) * random.standard_normal((1, 4))
        values = 0.1 * (np.sqrt(0.3) * random.standard_normal((15, 1)) + seeds)
        values = values + 0.1 * np.sqrt(0.595) * random.standard_normal((15, 4))
        if effect(values).is_clear:
            bare.append(not verdict(effect(values), wider=other_seeds(values)).of_these_seeds)
    assert 100 < len(bare) < 200
    assert sum(bare) < 68


def test_seeds_that_pull_together_widen_the_interval():
    values = layout(30, 4, 0.1, seed=1)
    own, wider = effect(values), other_seeds(values)
    assert wider.value == own.value
    assert wider.low < own.low < own.high < wider.high
    assert wider.freedom < 5  # nearly all that is uncertain are four seeds
    assert other_seeds(layout(30, 4, 0, seed=2)) is None


def test_of_few_styles_the_seeds_means_speak():
    values = layout(3, 8, 0.3)
    wider, means = other_seeds(values), effect(values.mean(0)[None])
    assert (wider.low, wider.high, wider.freedom) == pytest.approx((means.low, means.high, means.freedom))


@pytest.mark.parametrize("values", [np.ones((6, 1)), np.ones((1, 6)), np.full((6, 4), np.nan), np.zeros((6, 4))])
def test_where_nothing_is_shared_nothing_is_said(values):
    assert other_seeds(values) is None


def test_a_word_that_other_seeds_would_overturn_is_of_these_seeds_only():
    values = layout(30, 4, 0.05, seed=6) + 0.05
    wider = other_seeds(values)
    told = verdict(effect(values), wider=wider)
    assert (told.word, told.of_these_seeds) == (Word.MORE, True)
    clause = Clause(subject="likeness", more="more likeness", less="", effect=effect(values), verdict=told, wider=wider)
    assert one_sentence("With it", [clause]).startswith("With it: more likeness (with these seeds only)")
    assert "Seeds may agree across styles: with other seeds it may be −0." in line(clause)
    far = values + 1
    assert not verdict(effect(far), wider=other_seeds(far)).of_these_seeds


def test_the_planner_sees_what_seeds_share_and_asks_for_more_of_them():
    found = spread_of(layout(400, 30, 0.1))
    assert (found.style, found.seed, found.shared) == pytest.approx((0.05, 0.1, 0.1), rel=0.3)
    assert spread_of(layout(30, 4, 0)).shared == 0
    assert [one.seeds for one in designs(Spread(0.05, 0.1, 0.03), 0.06)] == [8]  # one seed's luck would not be seen
