"""Scoring a run: in batches of one style, each kept when it is whole, nothing twice, memory of one batch."""

import os

import pytest
from planted_run import CornerStyle, picture

from ohwx_compare.core.events import Failed, Started, Step
from ohwx_compare.errors import Interrupted
from ohwx_compare.files.ledger.measures import MeasureLedger
from ohwx_compare.judge.measure import Asked, MeasureWords, Score, measure_key
from ohwx_compare.judge.run.scoring import NO_CONTROL, UNREADABLE, control_of, score_run

BASE = ("base.safetensors",)


class SameCorner:
    """Whether a picture's corner is its control's."""

    name, version, sha256, licence, needs = "corner", 1, "", "none", ("the base's pictures",)
    words = MeasureWords(title="Corner", subject="corner", more="more corner", less="less corner", is_share=True)
    asked, takes_controls, settings = Asked.SUBJECT, True, {}
    key = measure_key(name, version)

    def score(self, pictures, context):
        pairs = zip(pictures, context.controls, strict=True)
        return [Score(float(one.getpixel((0, 0)) == other.getpixel((0, 0)))) for one, other in pairs]


def values(scored):
    return {each: score.value for each, score in scored.scores.items()}


def test_a_batch_is_of_one_style_and_small(judged):
    style = CornerStyle()
    score_run(judged, [style])
    assert {name for name, _ in style.seen} == set(judged.styles)
    assert max(count for _, count in style.seen) <= 16
    assert sum(count for _, count in style.seen) == len(judged.pictures)


def test_a_second_call_computes_nothing(judged):
    first = values(score_run(judged, [CornerStyle()])[0])
    again = CornerStyle()
    assert values(score_run(judged, [again])[0]) == first
    assert again.seen == []


def test_what_was_stopped_is_resumed_from_its_last_batch(judged):
    whole, halves, said = CornerStyle(), [CornerStyle(), CornerStyle()], []
    calls = iter([False, False, True])
    with pytest.raises(Interrupted):
        score_run(judged, [halves[0]], is_stopping=lambda: next(calls))
    resumed = values(score_run(judged, [halves[1]], on_event=said.append)[0])
    given = [sum(count for _, count in style.seen) for style in halves]
    assert (given[0], sum(given)) == (28, len(judged.pictures))
    assert said[0] == Started("scores", given[1], given[1])
    assert sum(event.count for event in said if isinstance(event, Step)) == given[1]
    with MeasureLedger(judged.folder) as ledger:
        assert {row.value for row in ledger.scores(whole.key).values()} == set(resumed.values())


def test_scores_of_another_version_are_made_anew_and_counted(judged):
    later = CornerStyle()
    later.key = measure_key(later.name, 2)
    assert score_run(judged, [CornerStyle()])[0].earlier == 0
    assert score_run(judged, [later])[0].earlier == 1
    assert sum(count for _, count in later.seen) == len(judged.pictures)


def test_a_measure_is_given_the_bases_picture_of_the_same_place(judged):
    controls = control_of(judged, BASE)
    scored = score_run(judged, [SameCorner()], BASE)[0]
    style = score_run(judged, [CornerStyle()], BASE)[0]
    for each, control in controls.items():
        assert (control.place, control.checkpoint) == (each.place, *BASE)
        assert scored.scores[each].value == (style.scores[each].value == style.scores[control].value)
    assert {scored.scores[each].outcome for each in judged.pictures if each not in controls} == {NO_CONTROL}


def test_a_score_hangs_on_its_control(judged):
    """Another base's pictures are other controls: nothing of the first is taken for them."""
    score_run(judged, [SameCorner()], BASE)
    other = ("no-reg-000030.safetensors",)
    again = score_run(judged, [SameCorner()], other)[0]
    style = score_run(judged, [CornerStyle()])[0]
    for each, control in control_of(judged, other).items():
        assert again.scores[each].value == (style.scores[each].value == style.scores[control].value)


def test_a_picture_that_cannot_be_read_is_told_and_tried_again(judged):
    broken, said = judged.pictures[5], []
    whole = broken.path.read_bytes()
    os.truncate(broken.path, 20)
    scored = score_run(judged, [CornerStyle()], on_event=said.append)[0]
    assert scored.scores[broken].outcome == UNREADABLE
    assert [event.label for event in said if isinstance(event, Failed)] == [broken.path.name]
    broken.path.write_bytes(whole)
    again = CornerStyle()
    assert score_run(judged, [again])[0].scores[broken].value is not None
    assert again.seen == [(broken.style, 1)]


def test_a_picture_that_stands_in_two_cells_is_scored_once(judged):
    twins = [each for each in judged.pictures if not each.is_last][:2]
    picture(None).save(twins[0].path)
    alike = judged.pictures.index(twins[1])
    pictures = list(judged.pictures)
    pictures[alike] = type(twins[1])(**{**vars(twins[1]), "key": twins[0].key})
    style = CornerStyle()
    score_run(type(judged)(**{**vars(judged), "pictures": tuple(pictures)}), [style])
    assert sum(count for _, count in style.seen) == len(pictures) - 1
