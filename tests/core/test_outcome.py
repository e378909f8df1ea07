"""What came of a cell: stored under its old words, shown in the plain ones."""

from ohwx_compare.core.experiment.outcome import Outcome


def test_two_outcomes_are_shown_in_other_words_than_they_are_stored_in():
    other = {outcome.value: outcome.words for outcome in Outcome if outcome.words != outcome.value}
    assert other == {"not drawn yet": "not generated yet", "drawn": "generated"}
