"""Likeness in a world where a face is a square and its colour the person: 40 levels of a channel are 1 apart."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detect import Detection
from ohwx_compare.errors import ImageError, MeasureError
from ohwx_compare.judge.families import FAMILIES, StyleFamily
from ohwx_compare.judge.likeness import NO_FACE, Likeness, ceiling_distances
from ohwx_compare.judge.measure import MEASURED, MeasureContext
from ohwx_compare.judge.references import CROP_FACE, FaceSight, read_references

PHOTO = next(family for family in FAMILIES if family.name == "photo")
ME, OTHER = (200, 100, 50), (60, 160, 200)
NO_CONTEXT = MeasureContext()


class SquareDetector:
    """Finds squares on black by the columns that they stand in."""

    name, sha256, kind, note = "squares", "5" * 64, "drawn", ""

    def detect(self, images, confidence):
        return [list(self._squares(np.asarray(image.convert("RGB")).max(2) > 24)) for image in images]

    def _squares(self, lit):
        edges = np.flatnonzero(np.diff(np.pad(lit.any(0).astype(int), 1)))
        for left, right in edges.reshape(-1, 2):
            rows = np.flatnonzero(lit[:, left:right].any(1))
            yield Detection(Box(float(left), float(rows[0]), float(right), float(rows[-1] + 1)), 0.9)


class ColourReader:
    """The colour in a box's middle, in steps of 40."""

    def read(self, images, boxes):
        middles = [(int((b.x1 + b.x2) / 2), int((b.y1 + b.y2) / 2)) for b in boxes]
        colours = [image.getpixel(middle) for image, middle in zip(images, middles, strict=True)]
        return np.array(colours, np.float32).reshape(-1, 3) / 40


def picture(*squares, size=(400, 200)):
    """Squares (colour, side) from left to right, 20 px apart."""
    image, left = Image.new("RGB", size), 20
    for colour, side in squares:
        ImageDraw.Draw(image).rectangle((left, 30, left + side - 1, 30 + side - 1), fill=colour)
        left += side + 20
    return image


def shade(colour, by):
    return tuple(value + by for value in colour)


@pytest.fixture
def sight():
    return FaceSight(SquareDetector(), ColourReader())


@pytest.fixture
def saved(tmp_path):
    """A folder of photographs."""

    def save(*images, name="photos"):
        folder = tmp_path / name
        folder.mkdir()
        for i, image in enumerate(images):
            image.save(folder / f"{i}.png")
        return folder

    return save


@pytest.fixture
def references(sight, saved):
    """Three photographs of me, each 4 levels from the next."""
    return read_references([saved(*(picture((shade(ME, by), 80)) for by in (-4, 0, 4)))], sight)


def test_the_value_is_the_distance_to_the_mean_photograph(sight, references):
    scores = Likeness(sight, references).score([picture((shade(ME, 8), 90)), picture((OTHER, 90))], NO_CONTEXT)
    assert [score.outcome for score in scores] == [MEASURED] * 2
    assert scores[0].value == pytest.approx(3**0.5 * 8 / 40)
    assert scores[1].value == pytest.approx(np.linalg.norm(np.subtract(ME, OTHER)) / 40)
    assert scores[0].details["nearest"] == "2.png"
    assert scores[0].details["nearest_distance"] == pytest.approx(3**0.5 * 4 / 40)


def test_a_copy_of_a_photograph_is_seen(sight, references):
    score = Likeness(sight, references).score([picture((shade(ME, -4), 80))], NO_CONTEXT)[0]
    assert (score.details["nearest"], score.details["nearest_distance"]) == ("0.png", 0)


def test_no_face_is_an_outcome_and_no_number(sight, references):
    scores = Likeness(sight, references).score(
        [Image.new("L", (64, 64)), picture((ME, 15)), picture((ME, 80))], NO_CONTEXT
    )
    assert [(score.value is None, score.outcome) for score in scores] == [
        (True, NO_FACE),
        (True, NO_FACE),
        (False, MEASURED),
    ]


def test_which_face_counts_is_fixed_beforehand(sight, references):
    crowd = [picture((ME, 60), (OTHER, 100))]
    largest, best = (Likeness(sight, references, faces=rule) for rule in ("largest", "best"))
    assert largest.score(crowd, NO_CONTEXT)[0].value > 1
    assert best.score(crowd, NO_CONTEXT)[0].value == pytest.approx(0)
    assert largest.key != best.key


