"""Blind votes: what is shown next, what the answers add up to, when it ends; a small `bench/votes.py`."""

import csv
import importlib.util
import io
import sys
from collections import Counter
from dataclasses import replace
from math import sqrt
from pathlib import Path

import pytest

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.run.pictures import judged_run
from ohwx_compare.judge.run.pools import pools_of
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.judge.votes.evidence import anytime_interval, evidence
from ohwx_compare.judge.votes.flow import CHOSEN, SKIPPED, Ending, VoteRule, progress, upcoming
from ohwx_compare.judge.votes.pool import QUESTIONS, Bout, VotePool
from ohwx_compare.judge.votes.tally import binomial, tally
from ohwx_compare.judge.votes.told import vote_sentences
from ohwx_compare.judge.votes.vote_files import merged_votes, read_vote_file, write_vote_file

PROGRAM = Path(__file__).parents[2] / "bench" / "votes.py"
QUESTION = QUESTIONS[0]
TO_NUMBER = VoteRule(60, until_clear=False)


def load():
    spec = importlib.util.spec_from_file_location("bench_votes", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


BENCH = load()


@pytest.fixture(scope="module")
def pools(planted):
    run = judged_run(open_run(planted), "ohwx man")
    return pools_of(run, trained_in(run))


@pytest.fixture
def pairs(pools):
    return pools[0]


@pytest.fixture
def fours(pools):
    return pools[-1]


def answered(pool, count, choose, *, rule=TO_NUMBER, votes=(), rater="me"):
    """`count` more votes; `choose(trial)` gives the place of the best, or a word."""
    found = list(votes)
    for _ in range(count):
        trial = upcoming(pool, found, rater)[0]
        chosen = choose(trial)
        best = chosen if isinstance(chosen, int) else None
        found.append(
            VoteRow(
                rater=rater, question=QUESTION, style=trial.style, shown=trial.shown, best=best, seconds=2.0,
                answer=CHOSEN[0] if best is not None else chosen, rule=rule.text, is_repeat=trial.is_repeat,
                time=float(len(found)),
            )
        )  # fmt: skip
    return found


def second(pool):
    return lambda trial: [pool.side_of[key] for key in trial.shown].index(1)


def left(trial):
    return 0


def test_two_trainings_are_held_against_each_other_at_equal_exposures(pairs, fours, planted):
    cells = {cell.result.key: cell.cell for cell in open_run(planted).cells}
    assert (pairs.is_pairs, fours.is_pairs) == (True, False)
    assert pairs.sides == ("without regularization images", "with regularization images")
    for bout in pairs.bouts:
        first, other = (cells[key] for key in bout.keys)
        assert first.checkpoint.name.startswith("no-reg")
        assert other.checkpoint.name == first.checkpoint.name.removeprefix("no-")
        assert (first.job.prompt, first.job.seed) == (other.job.prompt, other.job.seed)
    assert len(pairs.bouts) == 9 * 4 * 3
    assert all(len(bout.keys) == 3 for bout in fours.bouts)


def test_a_picture_without_its_counterpart_is_not_shown(planted, pairs):
    run = judged_run(open_run(planted), "ohwx man")
    gone = next(each for each in run.pictures if each.key == pairs.bouts[0].keys[1])
    without = replace(run, pictures=tuple(each for each in run.pictures if each != gone))
    assert pools_of(without, trained_in(run))[0].bouts == pairs.bouts[1:]


def test_every_prompt_comes_once_before_one_comes_again(pairs):
    shown = [vote for vote in answered(pairs, 40, left) if not vote.is_repeat]
    for start in range(0, 36 - 9, 9):
        assert len({vote.style for vote in shown[start : start + 9]}) == 9
    assert max(Counter(frozenset(vote.shown) for vote in shown).values()) == 1


def test_sides_are_drawn_by_chance_and_one_in_twelve_is_repeated_with_them_swapped(pairs):
    votes = answered(pairs, 96, left)
    seconds = sum(pairs.side_of[vote.shown[0]] for vote in votes if not vote.is_repeat)
    assert 25 < seconds < 63
    repeats = [(place, vote) for place, vote in enumerate(votes) if vote.is_repeat]
    assert [place for place, _ in repeats] == list(range(11, 96, 12))
    for place, vote in repeats:
        assert vote.shown[::-1] in [earlier.shown for earlier in votes[: place - 3] if not earlier.is_repeat]


def test_what_is_loaded_ahead_is_what_is_shown_whatever_the_answers(pairs, fours):
    for pool, rater in [(pairs, rater) for rater in "abcdefgh"] + [(fours, "me")]:
        votes = answered(pool, 7, left, rater=rater)
        for _ in range(5):  # the twelfth is a repeat
            ahead = upcoming(pool, votes, rater, 4)
            for answer in (left, lambda trial: SKIPPED, lambda trial: "all bad"):
                shown = answered(pool, 4, answer, votes=votes, rater=rater)[len(votes) :]
                assert [vote.shown for vote in shown] == [trial.shown for trial in ahead]
            votes = answered(pool, 1, left, votes=votes, rater=rater)


def test_after_an_undo_the_same_pair_comes_again_and_another_rater_sees_others(pairs):
    votes = answered(pairs, 13, left)
    assert upcoming(pairs, votes[:-1], "me")[0].shown == votes[-1].shown
    assert [v.shown for v in answered(pairs, 13, left, rater="you")] != [v.shown for v in votes]


def test_of_six_saves_four_are_shown_and_each_as_often():
    bouts = tuple(Bout(style=f"{k}", keys=tuple(f"{k} {save}" for save in range(6))) for k in range(12))
    side_of = {key: side for bout in bouts for side, key in enumerate(bout.keys)}
    pool = VotePool(name="which", sides=tuple("abcdef"), side_of=side_of, bouts=bouts)
    votes = [vote for vote in answered(pool, 33, left) if not vote.is_repeat]
    times = Counter(side_of[key] for vote in votes for key in vote.shown)
    assert {len(vote.shown) for vote in votes} == {4}
    assert max(times.values()) - min(times.values()) <= 1


def test_it_ends_at_its_number_or_as_soon_as_it_is_clear(pairs):
    rule = VoteRule(30)
    assert progress(pairs, answered(pairs, 9, second(pairs), rule=rule)).ending is None  # nine prompts, e below 20
    at_number = answered(pairs, 33, second(pairs), rule=rule)  # two of them repeats, one skipped
    at_number[3] = replace(at_number[3], answer=SKIPPED, best=None)
    assert progress(pairs, at_number).ending is Ending.NOT_CLEAR
    assert progress(pairs, at_number[:-1]).ending is None
    many = replace(pairs, bouts=tuple(replace(b, style=f"{i}") for i, b in enumerate(pairs.bouts)))
    clear = answered(many, 14, second(many), rule=rule)
    assert progress(many, clear).ending is Ending.CLEAR
    assert progress(many, [replace(vote, rule=VoteRule(30, until_clear=False).text) for vote in clear]).ending is None


def test_a_preference_is_told_with_its_interval_over_prompts(pairs):
    mostly = answered(pairs, 66, lambda t: "the same" if t.number % 5 == 0 else second(pairs)(t))
    found = tally(pairs, QUESTION, mostly)
    assert (found.ending, found.first, found.answered) == (Ending.AT_NUMBER, 0, 61)
    estimate = found.preference.estimate
    assert (estimate.n, estimate.is_clear, found.preference.needed) == (9, True, None)
    assert 0.6 < estimate.low < estimate.value < estimate.high <= 1
    said = list(vote_sentences(found))
    assert said[0].startswith(
        "“More like me”: with regularization images is preferred to without regularization images. Net preference +0."
    )
    assert "95 % interval" in said[0]
    assert said[0].endswith("over 9 prompts.")


def test_the_same_in_every_vote_tells_no_one(pairs):
    found = tally(pairs, QUESTION, answered(pairs, 20, lambda trial: "the same"))
    assert (found.same, found.preference.value, found.preference.estimate.is_clear) == (19, 0, False)
    assert "cannot tell" in next(vote_sentences(found))
    assert any("with a vote each would tell" in line for line in vote_sentences(found))


def test_stopped_by_hand_the_interval_is_the_one_that_holds_at_any_time(pairs):
    votes = answered(pairs, 9, second(pairs))
    found = tally(pairs, QUESTION, votes)
    assert found.ending is Ending.BY_HAND
    assert found.preference.estimate == anytime_interval(9, 0, 0)
    assert any(line.startswith("Stopped before its planned end") for line in vote_sentences(found))


def test_who_takes_the_left_is_named_and_who_agrees_with_himself_is_told_so(pairs):
    drawn = tally(pairs, QUESTION, answered(pairs, 66, left))
    assert (drawn.raters[0].is_biased, drawn.raters[0].consistent.value) == (True, 0)
    assert any("took the left picture in 100% of 66 votes" in line for line in vote_sentences(drawn))
    honest = tally(pairs, QUESTION, answered(pairs, 66, second(pairs)))
    assert (honest.raters[0].is_biased, honest.raters[0].consistent.value, honest.raters[0].seconds) == (False, 1, 2.0)


def test_the_saves_that_none_is_better_than_are_kept(fours):
    def last(trial):
        return [fours.side_of[key] for key in trial.shown].index(len(fours.sides) - 1)

    votes = [
        replace(vote, worst=[fours.side_of[key] for key in vote.shown].index(0)) for vote in answered(fours, 40, last)
    ]
    assert tally(fours, QUESTION, votes).kept == (len(fours.sides) - 1,)
    assert len(tally(fours, QUESTION, answered(fours, 40, lambda trial: "all bad")).kept) == len(fours.sides)


def test_votes_go_to_a_file_and_back_and_several_peoples_are_put_together(pairs, tmp_path):
    votes = [replace(vote, time=vote.time + 1e9) for vote in answered(pairs, 20, left)]
    votes[0] = replace(votes[0], rater="=HYPERLINK(1)", style="+cmd|' /C'", worst=1)
    path = tmp_path / "Jürgen's votes.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        write_vote_file(out, votes, {votes[0].shown[0]: "@evil"})
    assert read_vote_file(path) == tuple(votes)
    cells = [cell for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-"))]
    others = answered(pairs, 66, second(pairs), rater="you")
    both = merged_votes(votes, read_vote_file(path), others)
    assert len(both) == 86
    found = tally(pairs, QUESTION, both)
    assert {rater.name: rater.is_biased for rater in found.raters}["you"] is False
    assert found.ending is Ending.BY_HAND  # "me" stopped early


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("rater", "rather", "no column 'rater'"), (",0,,", ",7,,", "line 2"), (",2.0,", ",nan,", "line 2")],
)
def test_a_file_that_is_none_of_votes_is_one_sentence(pairs, tmp_path, old, new, said):
    path = tmp_path / "votes.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        write_vote_file(out, answered(pairs, 1, left), {})
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    with pytest.raises(LedgerError, match=said):
        read_vote_file(path)


