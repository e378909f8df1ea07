"""Style kept and the fallback of likeness: what they take from the base's pictures and photographs, and what not."""

from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detect import Detection
from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.latent_likeness import LatentLikeness, latent_probe
from ohwx_compare.judge.measure import MeasureContext
from ohwx_compare.judge.style_kept import PHOTOGRAPH, StyleKept, style_looks
from ohwx_compare.judge.vae_sight import VaeSight
from ohwx_compare.models.vae import VAE, VAEConfig
from ohwx_compare.toy.person import OHWX_MAN, random_person, random_pose, random_scene
from ohwx_compare.toy.portrait import draw_portrait

ANIME, PHOTO = "picture of ohwx man, anime style", "photo of ohwx man"


@pytest.fixture(scope="module")
def sight():
    """A drawn VAE: it knows nothing, and sees the same each time."""
    torch.manual_seed(0)
    return VaeSight(VAE(VAEConfig(widths=(32, 32, 32, 32), blocks=1, latent=4)))


class WholeDetector:
    """Each picture but a black one is a face."""

    name, sha256, kind, note = "whole", "7" * 64, "drawn", ""

    def detect(self, images, confidence):
        return [[Detection(Box(0, 0, *image.size), 0.9)] if image.getextrema()[0][1] else [] for image in images]


def portrait(number, style="photo", person=None):
    random = Random(number)
    shown = person or random_person(random, "man")
    return draw_portrait(shown, random_scene(random), random_pose(random), style, size=48, seed=number)


def saved(folder, images):
    folder.mkdir()
    for i, image in enumerate(images):
        image.save(folder / f"{i}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def controls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("controls")
    return {
        ANIME: saved(folder / "a", (portrait(i, "pencil sketch").image for i in range(6))),
        PHOTO: saved(folder / "p", (portrait(i + 50).image for i in range(6))),
    }


@pytest.fixture(scope="module")
def kept(sight, controls):
    return StyleKept(sight, controls)


def test_a_picture_in_the_style_is_told_from_a_photograph_of_the_same_scene(kept):
    drawn, ignored = ([portrait(i, style).image for i in range(100, 104)] for style in ("pencil sketch", "photo"))
    values = [score.value for score in kept.score(drawn + ignored, MeasureContext(style=ANIME))]
    assert np.mean(values[:4]) > 0.75
    assert np.mean(values[4:]) < 0.5  # the VAE has learned nothing: one of the four may be taken for a drawing
    assert np.mean(np.subtract.outer(values[:4], values[4:]) > 0) > 0.75


def test_a_photograph_keeps_no_style_and_an_unknown_style_has_no_number(kept):
    image = portrait(1).image
    assert kept.score([image], MeasureContext(style=PHOTO))[0].outcome == PHOTOGRAPH
    assert kept.score([image], MeasureContext(style="oil painting"))[0].value is None


def test_a_score_depends_on_no_other_picture_of_the_call(kept):
    images = [portrait(i, "pencil sketch" if i % 2 else "photo").image for i in range(100, 103)]
    alone = [kept.score([image], MeasureContext(style=ANIME))[0].value for image in images]
    assert [s.value for s in kept.score(images, MeasureContext(style=ANIME))] == pytest.approx(alone, abs=1e-4)


def test_other_controls_or_another_vae_are_another_measure(sight, controls, kept):
    fewer = StyleKept(sight, {**controls, ANIME: controls[ANIME][:-1]})
    torch.manual_seed(1)
    other = VaeSight(VAE(VAEConfig(widths=(32, 32, 32, 32), blocks=1, latent=4)))
    assert len({kept.key, fewer.key, StyleKept(other, controls).key}) == 3
    assert StyleKept(sight, {style: paths[::-1] for style, paths in controls.items()}).key == kept.key


def test_without_photographs_or_styles_of_the_base_there_is_no_measure():
    rows = np.random.RandomState(0).standard_normal((3, 8))
    for textures in ({"": rows}, {"anime": rows}, {"": rows[:1], "anime": rows}):
        with pytest.raises(MeasureError, match="2 pictures or more of the base"):
            style_looks(textures)


def test_the_probe_is_one_for_the_person_and_zero_for_others_whatever_their_number():
    random = np.random.RandomState(0)
    person, others = random.standard_normal((5, 300)) + 0.5, random.standard_normal((80, 300))
    probe = latent_probe(person, others)
    assert probe(person).mean() > 0.75
    assert probe(others).mean() < 0.25
    assert probe(random.standard_normal((200, 300)) + 0.5).mean() > probe(random.standard_normal((200, 300))).mean()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")

    def faces(numbers, person=None):
        shown = (portrait(i, person=person) for i in numbers)
        return [one.image.crop(tuple(map(round, one.face.xyxy))).resize((48, 48)) for one in shown]

    return SimpleNamespace(
        person=saved(folder / "me", faces(range(12), OHWX_MAN)), others=saved(folder / "others", faces(range(50, 74))),
        new=faces(range(200, 208), OHWX_MAN), strangers=faces(range(300, 308)),
    )  # fmt: skip


def test_the_fallback_tells_the_person_from_strangers_and_says_no_face(sight, photographs):
    measure = LatentLikeness(sight, WholeDetector(), photographs.person, photographs.others)
    own, others = (
        [score.value for score in measure.score(images, MeasureContext())]
        for images in (photographs.new, photographs.strangers)
    )
    assert min(own + others) >= 0
    assert max(own + others) <= 1
    assert np.mean(np.subtract.outer(own, others) > 0) > 0.9
    (none,) = measure.score([Image.new("RGB", (48, 48))], MeasureContext())
    assert (none.value, none.outcome) == (None, "no face")
    assert "fallback" in measure.words.title


def test_other_photographs_make_another_fallback_and_too_few_none(sight, photographs):
    one = LatentLikeness(sight, WholeDetector(), photographs.person, photographs.others)
    other = LatentLikeness(sight, WholeDetector(), photographs.person[1:], photographs.others)
    assert one.key != other.key
    with pytest.raises(MeasureError, match="4 faces found in 4 pictures of other people by whole, expected 5"):
        LatentLikeness(sight, WholeDetector(), photographs.person, photographs.others[:4])


def test_texture_is_of_grain_and_not_of_a_scenes_light(sight):
    """After the first layer, 32 means and 32 differences: a slow ramp of light, and noise of a third of its spread."""
    ramp = np.linspace(60, 190, 96)[None, :, None] * np.ones((96, 1, 3))
    noise = np.random.default_rng(0).normal(0, 13, (96, 96, 3))
    lit, grainy = sight.texture(Image.fromarray(pixels.astype(np.uint8)) for pixels in (ramp, 125 + noise))[:, 32:64]
    assert (lit < grainy - 0.5).all()