def test_no_picture_depends_on_another(sight, references):
    pictures = [picture((ME, 60)), Image.new("RGB", (50, 50)), picture((OTHER, 50), (ME, 90))]
    measure = Likeness(sight, references)
    assert measure.score(pictures, NO_CONTEXT) == [measure.score([one], NO_CONTEXT)[0] for one in pictures]
    assert measure.score([], NO_CONTEXT) == []


def test_the_key_is_the_photographs_and_the_detector(sight, references, saved):
    again = read_references([saved(*(picture((shade(ME, by), 80)) for by in (4, 0, -4)), name="turned round")], sight)
    fewer = read_references([saved(*(picture((shade(ME, by), 80)) for by in (0, 4)), name="fewer")], sight)
    assert Likeness(sight, again).key == Likeness(sight, references).key
    assert Likeness(sight, fewer).key != Likeness(sight, references).key
    surer = FaceSight(sight.detector, sight.reader, confidence=0.5)
    assert Likeness(surer, references).key != Likeness(sight, references).key


# Photographs


def test_a_crop_holds_the_face_at_its_size(references):
    for face in references.faces:
        assert face.crop.size == (3 * CROP_FACE, 3 * CROP_FACE)
        assert face.box.width == pytest.approx(CROP_FACE, rel=0.02)
        x, y = (face.box.x1 + face.box.x2) / 2, (face.box.y1 + face.box.y2) / 2
        assert (x, y) == pytest.approx((1.5 * CROP_FACE, 1.5 * CROP_FACE), abs=3)


def test_a_phones_photograph_stands_upright(sight, saved):
    image = picture((ME, 80))
    folder = saved(picture((ME, 80)))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    image.transpose(Image.Transpose.ROTATE_90).save(folder / "phone.jpg", exif=exif, quality=100, subsampling=0)
    first, second = read_references([folder], sight).faces
    assert np.abs(np.asarray(first.crop, int) - np.asarray(second.crop)).mean() < 2


def test_what_was_left_out_is_said(sight, saved):
    me = [picture((shade(ME, by), 80)) for by in (0, 4)]
    folder = saved(*me, picture((OTHER, 80)), Image.new("RGB", (90, 90)), picture((ME, 80), (OTHER, 70)))
    references = read_references([folder], sight)
    assert [face.name for face in references.faces] == ["0.png", "1.png", "4.png"]
    said = " ".join(references.notes)
    assert "No face was found in 3.png" in said
    assert "nobody else here: 2.png" in said
    assert "More than one person is in 4.png" in said


@pytest.mark.parametrize(
    ("squares", "kind", "words"),
    [
        ([], ImageError, "no PNG"),
        ([()], MeasureError, r"No face was found in 0\.png by squares"),
        ([((ME, 80),)], MeasureError, r"1 photograph with a face.*\(0\.png\), expected at least 2"),
        ([((ME, 80),), ((OTHER, 80),)], MeasureError, r"look like 2 people: 0\.png; 1\.png"),
        ([((ME, 80),)] * 3 + [((OTHER, 80),)] * 2, MeasureError, r"2 people: 0\.png, 1\.png, 2\.png; 3\.png, 4\.png"),
    ],
)
def test_photographs_that_cannot_be_used_are_a_sentence(sight, saved, squares, kind, words):
    folder = saved(*(picture(*one) for one in squares))
    with pytest.raises(kind, match=words):
        read_references([folder], sight)


# The ceiling of a style


def test_the_ceiling_leaves_each_photograph_out_of_its_own_mean(sight, references):
    far = 3**0.5 * 6 / 40  # the outer ones to the mean of the others
    assert ceiling_distances(sight, references, PHOTO) == pytest.approx([far, 0, far], abs=1e-6)


def test_held_out_photographs_are_held_against_all_others(sight, references, saved):
    held_out = read_references([saved(picture((shade(ME, 8), 80)), name="held out")], sight, least=1)
    assert ceiling_distances(sight, references, PHOTO, held_out) == pytest.approx([3**0.5 * 8 / 40])


def test_the_ceiling_is_of_filtered_photographs(sight, references):
    darker = StyleFamily("darker", "dark", lambda pixels: pixels // 2)
    assert min(ceiling_distances(sight, references, darker)) > 2
