"""What a run says beside likeness and style: what "a man" became, how pictures of one prompt differ, empty pictures."""

import numpy as np
import pytest
from PIL import Image
from planted_run import ME, STYLES, CornerStyle, Planted, picture, planted_run, record

from ohwx_compare.files.images import is_one_colour
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.class_drift import CLASS_DRIFT, class_drift
from ohwx_compare.judge.diversity import DIVERSITY, Diversity
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.measure import LIKENESS, Asked, MeasureContext, Score
from ohwx_compare.judge.run import measures
from ohwx_compare.judge.run.judgement import judge_scores
from ohwx_compare.judge.run.measures import Given, measures_for
from ohwx_compare.judge.run.pictures import judged_run
from ohwx_compare.judge.run.scoring import NOT_A_NUMBER, ONE_COLOUR, score_run
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.judge.seams import SEAMS
from ohwx_compare.judge.verdict import Word
from ohwx_compare.look.report.numbers import judgement_json
from ohwx_compare.look.report.sentences import Said


def judge(folder, used):
    run = judged_run(open_run(folder), "ohwx man")
    trained = trained_in(run)
    return judge_scores(run, trained, score_run(run, used))


def squares(*shades):
    return Diversity().score([Image.new("RGB", (64, 48), shade) for shade in shades], MeasureContext())


def test_class_drift_is_of_the_prompts_without_the_token(tmp_path, square_sight, my_photographs):
    folder = planted_run(tmp_path, styles=STYLES[:2], seeds=(1, 2, 3), of_class=("photo of a man",))
    likeness = Likeness(square_sight, my_photographs)
    drift = class_drift(likeness)
    assert (drift.asked, drift.key == likeness.key, likeness.name) == (Asked.CLASS, False, LIKENESS)
    found = judge(folder, [likeness, drift])
    assert found.tables[CLASS_DRIFT].styles == ("photo of a man",)
    assert "photo of a man" not in found.tables[LIKENESS].styles
    clause = {each.name: each.clause for each in found.judged[0].measures}[CLASS_DRIFT]
    assert clause.verdict.word is Word.LESS
    assert clause.effect.value < -0.4


@pytest.mark.slow
def test_a_run_is_asked_for_class_drift_and_seams_where_it_can_tell(
    planted, tmp_path, monkeypatch, square_sight, my_photographs
):
    monkeypatch.setattr(
        measures, "_likeness", lambda *given: measures.Measures((Likeness(square_sight, my_photographs),))
    )
    with_class = planted_run(tmp_path, styles=STYLES[:1], seeds=(1, 2), of_class=("photo of a man",))
    for folder, names in ((planted, [LIKENESS, DIVERSITY, SEAMS]), (with_class, [LIKENESS, CLASS_DRIFT, DIVERSITY])):
        run = judged_run(open_run(folder), "ohwx man")
        made = measures_for(run, (), Given(), lambda: None)
        assert [each.name for each in made.measures] == names


def test_diversity_is_the_mean_difference_of_pairs():
    values = Diversity().among(squares((0, 0, 0), (255, 255, 255), (0, 0, 0), (255, 255, 255)))
    assert values.mean() == pytest.approx(4 / 6)
    assert np.nanmean(Diversity().among(squares((0, 0, 0), (51, 51, 51)))) == pytest.approx(0.2)
    assert np.isnan(Diversity().among(squares((0, 0, 0)))).all()


def test_diversity_has_the_intervals_of_its_pairs():
    """Of pictures drawn anew and anew, 95 % intervals from the pseudo-values hold the true mean difference."""
    random, truth, held = np.random.default_rng(0), 255 / 3 / 255, 0
    for _ in range(400):
        values = Diversity().among(squares(*((int(shade),) * 3 for shade in random.integers(0, 256, 12))))
        held += abs(values.mean() - truth) < 2.2 * values.std(ddof=1) / np.sqrt(12)
    assert 0.90 < held / 400 < 0.99


def test_diversity_is_told_beside_the_answer_as_a_share_of_the_bases(tmp_path):
    folder = planted_run(tmp_path, styles=STYLES[:3], seeds=(1, 2, 3))
    found = judge(folder, [CornerStyle(), Diversity()])
    points = {point.label: point for point in found.points}
    assert points["base"].levels[DIVERSITY].value == pytest.approx(1)
    told = judgement_json(found)
    assert {clause["measure"] for clause in told["beside"]} == {DIVERSITY}
    assert DIVERSITY not in {clause["measure"] for clause in told["answer"]}
    assert "diversity" not in Said.of(found).headlines[0]
    assert any(each.startswith("Diversity") for each in Said.of(found).findings)


def test_pictures_that_look_like_another_seeds_are_counted(tmp_path):
    saves = [Planted(f"a-{n:06d}", n / 100, 1.0, record(n)) for n in (30, 60)]
    run = judged_run(open_run(planted_run(tmp_path, styles=STYLES[:1], seeds=(1, 2, 3), saves=saves)))
    for number, each in enumerate(run.pictures):
        is_same = each.checkpoint == "a-000060.safetensors" and each.seed < 3
        picture(ME if is_same else (20 * number + 30, 90, 30)).save(each.path)
    found = judge(tmp_path / "run", [Diversity()])
    assert [point.twins for point in found.points if point.label.startswith("a")] == [0, 2]
    assert any(
        "look the same as another seed's of their style: 2 of a-000060" in each for each in Said.of(found).beside
    )


def test_an_empty_picture_is_an_outcome_and_no_measure_is_asked(judged):
    empty = judged.pictures[3]
    Image.new("RGB", (64, 64)).save(empty.path)
    style = CornerStyle()
    scored = score_run(judged, [style])[0]
    assert (scored.scores[empty].outcome, scored.scores[empty].value) == (ONE_COLOUR, None)
    assert sum(count for _, count in style.seen) == len(judged.pictures) - 1
    again = CornerStyle()
    score_run(judged, [again])
    assert again.seen == []


def test_one_colour_is_no_picture_with_a_dot():
    dotted = Image.new("RGB", (64, 64), (9, 9, 9))
    dotted.putpixel((5, 5), (9, 12, 9))
    assert (is_one_colour(Image.new("RGB", (64, 64), (9, 8, 9))), is_one_colour(dotted)) == (True, False)


def test_what_is_no_number_is_an_outcome(judged):
    class Broken(CornerStyle):
        def score(self, pictures, context):
            return [Score(float("nan"))] * len(pictures)

    assert {score.outcome for score in score_run(judged, [Broken()])[0].scores.values()} == {NOT_A_NUMBER}
