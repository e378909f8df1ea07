"""The four words, their order, and how many more styles would tell."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.judge.effects import Effect, Unit, effect
from ohwx_compare.judge.student import quantile
from ohwx_compare.judge.verdict import MOST_NEEDED, Verdict, Word, verdict


def measured(value: float, error: float, n: int = 10, unit: Unit = Unit.STYLE, styles: int = 0) -> Effect:
    freedom = n - {Unit.STYLE: 1, Unit.SEED: styles, Unit.TRAINING: 2}[unit]
    half = quantile(0.975, freedom) * error
    return Effect(
        value, value - half, value + half, n, unit=unit, styles=styles or n, missing=0, error=error, freedom=freedom,
        p=1.0, flips=None,
    )  # fmt: skip


@pytest.mark.parametrize(("value", "error", "word", "is_within"), [
    (0.30, 0.10, Word.MORE, False),
    (-0.30, 0.10, Word.LESS, False),
    (0.02, 0.005, Word.MORE, True),  # clear, though it matters little: more comes before the same
    (-0.02, 0.005, Word.LESS, True),
    (0.01, 0.01, Word.SAME, True),
    (0.02, 0.02, Word.CANNOT_TELL, False),  # up to 0.057
    (0.00, 0.0272, Word.SAME, True),  # the 90 % interval is +-0.04986, the 95 % one +-0.0615
    (0.00, 0.0274, Word.CANNOT_TELL, False),
])  # fmt: skip
def test_the_words_in_their_order(value, error, word, is_within):
    found = verdict(measured(value, error), band=0.05)
    assert (found.word, found.is_within) == (word, is_within)
    assert (found.needed is not None) == (word is Word.CANNOT_TELL)


@given(
    st.floats(-0.3, 0.3), st.floats(0.001, 0.1), st.integers(6, 40), st.floats(0.03, 0.2), st.booleans(),
    st.sampled_from([(Unit.STYLE, 1), (Unit.SEED, 3), (Unit.TRAINING, 2)]),
)  # fmt: skip
def test_with_as_many_more_any_outcome_would_tell(value, error, n, band, is_share, unit_and_apart):
    """Spread as now, whatever the new mean is; and with one fewer some mean would not."""
    (unit, apart), n = unit_and_apart, n * unit_and_apart[1]
    effect = measured(value, error, n, unit, styles=apart)
    found = verdict(effect, band, is_share=is_share)
    if found.word is not Word.CANNOT_TELL or found.needed > MOST_NEEDED:
        return
    assert found.needed > 0
    more = n + found.needed * apart
    for mean in np.linspace(0, 2 * band, 41):
        later = measured(float(mean), error * np.sqrt(n / more), more, unit, styles=apart)
        assert verdict(later, band, is_share=is_share).word is not Word.CANNOT_TELL
    if found.needed > 1 and not is_share:
        fewer = more - apart
        error *= np.sqrt(n / fewer)
        largest = quantile(0.975, fewer - n + effect.freedom) * error  # that an interval holding 0 can have
        edge = measured(float(largest) * (1 - 1e-9), error, fewer, unit, apart)
        assert verdict(edge, band).word is Word.CANNOT_TELL


def test_all_alike_is_the_same_only_where_one_more_style_would_not_overturn_it():
    few, many = (verdict(effect(np.zeros((n, 4)))) for n in (30, 60))
    assert (few.word, few.needed, many.word) == (Word.CANNOT_TELL, 23, Word.SAME)
    assert verdict(effect(np.zeros((53, 4)))).word is Word.SAME


def test_a_sign_without_an_interval_needs_six_styles():
    ones = np.ones((6, 4))
    assert verdict(effect(ones)) == Verdict(Word.MORE, 0.05, False, None)
    assert verdict(effect(-ones)).word is Word.LESS
    assert verdict(effect(ones[:5, :1])).word is Word.CANNOT_TELL  # 2/2^5 is more than 5 %


def test_yes_or_no_is_not_the_same_for_a_failure_that_has_not_been_seen():
    """Of 30 styles, one failed once: Student's t alone would call that the same."""
    values = np.zeros((30, 4))
    values[0, 0] = 1
    assert verdict(effect(values)).word is Word.SAME
    assert verdict(effect(values), is_share=True).word is Word.CANNOT_TELL
    assert verdict(replace(effect(values), n=100), is_share=True).word is Word.SAME
