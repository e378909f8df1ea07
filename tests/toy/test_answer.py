"""What the demo says follows from what was read, whichever way it comes out."""

from dataclasses import replace
from random import Random

import pytest

from ohwx_compare.demo.answer import answer
from ohwx_compare.demo.readings import FaceRead, PictureRead, Readings, TruthRead
from ohwx_compare.demo.sizes import QUICK
from ohwx_compare.demo.words import headline, sentences
from ohwx_compare.toy.styles import PHOTO

SIZES = replace(QUICK, apart=10)


def read(likeness=lambda one: 0.5, style=lambda one: 1.0, drift=lambda one: 0.4, face=(0.6, 0.3)) -> Readings:
    """Readings of a quick demo: each number is a function of the checkpoint, `style` a chance."""
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

    every = SIZES.trained()
    return Readings(
        subject=tuple(picture(o, a, s, likeness(o), style(o)) for o in every for a in SIZES.styles for s in (1, 2, 3)),
        drift=tuple(picture(one, PHOTO, seed, drift(one)) for one in every for seed in SIZES.class_seeds),
        small=tuple(picture(every[-1], PHOTO, seed, 0.5) for seed in range(60)),
        truths=tuple(
            TruthRead(is_subject=i % 2 == 0, likeness=0.9 if i % 2 == 0 else 0.35, style=PHOTO, style_read=PHOTO,
                      wrong={"hair": i == 0}) for i in range(20)
        ),
    )  # fmt: skip


def test_equal_arms_have_no_clear_difference():
    found = answer(read())
    assert headline(found) == (
        "With or without regularization images: no clear difference in likeness, style and what “a man” looks like."
    )
    assert not any(each.pooled.is_clear for each in found.differences.values())


@pytest.mark.parametrize(("arm", "words"), [("no-reg", "less likeness"), ("reg", "more likeness")])
def test_whichever_arm_is_more_like_the_subject_is_said_to_be(arm, words):
    found = answer(read(likeness=lambda one: 0.7 if one.arm == arm else 0.5))
    assert headline(found) == (
        f"With regularization images: {words}; no clear difference in style and what “a man” looks like."
    )
    assert abs(found.differences["likeness"].pooled.value) == pytest.approx(0.2)
    assert list(found.differences["likeness"].at) == [10, 20, 30, 40, 50]


def test_style_and_class_are_told_too():
    found = answer(
        read(style=lambda one: 0.1 if one.arm == "no-reg" else 1.0, drift=lambda one: (one.arm == "reg") / 2)
    )
    assert headline(found) == (
        "With regularization images: the style asked for kept more often and “a man” more like the subject; "
        "no clear difference in likeness."
    )
    assert found.arms["reg"][-1].values["style"].value == 1
    assert found.base.values["style"].n == 9  # photographs are left out: 3 styles, 3 seeds
    training, drift, *_ = sentences(found)
    assert "0.00 without regularization images (not clearly changed" not in training
    assert "(risen: +0.50" in drift


def test_the_best_checkpoint_has_likeness_and_style():
    def likeness(one):
        return {"no-reg": 0.9, "reg": 0.6}.get(one.arm, 0.1) - (one.exposures > 20) * 0.2

    found = answer(read(likeness, style=lambda one: 0.2 if one.arm == "no-reg" else 1.0)).best
    assert (found.trained.arm, found.trained.exposures) == ("reg", 10)
    assert found.score.value == pytest.approx(0.6, abs=0.1)
    assert found.certainty > 0.5


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
