"""Scoring a run: in batches of one style, each kept when it is whole, nothing twice, memory of one batch."""

import os
from dataclasses import replace

import pytest
from PIL import Image
from planted_run import CornerStyle, picture

from ohwx_compare.core.events import Failed, Started, Step
from ohwx_compare.errors import Interrupted
from ohwx_compare.files.ledger.measures import MeasureLedger
from ohwx_compare.judge.measure import Asked, MeasureWords, Score, measure_key
from ohwx_compare.judge.run.scoring import NOT_INPAINTED, UNREADABLE, before_of, score_run


class Brighter:
    """By how much a picture's middle is lighter than before its face pass."""

    name, version, sha256, licence, needs = "brighter", 1, "", "none", ("a face pass",)
    words = MeasureWords(title="Brighter", subject="light", more="more light", less="less light")
    asked, takes_before, settings = Asked.SUBJECT, True, {}
    key = measure_key(name, version)

    def score(self, pictures, context):
        return [Score(middle(one) - middle(other)) for one, other in zip(pictures, context.befores, strict=True)]


def middle(image):
    return float(sum(image.getpixel((32, 32))))


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


def test_a_measure_is_given_the_picture_before_its_face_pass(judged):
    befores, scored = before_of(judged), score_run(judged, [Brighter()])[0]
    assert befores.keys() == scored.scores.keys() == {each for each in judged.pictures if each.is_last}
    for each, before in befores.items():
        assert (before.place[:2], before.checkpoint, before.is_last) == (each.place[:2], each.checkpoint, False)
        now, then = (Image.open(one.path) for one in (each, before))
        assert scored.scores[each].value == middle(now) - middle(then)


def test_a_picture_that_no_face_pass_changed_is_told_so(judged):
    alone = replace(judged, pictures=tuple(each for each in judged.pictures if each.is_last))
    scored = score_run(alone, [Brighter()])[0].scores
    assert {(score.value, score.outcome) for score in scored.values()} == {(None, NOT_INPAINTED)}


def test_a_score_hangs_on_the_picture_before(judged):
    """Another picture before, of another pass: nothing of the first is taken for it."""
    score_run(judged, [Brighter()])
    others = [replace(each, key=f"x{each.key}") if not each.is_last else each for each in judged.pictures]
    for each in others:
        if not each.is_last:
            picture((0, 0, 0)).save(each.path)
    again = score_run(replace(judged, pictures=tuple(others)), [Brighter()])[0].scores
    assert {score.value for score in again.values()} == {middle(Image.open(each.path)) for each in again}


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
