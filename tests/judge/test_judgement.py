"""The planted experiment: the judge finds the order that is in it, and refuses where nothing can be told."""

from dataclasses import replace

import pytest
from planted_run import (
    EXPOSURES,
    ME,
    OTHER,
    SEEDS,
    STYLES,
    CornerStyle,
    Planted,
    photographs,
    planted_run,
    record,
)

from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.errors import MeasureError
from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.styles import read_styles
from ohwx_compare.judge.effects import Unit
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.measure import LIKENESS, STYLE_KEPT
from ohwx_compare.judge.references import read_references
from ohwx_compare.judge.run.judgement import judge_scores, require_comparable
from ohwx_compare.judge.run.pictures import judged_run
from ohwx_compare.judge.run.pools import pools_of
from ohwx_compare.judge.run.scoring import score_run
from ohwx_compare.judge.run.still_drawn import styles_still_drawn, write_still_drawn
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.judge.verdict import Word
from ohwx_compare.judge.votes.flow import upcoming
from ohwx_compare.look.report.numbers import judgement_json
from ohwx_compare.look.report.sentences import side_findings


def judge(folder, sight, references, **more):
    run = judged_run(open_run(folder), "ohwx man")
    trained = trained_in(run)
    measures = [Likeness(sight, references, **more), CornerStyle()]
    return judge_scores(run, trained, score_run(run, measures))


@pytest.fixture(scope="module")
def judgement(planted, square_sight, my_photographs):
    return judge(planted, square_sight, my_photographs)


def by_measure(judgement, place=0):
    return {each.name: each for each in judgement.judged[place].measures}


def test_the_planted_answer_is_found(judgement):
    likeness, style = (by_measure(judgement)[name] for name in (LIKENESS, STYLE_KEPT))
    assert (likeness.clause.verdict.word, style.clause.verdict.word) == (Word.MORE, Word.LESS)
    assert (likeness.clause.effect.unit, likeness.clause.effect.styles) == (Unit.STYLE, len(STYLES) - 2)
    assert list(likeness.at) == list(EXPOSURES)
    contrasts = {each.name: each.effect.value for each in likeness.contrasts}
    assert all(contrasts[name] > 0.1 for name in ("regularization", "exposures", "face pass"))


def test_styles_in_which_nothing_can_be_told_are_refused(judgement):
    table = judgement.tables[LIKENESS]
    assert table.refused.keys() == {"pencil of ohwx man", "3d render of ohwx man"}
    assert "cannot tell them apart" in table.refused["pencil of ohwx man"]
    assert "no filter" in table.refused["3d render of ohwx man"]
    assert sum("is not judged" in each for each in judgement.missing) == 2
    effects = {each.style: each.effect for each in by_measure(judgement)[LIKENESS].styles}
    assert {style for style, effect in effects.items() if effect is None} == table.refused.keys()


def test_the_scale_runs_from_the_base_to_the_person(judgement):
    levels = {point.label: point.levels[LIKENESS].value for point in judgement.points}
    assert levels["base"] == pytest.approx(0, abs=0.01)
    assert levels["base"] < levels["no-reg-000030"] < levels["no-reg-000090"] < levels["reg-000090"]


def test_likeness_is_matched_by_style(judgement):
    matched = by_measure(judgement)[LIKENESS].matched
    assert 0 < matched.pairs < len(EXPOSURES) * len(SEEDS) * len(STYLES)
    assert set(matched.missing) <= {f"{style} of ohwx man" for style in STYLES}
    assert by_measure(judgement)[STYLE_KEPT].matched is None


def test_the_keep_set_follows_the_weight(judgement):
    at = {each.style: {save.label for save in each.saves} for each in judgement.kept}
    assert at[0.0] == {"reg-000090"}
    assert at[1.0] <= {f"no-reg-{n:06d}" for n in EXPOSURES}
    assert judgement.keep.style == 0.5
    least = min(save.number for save in judgement.keep.saves)
    assert {save.number for save in judgement.keep.earliest} == {least}


def test_styles_that_are_lost_are_named(judgement):
    points = {point.label: point for point in judgement.points}
    assert points["base"].lost == ()
    assert points["reg-000030"].lost


