"""The answer in words."""

import numpy as np

from ohwx_compare.judge.effects import effect
from ohwx_compare.judge.intervals import Estimate
from ohwx_compare.judge.trainings import compare_trainings
from ohwx_compare.judge.verdict import verdict
from ohwx_compare.judge.words import Clause, chance, line, listed, one_sentence, rounded, spanned, trainings

NOISE = np.random.RandomState(0).standard_normal((8, 4))
NOISE -= NOISE.mean()


def clause(subject: str, values, **more) -> Clause:
    found = values if hasattr(values, "unit") else effect(values)
    told = verdict(found, **more)
    return Clause(subject=subject, more=f"more {subject}", less=f"less {subject}", effect=found, verdict=told)


def test_what_is_clear_comes_first_then_the_same_then_what_cannot_be_told():
    told = one_sentence("With it", [
        clause("a", 0.5 * NOISE), clause("b", 0.01 * NOISE), clause("c", 0.01 * NOISE - 0.5),
        clause("d", 0.01 * NOISE[:3] + 0.5), clause("e", np.zeros((8, 4))), clause("f", 0.01 * NOISE + 0.02),
    ])  # fmt: skip
    assert told.startswith(
        "With it: less c; more d (in these 3 styles only); more f, though within 0.05; b, the same within 0.05; "
        "e, the same in every style; a, cannot tell ("
    )
    assert told.endswith(" more styles would).")


def test_a_line_gives_value_interval_units_and_what_would_tell():
    assert line(clause("likeness", 0.01 * NOISE - 0.5)).startswith("Likeness: less. −0.50, 95 % interval −0.5")
    assert "over 8 styles, p 0.0078 by sign flips" in line(clause("likeness", 0.01 * NOISE - 0.5))
    assert "Likeness: cannot tell. 0.00, 95 % interval −0." in line(clause("likeness", 0.5 * NOISE))
    assert line(clause("likeness", 0.5 * NOISE)).endswith("more styles would tell a difference of 0.05.")
    assert (
        line(clause("style", np.zeros((60, 2)))) == "Style: the same within 0.05. 0.00 in every style, over 60 styles."
    )
    assert "more seeds of each style would" in line(clause("style", 0.5 * NOISE[:3]))
    arms = 0.05 * NOISE[:4].reshape(2, 2, 4)[..., None]
    assert "4 trainings, in these 4 styles" in line(clause("style", compare_trainings(*arms.transpose(0, 1, 2, 3))))


def test_seeds_that_agree_within_each_of_few_styles_give_no_interval():
    lost = clause("style kept", np.repeat([[-1.0], [0.0]], 8, 1), is_share=True)
    assert line(lost) == "Style kept: less. −0.50 with every seed, in these 2 styles only."
    assert one_sentence("With it", [lost]) == "With it: less style kept (in these 2 styles only)."


def test_how_many_trainings_there_were_is_said():
    assert trainings(1, 1).startswith("One training of each arm")
    assert "3 degrees of freedom" in trainings(2, 3)


def test_an_interval_that_leaves_0_out_shows_it():
    assert spanned(Estimate(0.213, 0.0041, 0.42, 9)) == ("+0.213", "+0.004", "+0.420")
    assert spanned(Estimate(-0.2, -0.4, -0.00002, 9)) == ("−0.20000", "−0.40000", "−0.00002")
    assert spanned(Estimate(0.2, -0.004, 0.4, 9)) == ("+0.20", "0.00", "+0.40")
    assert spanned(Estimate(0.2, 0.001, 0.4, 9), "{:+.0%}") == ("+20.0%", "+0.1%", "+40.0%")
    assert spanned(Estimate(1.0, 1e-9, 2.0, 9))[1] == "0.00000"
    assert spanned(Estimate(0.2, 0.004, 0.4, 9), "{:.2f}") == ("0.20", "0.00", "0.40")


def test_small_things():
    assert [rounded(each) for each in (0.001, -0.001, -0.2, 0.2)] == ["0.00", "0.00", "−0.20", "+0.20"]
    assert rounded(-0.001, "{:+.0%}") == "0%"
    assert [chance(each) for each in (0.53, 0.0312, 0.0005)] == ["p 0.53", "p 0.031", "p < 0.001"]
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