def test_the_interval_leaves_0_out_where_the_evidence_is_enough():
    for wins, ties, losses in ((13, 0, 1), (30, 9, 12), (0, 4, 14), (60, 50, 31), (5, 0, 5), (9, 3, 2)):
        estimate = anytime_interval(wins, ties, losses)
        assert estimate.is_clear == (evidence(wins, losses) >= 20)
        assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert evidence(0, 0) == 1
    assert evidence(10, 0) == pytest.approx(11.09598, rel=1e-6)


def test_the_binomial_is_that_of_an_even_coin():
    assert (binomial(0, 0), binomial(5, 10)) == (1.0, 1.0)
    assert binomial(9, 10) == pytest.approx(22 / 1024) == binomial(1, 10)


@pytest.mark.parametrize("name", ["fixed", "winners", "sides"])
def test_votes_are_rarely_wrong(name, monkeypatch):
    monkeypatch.setattr(BENCH, "DESIGNS", ((20, 100),))
    assert not outside(name, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCH.TABLES)
def test_votes_are_as_rarely_wrong_as_is_said(name):
    assert not outside(name, 1000)


def outside(name, runs):
    rows = list(BENCH.TABLES[name](runs))
    assert rows
    return [each for each in rows if abs(each.value - min(max(each.value, each.least), each.most)) > slack(each)]


def slack(row):
    """Four standard deviations, in percent, of a share that is on a bound in truth."""
    share = (row.least if row.value < row.least else row.most) / 100
    return 400 * sqrt(max(share * (1 - share), 0) / row.runs)