def test_few_styles_speak_of_themselves(tmp_path, square_sight, my_photographs):
    found = by_measure(judge(planted_run(tmp_path, styles=STYLES[:1]), square_sight, my_photographs))
    assert (found[LIKENESS].clause.effect.unit, found[LIKENESS].clause.effect.styles) == (Unit.SEED, 1)


def test_without_the_bases_pictures_there_is_no_likeness_but_by_others(tmp_path, square_sight, my_photographs):
    """The base is known by its hash; here nothing tells it, and its column is one more checkpoint."""
    saves = [Planted(f"a-{n:06d}", n / 100, 0.9) for n in (30, 60)]
    folder = planted_run(tmp_path, styles=STYLES[:2], saves=saves)
    found = judge(folder, square_sight, my_photographs)
    assert by_measure(found)[LIKENESS].clause is None
    assert "refused in all 2 styles" in by_measure(found)[LIKENESS].why
    assert any("base's own man" in each for each in found.missing)
    strangers = read_references([photographs(tmp_path / "men", OTHER, OTHER, OTHER)], square_sight)
    found = judge(folder, square_sight, my_photographs, strangers=strangers)
    assert by_measure(found)[LIKENESS].clause is not None
    assert any("photographs of others" in each for each in found.missing)


def test_one_training_is_judged_by_its_exposures(tmp_path, square_sight, my_photographs):
    saves = [Planted(f"a-{n}", n / 100, 0.9, record(n)) for n in EXPOSURES]
    folder = planted_run(tmp_path, styles=STYLES[:3], saves=saves, has_face_pass=True)
    run = judged_run(open_run(folder))
    trained = trained_in(run, run.columns[0].sha256)
    found = judge_scores(run, trained, score_run(run, [Likeness(square_sight, my_photographs)]))
    (one,) = found.judged
    assert (one.comparison.first, one.comparison.second) == ("30 exposures", "90 exposures")
    assert one.measures[0].clause.verdict.word is Word.MORE
    assert [each.name for each in one.measures[0].contrasts] == ["exposures", "face pass"]
    assert [each.style for each in found.kept] == [0.0]  # likeness alone: nothing to weigh


def test_where_a_recipe_was_trained_twice_the_training_is_the_unit(tmp_path, square_sight, my_photographs):
    saves = [
        Planted(f"{'reg' if reg else 'no'}-{seed}", 0.5 + 0.2 * reg + 0.01 * seed, 0.9, record(30, reg=reg, seed=seed))
        for reg in (False, True)
        for seed in (1, 2)
    ]
    folder = planted_run(tmp_path, styles=STYLES[:3], saves=saves)
    run = judged_run(open_run(folder))
    trained = trained_in(run, run.columns[0].sha256)
    found = judge_scores(run, trained, score_run(run, [Likeness(square_sight, my_photographs)]))
    effect = found.judged[0].measures[0].clause.effect
    assert (effect.unit, effect.n, effect.freedom) == (Unit.TRAINING, 4, 2)
    assert found.judged[0].measures[0].contrasts == ()


def test_missing_faces_and_copies_are_counted(tmp_path, square_sight, my_photographs):
    faceless = {("no-reg-000030", 1), ("no-reg-000030", 2)}
    saves = [Planted("no-reg-000030", 0.99, 0.9, record(30)), Planted("no-reg-000060", 0.3, 0.9, record(60))]
    folder = planted_run(tmp_path, styles=STYLES[:2], saves=saves, faceless=faceless)
    counts = {point.label: point.counts for point in judge(folder, square_sight, my_photographs).points}
    first = counts["no-reg-000030"]
    assert (first.no_face.value, first.pictures, first.no_face_before) == (0.5, 8, None)
    assert (counts["no-reg-000060"].no_face.value, counts["no-reg-000060"].copies) == (0, 0)
    assert first.copies > 0
    assert first.nearest.endswith(".png")


