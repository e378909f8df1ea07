"""The reader reads true pictures that it never saw; likeness is the mean of what it says."""

import hashlib
import json
from dataclasses import replace
from random import Random

import pytest
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.toy.datasets import toy_sample
from ohwx_compare.toy.person import OHWX_MAN, random_person
from ohwx_compare.toy.reader import FACE_FIELDS, FIELDS, WEIGHTS, face_window, is_visible, likeness, load_reader


@pytest.fixture(scope="module")
def reader():
    return load_reader()


@pytest.fixture(scope="module")
def unseen():
    return [toy_sample(200_000 + i, size=96) for i in range(36)]


def certain(person, style="photo"):
    """The reading of a picture in which every word of `person` is plain."""
    own = {"style": style, **vars(person)}
    return {name: {word: float(word == own.get(name)) for word in words} for name, words in FIELDS.items()}


def share_right(readings, samples, fields):
    """Of the words that can be seen, how many are read."""
    right = []
    for reading, shown in zip(readings, samples, strict=True):
        truth = {"style": shown.style, **vars(shown.person), **vars(shown.scene)}
        right += [max(reading[f], key=reading[f].__getitem__) == truth[f] for f in fields if is_visible(f, truth)]
    return sum(right) / len(right)


def test_it_reads_pictures_it_never_saw(reader, unseen):
    readings = reader.read([s.portrait.image for s in unseen])
    for fields, bound in ((("style",), 0.95), (("hair", "beard", "glasses", "eyes"), 0.9), (FIELDS, 0.85)):
        assert share_right(readings, unseen, fields) >= bound


def test_a_face_box_is_enough_for_the_face(reader, unseen):
    readings = reader.read_faces([s.portrait.image for s in unseen], [s.portrait.face for s in unseen])
    assert set(readings[0]) == {"style", *FACE_FIELDS}
    assert share_right(readings, unseen, FACE_FIELDS) >= 0.85


def test_small_faces_are_read_too(reader):
    far = [toy_sample(300_000 + i, size=96, near=0.28, far=0.2) for i in range(24)]
    assert share_right(reader.read([s.portrait.image for s in far]), far, ("hair", "beard", "glasses")) >= 0.8


def test_it_finds_the_face(reader, unseen):
    for box, shown in zip(reader.find([s.portrait.image for s in unseen]), unseen, strict=True):
        assert box.xyxy == pytest.approx(shown.portrait.face.xyxy, abs=0.15 * shown.portrait.face.height)


def test_a_reading_has_every_field_for_any_size(reader, unseen):
    image = unseen[0].portrait.image
    images = [image, image.resize((256, 256), Image.Resampling.BICUBIC), image.convert("RGBA")]
    readings = reader.read(images)
    for reading in readings:
        assert {name: tuple(words) for name, words in reading.items()} == dict(FIELDS)
        assert all(sum(words.values()) == pytest.approx(1) for words in reading.values())
    assert readings == reader.read(images)
    for alone in (readings[2], *reader.read([image])):
        assert alone["hair"] == pytest.approx(readings[0]["hair"], abs=1e-4)
    assert reader.read([]) == []


def test_the_weights_are_those_of_their_training_record():
    record = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == record["sha256"]


def test_likeness_is_the_mean_over_what_can_be_seen():
    assert likeness(certain(OHWX_MAN), OHWX_MAN) == 1
    assert likeness(certain(replace(OHWX_MAN, eyes="blue")), OHWX_MAN) == pytest.approx(6 / 7)
    # a pencil has no colours: skin, hair and eyes are left out
    assert likeness(certain(replace(OHWX_MAN, eyes="blue"), "pencil sketch"), OHWX_MAN) == 1
    # a bald head without a beard has no hair colour: hairstyle and beard are wrong, hair is left out
    assert likeness(certain(replace(OHWX_MAN, hairstyle="bald", beard="none")), OHWX_MAN) == pytest.approx(4 / 6)
    unsure = {**certain(OHWX_MAN), "glasses": {"none": 0.25, "round": 0.75, "square": 0.0}}
    assert likeness(unsure, OHWX_MAN) == pytest.approx(6.75 / 7)


def test_strangers_are_not_alike():
    strangers = [random_person(Random(i), "man") for i in range(500)]
    assert sum(likeness(certain(man), OHWX_MAN) for man in strangers) / 500 == pytest.approx(0.28, abs=0.05)


def test_the_face_window_is_a_square_round_the_face():
    assert face_window(Box(40, 30, 70, 70)).xyxy == (25, 17, 85, 77)
