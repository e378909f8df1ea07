"""The toy world: pictures are functions of their words, and the words can be seen in them."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from ohwx_compare.files.dataset import ReadingRules, read_dataset
from ohwx_compare.toy.datasets import (
    SUBJECT_SCENES,
    lesson,
    lesson_truth,
    toy_sample,
    write_class,
    write_lessons,
    write_subject,
)
from ohwx_compare.toy.person import OHWX_MAN, TRAITS, Pose, Scene, random_person, random_pose
from ohwx_compare.toy.portrait import caption, draw_portrait
from ohwx_compare.toy.styles import STYLES

POSE = Pose(x=0.5, y=0.45, height=0.5, tilt=0)
SCENE = Scene(garment="suit", colour="blue", background="wall")


def pixels(person=OHWX_MAN, scene=SCENE, pose=POSE, style="photo", seed=0):
    return np.asarray(draw_portrait(person, scene, pose, style, size=64, seed=seed).image).astype(int)


def test_a_number_is_a_picture_and_its_words():
    one, again, other = toy_sample(7, size=64), toy_sample(7, size=64), toy_sample(8, size=64)
    assert one.portrait.image.tobytes() == again.portrait.image.tobytes()
    assert one.caption == again.caption
    assert one.portrait.image.tobytes() != other.portrait.image.tobytes()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("field", "word"), [("hair", "black"), ("hairstyle", "bald"), ("beard", "none"), ("glasses", "none")]
)
def test_a_trait_changes_the_face_in_every_style(style, field, word):
    changed = np.abs(pixels(style=style) - pixels(replace(OHWX_MAN, **{field: word}), style=style)).max(axis=2) > 24
    inside = changed[4:60, 12:52].sum()
    if style == "pencil sketch" and field == "hair":
        assert inside > 0  # a pencil has no colours: only the tone differs
    else:
        assert inside > 40
    assert changed[:, :2].sum() == 0  # and leaves the background alone


@pytest.mark.parametrize("field", ["garment", "colour", "background"])
def test_every_word_of_a_scene_looks_different(field):
    looks = {word: pixels(scene=replace(SCENE, **{field: word})) for word in TRAITS[field]}
    for word, look in looks.items():
        assert all(np.abs(look - other).mean() > 0.5 for name, other in looks.items() if name != word)


def test_styles_differ_more_than_seeds():
    seeds = np.abs(pixels(seed=1) - pixels(seed=2)).mean()
    assert all(np.abs(pixels(style=style) - pixels()).mean() > 2 * seeds for style in STYLES[1:])


@pytest.mark.parametrize("number", range(6))
def test_a_lesson_is_what_its_truth_says(number):
    shown, (*who_and_where, pose) = lesson(number), lesson_truth(number)
    assert who_and_where == [shown.person, shown.scene, shown.style]
    box = shown.portrait.face
    assert box.x1 < 96 * pose.x < box.x2
    assert box.y1 < 96 * pose.y < box.y2
    assert box.height == pytest.approx(96 * pose.height, rel=0.05)


@pytest.mark.parametrize("number", range(20))
def test_a_face_is_whole_and_where_its_box_says(number):
    random = Random(number)
    person, pose = random_person(random, random.choice(("man", "woman"))), random_pose(random)
    box = draw_portrait(person, SCENE, pose, "photo", size=64, seed=0).face
    assert 0 <= box.x1 < box.x2 <= 64
    assert 0 <= box.y1 < box.y2 <= 64
    assert (box.y2 - box.y1) / 64 == pytest.approx(pose.height, rel=0.06)
    assert ((box.x1 + box.x2) / 128, (box.y1 + box.y2) / 128) == pytest.approx((pose.x, pose.y), abs=0.03)


def test_captions_are_in_the_fields_words():
    assert caption(OHWX_MAN, SCENE, "photo", Random(0), detail=0) == "photo of a man"
    assert caption(OHWX_MAN, SCENE, "anime", Random(0), detail=0) == "picture of a man, anime style"
    assert caption(OHWX_MAN, SCENE, "anime", Random(0), detail=1) == (
        "picture of a man, with curly red hair, with a full beard, with green eyes, wearing round glasses, "
        "wearing a blue suit, wall background, anime style"
    )


def test_the_datasets_are_what_the_trainer_reads(tmp_path):
    write_subject(tmp_path / "img", repeats=2, size=64)
    write_class(tmp_path / "reg", "man", count=4, size=64)
    dataset = read_dataset(tmp_path / "img", tmp_path / "reg", ReadingRules(captions="folder"))
    assert [(p.caption, p.repeats, p.size) for p in dataset.train] == [("ohwx man", 2, (64, 64))] * 15
    assert [p.caption for p in dataset.reg] == ["man"] * 4
    assert len(SUBJECT_SCENES) == 3
    assert not dataset.skipped


def test_lessons_are_written_once_with_their_captions(tmp_path):
    write_lessons(tmp_path, 12, size=32)
    dataset = read_dataset(tmp_path, None, ReadingRules(captions="file"))
    assert [p.caption for p in dataset.train] == [lesson(n, size=32).caption for n in range(12)]
    before = {p.path: p.path.stat().st_mtime_ns for p in dataset.train}
    write_lessons(tmp_path, 13, size=32)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert "" in {lesson(n, size=16).caption for n in range(40)}  # what guidance compares with