def test_a_face_that_the_pass_made_a_strangers_is_counted(judgement):
    assert {point.counts.worse for point in judgement.points} == {0}
    scored = judgement.tables[LIKENESS].scored
    turned = {replace(each, is_last=not each.is_last): score for each, score in scored.scores.items()}
    run = replace(judgement.run, pictures=tuple(turned))
    found = judge_scores(run, judgement.trained, [replace(scored, scores=turned)])
    worse = {point.label: point.counts for point in found.points}["reg-000030"]
    assert 0 < worse.worse <= worse.passed


def test_a_measure_that_disagrees_with_the_votes_is_warned_of(judgement):
    table = judgement.tables[LIKENESS]
    value = {each.key: table.value(each) for each in judgement.run.pictures if each.style.startswith("photo")}
    keys = sorted((key for key in value if value[key] == value[key]), key=value.__getitem__)
    pairs = list(zip(keys[:30], keys[-30:], strict=True))
    for best, is_failing in ((1, False), (0, True)):
        votes = [
            VoteRow(rater="me", question="more like me", style="photo", shown=pair, answer="chosen", best=best)
            for pair in pairs
        ]
        scored = [table.scored]
        found = judge_scores(judgement.run, judgement.trained, scored, votes=votes).agreements
        assert [(each.measure, each.is_failing, each.share.n) for each in found] == [(LIKENESS, is_failing, 30)]


def test_a_run_with_nothing_to_compare_is_refused(tmp_path):
    saves = [Planted("a", 0.5, 0.9)]
    run = judged_run(open_run(planted_run(tmp_path, styles=STYLES[:1], seeds=(1,), saves=saves)))
    trained = replace(trained_in(run), groups=trained_in(run).groups[:1])
    with pytest.raises(MeasureError, match="expected at least two trained checkpoints"):
        require_comparable(run, trained)


def test_measures_see_my_own_colour(square_sight, tmp_path):
    """The planted world itself: the person is nearer to his photographs than a stranger."""
    mine = read_references([photographs(tmp_path / "me", ME, ME)], square_sight)
    other = read_references([photographs(tmp_path / "other", OTHER, OTHER)], square_sight)
    assert mine.distance(mine.descriptors.mean(0)) < mine.distance(other.descriptors.mean(0))


def test_the_users_own_votes_stand_beside_the_measures(judgement, planted):
    pool = pools_of(judgement.run, judgement.trained)[0]
    votes = []
    for number in range(27):
        trial = upcoming(pool, votes, "me")[0]
        best = [pool.side_of[key] for key in trial.shown].index(int(number % 9 > 0))
        votes.append(
            VoteRow(
                rater="me", question="more like me", style=trial.style, shown=trial.shown, answer="chosen", best=best,
                is_repeat=trial.is_repeat, rule="to 25 votes",
            )
        )  # fmt: skip
    scored = [table.scored for table in judgement.tables.values()]
    found = judge_scores(judgement.run, judgement.trained, scored, votes=votes)
    (told,) = [line for line in side_findings(found) if line.startswith("Your own votes.")]
    assert "with regularization images is preferred to without regularization images" in told
    assert judgement_json(found)["votes"][0]["preference"]["prompts"] == 9
    assert {each["measure"] for each in judgement_json(found)["agreements"]} >= {LIKENESS, STYLE_KEPT}
    repeats = sum(vote.is_repeat for vote in votes)
    by_measure = {each.measure: each.share.n for each in found.agreements}
    assert (repeats, by_measure[STYLE_KEPT] <= 27 - repeats) == (2, True)


def test_the_styles_that_a_checkpoint_still_draws_are_written(judgement, tmp_path):
    labels = judgement.run.styles
    axis = Axis("styles", tuple((Style(label, "{prompt}, x", ""),) for label in labels))
    kept = styles_still_drawn(judgement, (axis,))
    lost = {point.label: point.lost for point in judgement.points if point.save}
    assert kept.keys() == lost.keys()
    assert any(lost.values())
    for label, styles in kept.items():
        assert [style.name for style in styles] == [each for each in labels if each not in lost[label]]
    written = write_still_drawn({**kept, "a/b:c": kept["reg-000030"]}, tmp_path / "styles")
    assert list(read_styles(written[-1])) == [style.name for style in kept["reg-000030"]]
    with pytest.raises(MeasureError, match="no axis of styles"):
        styles_still_drawn(judgement, ())
