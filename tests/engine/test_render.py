"""Pictures, held to the webui's own: starting noise, final latents, pixels."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from ohwx_compare.core.infotext.sampler_names import SAMPLERS
from ohwx_compare.core.infotext.sampler_names import SCHEDULE_NAMES as NAMED_SCHEDULES
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.engine import render
from ohwx_compare.engine.levels import ModelSigmas
from ohwx_compare.engine.noise import ImageNoise, pick_source
from ohwx_compare.engine.route import find_route
from ohwx_compare.engine.samplers import SOLVERS, find_solver
from ohwx_compare.engine.schedules import DRAWN_SCHEDULES
from ohwx_compare.errors import ExperimentError, Interrupted, UnsupportedKeyError

FAST = ["article", "prompt_compose", "rng_nv"]
SLOW = [
    "clip_skip_2", "prompt_brk", "prompt_editing", "prompt_editing_weights", "prompt_empty_both",
    "prompt_empty_negative", "prompt_long", "prompt_unicode", "prompt_weights", "sampler_dpmpp_2m_karras",
    "sampler_dpmpp_2m_sde_exponential", "sampler_euler_a_automatic", "sampler_euler_automatic", "size_192x128",
    "subseed",
]  # fmt: skip
IMG2IMG = ["i2i_050", "i2i_070_euler_a"]
JOB = Job(prompt="ohwx man", seed=1, steps=4, sampler="Euler a", width=64, height=64, rng="CPU")


def names(fast: list[str], slow: list[str]):
    rest = (pytest.param(name, marks=pytest.mark.slow) for name in slow if name not in fast)
    return pytest.mark.parametrize("name", [*fast, *rest])


@names(["prompt_editing", "sampler_euler_a_automatic", "subseed"], [*FAST, *SLOW, *IMG2IMG, "batch_2x2"])
def test_latents_from_the_webuis_own_conditioning(model, case, name):
    for run in case(name).runs:
        source, _ = pick_source(run.jobs[0].rng, model.device)
        noise = ImageNoise(source, [job.seed for job in run.jobs], run.noise.shape[1:])
        variations = [(job.subseed, job.subseed_strength) for job in run.jobs]
        assert torch.allclose(noise.first(variations), run.noise, atol=1e-6)
        start = render.Start(run.x, None, ((),) * len(run.x)) if run.jobs[0].denoise else None
        samples = render.latents(model, run.jobs, run.conditionings, start)
        assert torch.allclose(samples, run.samples, rtol=0, atol=3e-3)


@names(FAST, SLOW)
def test_pictures_are_the_webuis(model, case, difference, name):
    wanted = case(name)
    (picture,) = render.txt2img(model, wanted.jobs)
    largest, mean = difference(picture.image, wanted.answers[0])
    assert largest <= 2
    assert mean <= 0.002


@names(["i2i_050"], ["i2i_070_euler_a"])
def test_redrawn_pictures_are_the_webuis(model, case, difference, name):
    wanted = case(name)
    (picture,) = render.img2img(model, wanted.jobs, [wanted.image])
    largest, mean = difference(picture.image, wanted.answers[0])
    assert largest <= 4
    assert mean <= 0.02


def test_two_batches_of_two_drawn_as_one_of_four(model, case, difference):
    wanted = case("batch_2x2")
    pictures = render.txt2img(model, wanted.jobs)
    assert len(pictures) == 4
    for picture, answer in zip(pictures, wanted.answers, strict=True):
        largest, mean = difference(picture.image, answer)
        assert largest <= 2
        assert mean <= 0.002


def test_a_picture_does_not_know_its_batch(model, difference):
    """Other prompts, lengths, AND parts, CFG and seeds beside it change at most the last bit."""
    long = ", ".join(["a luxury portrait of ohwx man in a suit"] * 12)
    others = [replace(JOB, prompt=long, seed=2, cfg=3.0), replace(JOB, prompt="a AND b:0.5 AND [c:d:0.5]", seed=3)]
    together = render.txt2img(model, [*others, JOB])
    alone = render.txt2img(model, [JOB])
    largest, mean = difference(together[2].image, alone[0].image)
    assert largest <= 1
    assert mean <= 0.002


def test_an_sde_pictures_drawn_seed_is_its_own_whatever_it_is_drawn_with(model, difference):
    job = replace(JOB, sampler="DPM++ 2M SDE", sde_drawn_seed=True)
    jobs = [job, replace(job, seed=2), replace(job, seed=2, sde_drawn_seed=False)]
    _, together, without = render.txt2img(model, jobs)
    (alone,) = render.txt2img(model, jobs[1:2])
    assert difference(alone.image, together.image)[0] <= 1
    assert difference(alone.image, without.image)[0] > 10
    with pytest.raises(ExperimentError, match="sde_drawn_seed does not go with rng NV"):
        require_valid(replace(job, rng="NV"))


@pytest.mark.parametrize(("denoise", "steps"), [(0.5, 41), (0.7, 57), (1.0, 80), (0.0, 1)])
def test_eighty_steps_of_img2img(denoise, steps):
    solver = find_solver("DPM++ 2M")
    assert len(find_route(replace(JOB, steps=80, denoise=denoise), solver, ModelSigmas()).levels) == steps + 1


def test_at_cfg_1_the_picture_is_that_of_both_prompts(model, difference, monkeypatch):
    job = replace(JOB, prompt="a (photo:1.2) of ohwx man", negative="blurry", cfg=1.0)
    (one,) = render.txt2img(model, [job])
    monkeypatch.setattr("ohwx_compare.engine.denoiser._is_free", lambda *asked: False)
    (both,) = render.txt2img(model, [job])
    largest, mean = difference(one.image, both.image)
    assert (largest <= 2, mean <= 0.002) == (True, True)


def test_jobs_are_batched_when_only_texts_seeds_and_cfg_differ():
    same = [JOB, replace(JOB, prompt="b", negative="c", seed=9, cfg=2.0, subseed=3, subseed_strength=0.5)]
    assert render.job_batches([*same, replace(JOB, steps=5), JOB]) == [[0, 1], [2], [3]]
    for adaptive in (replace(JOB, sampler="DPM adaptive"), replace(JOB, hires_sampler="DPM adaptive")):
        assert render.job_batches([adaptive, replace(adaptive, seed=9)]) == [[0], [1]]


def test_steps_are_counted_and_can_be_interrupted(model):
    done = []
    render.txt2img(model, [JOB, replace(JOB, seed=2)], done.append)
    assert done == [2, 2, 2, 2]

    def stop(count):
        raise Interrupted("stop")

    with pytest.raises(Interrupted):
        render.txt2img(model, [JOB], stop)


def test_a_gpus_noise_without_a_gpu_is_said(model):
    (picture,) = render.txt2img(model, [replace(JOB, rng="GPU")])
    assert "NV emulation" in picture.notes[0]
    assert picture.image == render.txt2img(model, [replace(JOB, rng="NV")])[0].image


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"width": 7}, ExperimentError, "at least 8 px"),
        ({"seed": -5, "sampler": "DPM++ SDE"}, ExperimentError, "no noise for DPM"),
        ({"sampler": "DDIM", "steps": 1001}, ExperimentError, "ask for fewer"),
        ({"steps": 0}, ExperimentError, "number of steps is 0"),
        ({"sampler": "IPNDM"}, UnsupportedKeyError, "IPNDM"),
        ({"schedule": "Laplace"}, UnsupportedKeyError, "Laplace"),
        ({"sampler": "UniPC", "steps": 2}, ExperimentError, "at least 3 steps, got 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(model, change, error, match):
    with pytest.raises(error, match=match):
        render.txt2img(model, [replace(JOB, **change)])


def test_img2img_needs_a_strength(model):
    with pytest.raises(ExperimentError, match="denoising strength"):
        render.img2img(model, [JOB], [Image.new("RGB", (64, 64))])


def test_what_infotexts_may_ask_for_is_what_is_built():
    assert {solver.name for solver in SOLVERS} == set(SAMPLERS)
    assert set(DRAWN_SCHEDULES) == set(NAMED_SCHEDULES)
