"""What the demo says follows from what was read, whichever way it comes out."""

from dataclasses import replace
from random import Random

import pytest

from ohwx_compare.demo.answer import answer
from ohwx_compare.demo.readings import BeforeRead, FaceRead, PictureRead, Readings, TruthRead
from ohwx_compare.demo.sizes import QUICK
from ohwx_compare.demo.words import findings, headline, sentences
from ohwx_compare.toy.styles import PHOTO, STYLES

SIZES = replace(QUICK, apart=10)


def read(
    likeness=lambda one: 0.5, style=lambda one: 1.0, drift=lambda one: 0.4, face=(0.6, 0.3), before=None, ease=None
) -> Readings:
    """Readings of a quick demo: each number is a function of the checkpoint, `style` a chance.

    ease: what regularization images add to likeness in each of so many styles.
    """
    chance = Random(1)
    noise = {}

    def picture(one, asked, seed, value, right=1.0):
        own = noise.setdefault((asked, seed), chance.uniform(-0.1, 0.1))  # the same in every checkpoint
        seen = asked if chance.random() < right else PHOTO
        return PictureRead(
            trained=one, style=asked, seed=seed, image="i", thumb="t", before_thumb="b", likeness=value + own,
            style_read=seen, face=FaceRead(height=20, before=wrong(face[0]), after=wrong(face[1])),
        )  # fmt: skip

    def wrong(share):
        return {str(trait): chance.random() < share for trait in range(7)}

    def subject(one, asked, seed):
        more = ease[asked] if ease and one.arm == "reg" else 0
        return replace(picture(one, asked, seed, likeness(one) + more, style(one)), before=before)

    every, styles = SIZES.trained(), ease or SIZES.styles
    return Readings(
        subject=tuple(subject(one, asked, seed) for one in every for asked in styles for seed in (1, 2, 3)),
        drift=tuple(picture(one, PHOTO, seed, drift(one)) for one in every for seed in SIZES.class_seeds),
        small=tuple(picture(every[-1], PHOTO, seed, 0.5) for seed in range(60)),
        truths=tuple(
            TruthRead(is_subject=i % 2 == 0, likeness=0.9 if i % 2 == 0 else 0.35, style=PHOTO, style_read=PHOTO,
                      wrong={"hair": i == 0}) for i in range(20)
        ),
    )  # fmt: skip


def test_equal_arms_are_the_same_with_every_seed():
    found = answer(read())
    assert headline(found) == (
        "With regularization images: likeness, the same with every seed (in these 4 styles only); "
        "style kept, the same with every seed (in these 3 styles only); "
        "what “a man” looks like, the same with every seed (in this style only)."
    )
    assert not any(each.pooled.is_clear for each in found.differences.values())


@pytest.mark.parametrize(("arm", "words"), [("no-reg", "less likeness"), ("reg", "more likeness")])
def test_whichever_arm_is_more_like_the_subject_is_said_to_be(arm, words):
    found = answer(read(likeness=lambda one: 0.7 if one.arm == arm else 0.5))
    assert headline(found).startswith(
        f"With regularization images: {words} (in these 4 styles only); style kept, the same"
    )
    assert abs(found.differences["likeness"].pooled.value) == pytest.approx(0.2)
    assert list(found.differences["likeness"].at) == [10, 20, 30, 40, 50]


def test_where_the_styles_disagree_it_cannot_tell():
    """Six styles, half of them more like him with regularization images: pictures as units would call it clear."""
    found = answer(read(ease=dict(zip(STYLES, (-0.2, 0.4, -0.1, 0.4, -0.15, 0.4), strict=True))))
    assert headline(found).startswith(
        "With regularization images: style kept, the same with every seed (in these 5 styles"
    )
    assert "; likeness, cannot tell (" in headline(found)
    likeness, *_, matched, trainings = findings(found)
    assert likeness.startswith("Likeness: cannot tell. +0.12, 95 % interval −0.19 to +0.44, over 6 styles")
    assert likeness.endswith(" more styles would tell a difference of 0.05.")
    assert "90 such pairs" in matched
    assert trainings.startswith("One training of each arm")


def test_style_and_class_are_told_too():
    found = answer(
        read(style=lambda one: 0.1 if one.arm == "no-reg" else 1.0, drift=lambda one: (one.arm == "reg") / 2)
    )
    assert headline(found) == (
        "With regularization images: the style asked for kept more often (in these 3 styles only); "
        "“a man” more like the subject (in this style only); "
        "likeness, the same with every seed (in these 4 styles only)."
    )
    assert found.arms["reg"][-1].values["style"].value == 1
    assert found.base.values["style"].n == 9  # photographs are left out: 3 styles, 3 seeds
    training, drift, *_ = sentences(found)
    assert "0.00 without regularization images (not clearly changed" not in training
    assert "(risen: +0.50" in drift


def test_the_best_checkpoints_have_likeness_and_style():
    """Without regularization images as alike, but out of style; with them the later ones are less of both."""
    found = answer(
        read(
            likeness=lambda one: 0.6 - (one.exposures > 20) * 0.3,
            style=lambda one: 0.05 if one.arm == "no-reg" else 1.0 - (one.exposures > 20) * 0.3,
            ease=dict.fromkeys(STYLES, 0),
        )
    )
    assert [(one.arm, one.exposures) for one in found.keep.saves] == [("reg", 10), ("reg", 20)]
    assert [one.exposures for one in found.keep.earliest] == [10]
    assert found.keep.score == pytest.approx(0.6, abs=0.1)
    told = list(sentences(found))[2]
    assert "2 of 10 saves cannot be told from the best: with regularization images 10 and 20 exposures" in told


def test_a_face_pass_is_a_factor_of_likeness_and_style():
    found = answer(read(before=BeforeRead(likeness=0.3, style_read=PHOTO)))
    contrasts = {each.name: each.effect for each in found.differences["likeness"].contrasts}
    assert contrasts["face pass"].value == pytest.approx(0.2, abs=0.05)
    assert contrasts["regularization x face pass"].value == pytest.approx(0)
    style = {each.name: each.effect for each in found.differences["style"].contrasts}
    assert style["face pass"].value == pytest.approx(1)
    assert len(found.differences["drift"].contrasts) == 3  # nothing was redrawn there
    assert len(answer(read()).differences["likeness"].contrasts) == 3


def test_rises_are_paired_with_the_base():
    rises = answer(read(likeness=lambda one: one.exposures / 100)).rises
    assert rises["reg"]["likeness"].value == pytest.approx(0.5)
    assert rises["reg"]["likeness"].high - rises["reg"]["likeness"].low < 1e-9  # the seeds' own noise is the same


def test_what_the_face_pass_did_is_said():
    better, worse = (answer(read(face=face)) for face in ((0.6, 0.3), (0.3, 0.6)))
    assert better.faces.change.high < 0 < worse.faces.change.low
    assert "lowers the share of traits that are wrong" in list(sentences(better))[-1]
    assert "raises the share of traits that are wrong" in list(sentences(worse))[-1]
    none = answer(replace(read(), small=()))
    assert none.faces is None
    assert len(list(sentences(none))) == 3
