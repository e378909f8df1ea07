"""Seams are seen where they were planted on a photograph, and nowhere else; every figure is by `bench/seams.py`."""

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.files import masks
from ohwx_compare.judge.inpainted import inpainted
from ohwx_compare.judge.measure import MeasureContext, boxes_in
from ohwx_compare.judge.seams import Seams

FACE = Box(297, 189, 558, 450)


@pytest.fixture(scope="module")
def photograph(goldens):
    """(H, W, 3), 864 px."""
    image = Image.open(goldens / "astronaut.png").convert("RGB").resize((864, 864), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32)


def after(pixels, drawn, *boxes, blur=4):
    """What a face pass makes of a picture that drew `drawn` into the boxes."""
    before = Image.fromarray(pixels.astype(np.uint8))
    for box in boxes or [FACE]:
        mask = masks.gaussian_blur(masks.dilate(masks.box_mask(before.size, box), 4), blur)
        before = masks.paste(Image.fromarray(drawn.clip(0, 255).astype(np.uint8)), masks.overlay(before, mask))
    return before


def share(pixels, image):
    return max((part.visible for part in inpainted(Image.fromarray(pixels.astype(np.uint8)), image)), default=0.0)


@pytest.mark.parametrize("blur", [0, 4])
@pytest.mark.parametrize("by", [(14, 14, 14), (-14, -14, -14), (18, 4, -11)])
def test_another_tone_shows(photograph, by, blur):
    assert share(photograph, after(photograph, photograph + np.array(by), blur=blur)) >= Seams.SHOWS


def test_other_content_shows_along_a_hard_mask(photograph):
    mirrored = photograph[:, ::-1]
    assert share(photograph, after(photograph, mirrored, blur=0)) >= Seams.SHOWS


def test_what_grows_towards_the_middle_does_not_show(photograph):
    middle = np.zeros((*photograph.shape[:2], 1), np.float32)
    wave = np.sin(np.linspace(0, np.pi, 261)) ** 2
    middle[189:450, 297:558, 0] = wave[:, None] * wave
    for drawn in (photograph + 25 * middle, photograph + middle * (photograph[:, ::-1] - photograph)):
        assert share(photograph, after(photograph, drawn)) < Seams.SHOWS


def test_what_a_vae_changes_does_not_show(photograph):
    grain = np.random.default_rng(0).normal(0, 1.5, photograph.shape)
    assert share(photograph, after(photograph, photograph + grain)) < 0.1


def test_the_parts_are_where_the_pass_drew(photograph):
    """Two masks of their own, within the blur's reach; nothing for a pass that changed nothing."""
    before = Image.fromarray(photograph.astype(np.uint8))
    other = Box(40, 600, 160, 720)
    found = inpainted(before, after(photograph, photograph + 30, FACE, other))
    for part, box in zip(found, (FACE, other), strict=True):
        assert np.abs(np.subtract(part.box.xyxy, box.xyxy)).max() <= 4 + 10
    assert inpainted(before, before) == []


def test_the_measure_says_what_it_cannot_hold_against_each_other(photograph):
    before = Image.fromarray(photograph.astype(np.uint8))
    whole = Image.fromarray((photograph * 0.5).astype(np.uint8))
    images = [before, whole, before.resize((800, 800)), after(photograph, photograph + 14)]
    none, all_of_it, larger, seam = Seams().score(images, MeasureContext(befores=[before] * 4))
    assert (none.value, none.details) == (0.0, {})
    assert (all_of_it.value, all_of_it.outcome) == (None, "changed as a whole by its face pass")
    assert (larger.value, larger.outcome) == (None, "another size than before its face pass")
    assert len(boxes_in(seam.details["boxes"])) == 1
    assert boxes_in("") == boxes_in("no box") == ()
