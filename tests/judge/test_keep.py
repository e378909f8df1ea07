"""The keep set and what a chosen checkpoint scores."""

import numpy as np
import pytest

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.keep import beaten, keep_set

RANDOM = np.random.RandomState(3)
ALIKE = 0.5 + 0.2 * RANDOM.standard_normal((1, 10, 1)) + 0.05 * RANDOM.standard_normal((4, 10, 3))


def test_what_is_far_better_is_kept_alone_and_what_is_alike_together():
    assert keep_set(ALIKE).places == (0, 1, 2, 3)
    assert keep_set(ALIKE + 0.3 * np.array([0, 0, 1, 0])[:, None, None]).places == (2,)
    assert keep_set(ALIKE + 0.3 * np.array([1, 0, 1, 0])[:, None, None]).places == (0, 2)


def test_how_easy_a_style_is_does_not_matter():
    ahead = ALIKE + np.array([0, 0.1, 0.05, 0])[:, None, None]
    easy = ahead + 10 * RANDOM.standard_normal((1, 10, 1))
    assert beaten(easy).tolist() == beaten(ahead).tolist() == [True, False, True, True]


def test_pairs_that_are_missing_beat_nobody():
    scores = ALIKE + 0.3 * np.array([0, 0, 1, 0])[:, None, None]
    scores[0, :8] = scores[2, 8:] = np.nan  # these two share no style now
    assert keep_set(scores).places == (0, 2)


def test_where_all_differences_are_equal_signs_decide():
    """Better in each of 6 styles by as much: 1/64 by sign flips, enough for one other, not for nine."""
    better = np.zeros((2, 6, 2))
    better[0] = 1
    assert keep_set(better).places == (0,)
    assert keep_set(np.concatenate([better, np.zeros((8, 6, 2))])).places == tuple(range(10))


def test_of_few_styles_the_seeds_speak():
    scores = ALIKE[:, :3] + 0.3 * np.array([0, 0, 1, 0])[:, None, None]
    assert keep_set(scores).places == (2,)


def test_a_chosen_one_scores_what_it_would_where_it_was_not_chosen():
    """Of ten equal ones the leader's own mean is far too high, the held-out score is right in the mean."""
    scores = 0.5 + 0.1 * np.random.RandomState(0).standard_normal((600, 10, 6, 1))
    own = scores.mean((2, 3)).max(1) - 0.5
    held = np.array([keep_set(each).score for each in scores]) - 0.5
    assert own.mean() > 0.05
    assert abs(held.mean()) < 4 * held.std() / np.sqrt(600)
    sure = scores[0] + np.arange(10)[:, None, None]
    assert keep_set(sure).score == pytest.approx(sure[9].mean())


def test_one_picture_of_each_gives_no_choice():
    with pytest.raises(ExperimentError, match="one to choose by and one to score"):
        keep_set(np.zeros((3, 1, 1)))
