"""The second opinion on style, by the toy's own UNet: its texts, its scale, its eight calls a picture."""

from random import Random

import pytest

from ohwx_compare.engine.weights import load
from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.diffusion_style import DiffusionStyle
from ohwx_compare.judge.measure import UNET_CALLS, MeasureContext
from ohwx_compare.judge.style_ends import StyleControl, StyleEnds
from ohwx_compare.judge.style_kept import PHOTOGRAPH
from ohwx_compare.toy.checkpoint import write_checkpoint
from ohwx_compare.toy.person import random_person, random_pose, random_scene
from ohwx_compare.toy.portrait import draw_portrait

pytestmark = pytest.mark.slow  # some 10 s of UNet
PHOTO, DRAWN, ALONE = "photo", "pixel art", "anime"
PROMPTS = {PHOTO: "photo of man", DRAWN: "picture of man, pixel art style", ALONE: "picture of man, anime style"}
OF_DRAWN = MeasureContext(style=PROMPTS[DRAWN])


def portraits(style, count, seed):
    random = Random(f"{style} {seed}")
    return [
        draw_portrait(random_person(random, "man"), random_scene(random), random_pose(random), style, size=96,
                      seed=random.randrange(1 << 30)).image
        for _ in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.safetensors"
    write_checkpoint(path)
    return load(path)


@pytest.fixture(scope="module")
def controls(tmp_path_factory):
    """Two pictures as the base's in each style, of one style only one."""
    folder, found = tmp_path_factory.mktemp("controls ä"), {}
    for style, count in ((PHOTO, 2), (DRAWN, 2), (ALONE, 1)):
        for number, image in enumerate(portraits(style, count, "base")):
            image.save(path := folder / f"{style} {number}.png")
            found.setdefault(PROMPTS[style], []).append(StyleControl(path, PROMPTS[style]))
    return found


@pytest.fixture(scope="module")
def opinion(toy, controls):
    return DiffusionStyle(toy, "0" * 64, StyleEnds.of(controls))


def test_drawn_pictures_are_told_from_photographs(opinion):
    drawn = [score.value for score in opinion.score(portraits(DRAWN, 2, "new"), OF_DRAWN)]
    photos = [score.value for score in opinion.score(portraits(PHOTO, 2, "new"), OF_DRAWN)]
    assert min(drawn) >= 0.5 > max(photos)


def test_what_has_no_style_to_keep_or_no_scale_has_no_number(opinion):
    pictures = portraits(PHOTO, 1, "new")
    for style, outcome in ((PHOTO, PHOTOGRAPH), (ALONE, "the UNet cannot tell this style from a photograph")):
        (score,) = opinion.score(pictures, MeasureContext(style=PROMPTS[style]))
        assert (score.value, score.outcome) == (None, outcome)


def test_a_picture_takes_the_calls_that_the_plan_counts(opinion, toy):
    calls = []
    counting = toy.unet.register_forward_hook(lambda module, given, said: calls.append(len(given[0])))
    opinion.score(portraits(DRAWN, 1, "counted"), OF_DRAWN)
    counting.remove()
    assert sum(calls) == UNET_CALLS


def test_the_scales_take_each_picture_of_the_base_once_by_each_text(toy, controls):
    calls = []
    counting = toy.unet.register_forward_hook(lambda module, given, said: calls.append(len(given[0])))
    DiffusionStyle(toy, "0" * 64, StyleEnds.of(controls))
    counting.remove()
    assert sum(calls) == 4 * UNET_CALLS  # two photographs and two of the one style that has two


def test_without_photographs_of_the_base_there_is_none(controls):
    with pytest.raises(MeasureError, match="2 pictures or more of the base as photographs"):
        StyleEnds.of({style: own for style, own in controls.items() if style != PROMPTS[PHOTO]})
