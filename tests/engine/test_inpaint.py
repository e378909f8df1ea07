"""Inpaint, held to the webui's own pictures, and what must not change."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.job import InpaintJob, Job, SoftInpaint
from ohwx_compare.engine.inpaint import inpaint
from ohwx_compare.engine.render import img2img
from ohwx_compare.errors import ExperimentError, ImageError
from ohwx_compare.files.masks import box_mask, gaussian_blur

SLOW = ["inpaint_masked_box_070", "inpaint_masked_ellipse", "inpaint_whole"]
JOB = InpaintJob(
    job=Job(prompt="ohwx man", seed=1, steps=4, sampler="Euler", width=64, height=64, denoise=0.5, rng="CPU")
)


@pytest.mark.parametrize(
    "name", ["inpaint_masked_nopad_noblur", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_pictures_are_the_webuis(model, case, difference, name):
    wanted = case(name)
    (picture,) = inpaint(model, [wanted.inpaint], [wanted.image], [wanted.mask])
    largest, mean = difference(picture.image, wanted.answers[0])
    assert largest <= 4
    assert mean <= 0.02


def test_nothing_outside_the_blurred_mask_changes(model, case):
    image, mask = case("inpaint_whole").image, box_mask((128, 128), Box(40, 50, 70, 90))
    (picture,) = inpaint(model, [JOB], [image], [mask])
    before, after = np.array(image), np.array(picture.image)
    untouched = np.array(gaussian_blur(mask, JOB.mask_blur)) == 0
    assert (before[untouched] == after[untouched]).all()
    assert not (before == after).all()


def test_a_batch_of_faces_gives_each_its_own(model, case, difference):
    image, job = case("inpaint_whole").image, JOB
    masks = [box_mask(image.size, Box(20, 20, 50, 60)), box_mask(image.size, Box(70, 10, 110, 40))]
    jobs = [job, replace(job, job=replace(job.job, seed=2, prompt="a woman"))]
    together = inpaint(model, jobs, [image, image], masks)
    for i in range(2):
        (alone,) = inpaint(model, jobs[i : i + 1], [image], masks[i : i + 1])
        assert difference(together[i].image, alone.image)[0] <= 1


@pytest.mark.parametrize("only_masked", [True, False])
def test_what_changes_in_between_is_put_into_the_picture_as_what_was_drawn_is(model, case, only_masked):
    """So ADetailer's faces lie below the picture that an inpaint keeps."""
    image, mask = case("inpaint_whole").image, box_mask((128, 128), Box(40, 50, 70, 90))
    seen = []

    def red(place, one):
        seen.append((place, one.image.size))
        return replace(one, image=Image.new("RGB", one.image.size, "red"))

    job = replace(JOB, mask_blur=0, only_masked=only_masked, job=replace(JOB.job, width=128, height=128))
    (picture,) = inpaint(model, [job], [image], [mask], between=red)
    assert seen == [(0, (128, 128))]
    assert picture.image == Image.composite(Image.new("RGB", image.size, "red"), image, mask)


@pytest.mark.parametrize("only_masked", [True, False])
def test_without_the_overlay_the_answer_is_what_was_drawn(model, case, only_masked):
    image, mask = case("inpaint_whole").image, box_mask((128, 128), Box(40, 50, 70, 90))
    seen = []
    asked = replace(JOB, job=replace(JOB.job, overlay=False), only_masked=only_masked)
    (picture,) = inpaint(model, [asked], [image], [mask], between=lambda _, one: seen.append(one.image) or one)
    assert picture.image.size == (64, 64)
    assert picture.image.tobytes() == seen[0].tobytes()


def test_a_black_mask_redraws_everything_and_says_so(model, case):
    image = case("inpaint_whole").image.resize((64, 64))
    (picture,) = inpaint(model, [JOB], [image], [Image.new("L", image.size)])
    assert "mask is black" in picture.notes[0]
    assert picture.image == img2img(model, [JOB.job], [image])[0].image


def test_the_whole_picture_takes_the_jobs_size_and_only_masked_keeps_its_own(model, case):
    image, mask = case("inpaint_whole").image, box_mask((128, 128), Box(40, 50, 70, 90))
    (whole,) = inpaint(model, [replace(JOB, only_masked=False)], [image], [mask])
    (part,) = inpaint(model, [JOB], [image], [mask])
    assert (whole.image.size, part.image.size) == ((64, 64), (128, 128))


def test_a_mask_of_another_size_is_refused(model, case):
    with pytest.raises(ImageError, match="64x64"):
        inpaint(model, [JOB], [case("inpaint_whole").image], [Image.new("L", (64, 64))])


def test_an_inverted_mask_is_the_mask_of_the_rest(model, case):
    image, mask = case("inpaint_whole").image, box_mask((128, 128), Box(0, 0, 127, 63))
    rest = box_mask((128, 128), Box(0, 64, 127, 127))
    (inverted,) = inpaint(model, [replace(JOB, inverted=True)], [image], [mask])
    (plain,) = inpaint(model, [JOB], [image], [rest])
    assert inverted.image == plain.image


def test_latents_that_do_not_fit_the_picture_beside_the_mask_are_refused(model, case):
    job = replace(JOB, only_masked=False, job=replace(JOB.job, resize_mode="latent"))
    with pytest.raises(ExperimentError, match="cannot be resized as latents"):
        inpaint(model, [job], [case("inpaint_whole").image], [Image.new("L", (128, 128), 255)])


@pytest.mark.parametrize("only_masked", [True, False])
def test_a_layer_that_comes_with_what_was_drawn_takes_the_place_of_a_soft_inpaints_own(model, case, only_masked):
    """So it is in the webui after ADetailer's last face, whose layer is as large as what was drawn."""
    image, mask = case("inpaint_whole").image, box_mask((128, 128), Box(0, 0, 63, 63))
    job = replace(JOB, mask_blur=0, padding=0, only_masked=only_masked, soft=SoftInpaint())
    layer = Image.new("RGBA", (64, 64), "blue")
    layer.paste((0, 0, 0, 0), (0, 0, 32, 64))

    def faces(_, one):
        return replace(one, image=Image.new("RGB", one.image.size, "red"), layer=layer)

    (own,) = inpaint(model, [job], [image], [mask])
    assert own.layer.size == own.image.size
    (picture,) = inpaint(model, [job], [image], [mask], between=faces)
    assert picture.image == Image.alpha_composite(Image.new("RGBA", (64, 64), "red"), layer).convert("RGB")
    (plain,) = inpaint(model, [replace(job, soft=None)], [image], [mask])
    assert plain.layer is None
