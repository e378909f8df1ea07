"""Effects: which unit, which interval, which p."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.effects import EXACT, LEAST_STYLES, Unit, effect, moments, sign_flip
from ohwx_compare.judge.trainings import compare_trainings

SLEEP = np.array(
    [[0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]]
)
MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)  # Darwin's, in eighths of an inch


def some(styles: int, seeds: int, seed: int = 0) -> np.ndarray:
    random = np.random.RandomState(seed)
    return random.standard_normal((styles, 1)) + random.standard_normal((styles, seeds))


def test_student_of_his_own_example():
    """Ten patients are ten styles: 0.70 to 2.46 (Student 1908); by sign flips, 4 of the 1,024 are as far out."""
    found = effect((SLEEP[1] - SLEEP[0])[:, None])
    assert (found.value, found.low, found.high, found.p) == pytest.approx((1.58, 0.70, 2.46, 0.00283), abs=0.005)
    assert (found.n, found.unit, found.styles, found.freedom) == (10, Unit.STYLE, 10, 9)
    assert found.flips == 4 / 1024


def test_fishers_own_example():
    """In "The design of experiments", §21, 863 of the 32,768 sums are as large as Darwin's and as many as small."""
    assert sign_flip(MAIZE) == 1726 / 32768


def test_more_flips_than_can_be_counted_are_drawn_alike_each_time():
    many = np.random.RandomState(1).standard_normal(EXACT + 5) + 0.4
    assert sign_flip(many) == sign_flip(many)
    assert sign_flip(many) == pytest.approx(effect(many[:, None]).p, abs=0.03)
    assert sign_flip(np.ones(40)) == 1 / 2000  # never 0


@given(st.integers(LEAST_STYLES, 9), st.integers(1, 5), st.integers(0, 99))
def test_only_the_style_means_count(styles, seeds, seed):
    values = some(styles, seeds, seed)
    found, means = effect(values), effect(values.mean(1, keepdims=True))
    assert (found.value, found.low, found.high, found.p, found.flips) == pytest.approx(
        (means.value, means.low, means.high, means.p, means.flips)
    )
    assert (found.n, found.unit) == (styles, Unit.STYLE)


def test_seeds_of_one_style_are_no_witnesses_of_each_other():
    """The same seed four times over says no more than once; pictures as units would halve the interval."""
    once, four = effect(some(6, 1)), effect(np.repeat(some(6, 1), 4, 1))
    assert (four.low, four.high, four.p) == pytest.approx((once.low, once.high, once.p))


@pytest.mark.parametrize("shape", [(8, 3), (3, 4), (1, 24)])
def test_turned_about_an_effect_is_its_mirror_image(shape):
    one, other = effect(some(*shape)), effect(-some(*shape))
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert (one.p, one.flips) == pytest.approx((other.p, other.flips))


def test_few_styles_speak_of_themselves_only():
    """Then it is a one-way layout: the seeds' pooled variance, however far apart the styles are."""
    values = some(3, 4)
    found, apart = effect(values), effect(values + np.array([[-9.0], [0.0], [9.0]]))
    assert (found.unit, found.styles, found.n, found.freedom) == (Unit.SEED, 3, 12, 9)
    assert (found.low, found.high) == pytest.approx((apart.low, apart.high))
    pooled = np.sqrt(values.var(1, ddof=1).mean() / 12)
    assert found.error == pytest.approx(pooled)


def test_a_few_styles_of_one_seed_each_are_the_units():
    found = effect(some(3, 1))
    assert (found.unit, found.freedom) == (Unit.STYLE, 2)


def test_missing_pictures_and_styles_are_counted_not_filled_in():
    values = some(8, 4)
    values[0, 1:] = values[1] = np.nan
    found = effect(values)
    assert (found.n, found.styles, found.missing) == (7, 7, 1)
    assert found.value == pytest.approx(np.mean([values[0, 0], *values[2:].mean(1)]))


def test_where_all_styles_are_alike_there_is_no_interval():
    found = effect(np.full((6, 4), 0.1 + 0.2))  # not 0.3 to the last bit
    assert found.is_even
    assert found.low == found.value == found.high
    assert found.p == found.flips == 2 / 2**6
    assert effect(np.zeros((30, 4))).p == 1


@pytest.mark.parametrize("values", [np.full((6, 4), np.nan), [[0.5]], [[np.nan, 0.5]], np.zeros((0, 4))])
def test_nothing_to_tell_chance_by_is_said(values):
    with pytest.raises(ExperimentError, match="two styles or two seeds"):
        effect(values)


def test_many_experiments_side_by_side_are_each_its_own():
    values = np.stack([some(7, 3, seed) for seed in range(4)])
    values[2, 0] = np.nan
    values[3, 2:] = np.nan  # two styles are left
    together = moments(values)
    for place, each in enumerate(values):
        found = effect(each)
        assert (found.value, found.error, found.freedom) == pytest.approx([field[place] for field in together[:3]])


def test_with_one_training_each_the_pictures_speak():
    first, second = some(6, 4, 1), some(6, 4, 2)
    assert compare_trainings([first], [second]) == effect(second - first)


def test_with_more_the_training_is_the_unit():
    """Ten trainings of each arm: Student's sleep as two groups, -0.20 to 3.36, p 0.079 (R's t.test, var.equal)."""
    found = compare_trainings(*SLEEP[:, :, None, None])
    assert (found.value, found.low, found.high, found.p) == pytest.approx(
        (1.58, -0.203874, 3.363874, 0.07919), abs=1e-5
    )
    assert (found.unit, found.n, found.freedom) == (Unit.TRAINING, 20, 18)
    assert compare_trainings(np.zeros((2, 6, 4)), some(6, 4)[None]).freedom == 1


def test_trainings_are_compared_over_the_styles_they_share():
    first, second = np.stack([some(4, 2, 1), some(4, 2, 2)]), np.stack([some(4, 2, 3), some(4, 2, 4)])
    second[0, 3] = np.nan
    found, shared = compare_trainings(first, second), compare_trainings(first[:, :3], second[:, :3])
    assert (found.styles, found.missing) == (3, 1)
    assert (found.value, found.low) == pytest.approx((shared.value, shared.low))
    with pytest.raises(ExperimentError, match="share no style"):
        compare_trainings(first, np.full((2, 4, 2), np.nan))
