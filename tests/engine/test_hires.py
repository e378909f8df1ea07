"""Hires fix: sizes, texts and keys as the webui has them, and its pictures."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.prompt.editing import edits
from ohwx_compare.core.request.hires import Enlarged, enlarged, second_pass
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.core.request.steps import picture_steps, planned_steps, steps_run
from ohwx_compare.engine.levels import ModelSigmas
from ohwx_compare.engine.route import find_route
from ohwx_compare.engine.samplers import find_solver
from ohwx_compare.errors import ExperimentError, UnknownNameError, UnsupportedKeyError
from ohwx_compare.hosts.native import Beside, NativeHost
from ohwx_compare.models.vae import VAE
from ohwx_compare.testing.parts import draw_upscaler

JOB = Job(prompt="ohwx man", seed=1, steps=2, sampler="Euler", width=64, height=64, rng="CPU", hires_upscaler="Latent")


@pytest.fixture(scope="module")
def upscalers(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ESRGAN")
    torch.save({name: torch.from_numpy(tensor) for name, tensor in draw_upscaler().items()}, folder / "drawn_x4.pth")
    return folder


@pytest.fixture(scope="module")
def host(mini, upscalers):
    found = NativeHost([mini.parent], device="cpu", beside=Beside(upscalers=[upscalers]))
    found.use(found.checkpoints()[0])
    yield found
    found.close()


def drawn(host, *jobs):
    return [result.image for result in host.render(jobs)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most"),  # a decoded first picture's pixels fall to either side of a step; the second pass carries it on
    [("hires_latent", 0.002), ("hires_latent_bicubic_antialiased", 0.002), ("hires_nearest", 0.006),
     ("hires_drawn_x4", 0.006)],
)  # fmt: skip
def test_the_webuis_pictures(tiny, upscalers, goldens, name, most):
    host = NativeHost([tiny], device="cpu", beside=Beside(upscalers=[upscalers]))
    host.use(next(c for c in host.checkpoints() if c.name == "tiny_base.safetensors"))
    folder = goldens / "parity"
    asked = infotext.parse(json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["infotexts"][0])
    infotext.require_supported(asked)
    (picture,) = drawn(host, infotext.to_job(asked))
    with Image.open(folder / f"{name}.png") as answer:
        apart = np.abs(np.asarray(picture, int) - np.asarray(answer.convert("RGB"), int))
    assert apart.max() <= 2
    assert apart.mean() <= most


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"hires_scale": 1.5}, Enlarged(192, 96)),
        ({"hires_scale": 1.3}, Enlarged(166, 83)),
        ({"hires_width": 200}, Enlarged(200, 100)),
        ({"hires_height": 100}, Enlarged(200, 100)),
        ({"hires_width": 208, "hires_height": 160}, Enlarged(320, 160, 14, 0)),
        ({"hires_width": 300, "hires_height": 100}, Enlarged(300, 150, 0, 6)),
    ],
)
def test_sizes(asked, expected):
    job = replace(JOB, width=128, height=64, **asked)
    assert enlarged(job) == expected
    second = second_pass(job)
    assert (second.width % 8, second.height % 8) == (0, 0)


def test_all_steps_of_the_second_pass_run():
    job = replace(JOB, steps=10, hires_steps=7, hires_denoise=0.5, hires_scale=2.0)
    second = second_pass(job)
    assert (planned_steps(second), steps_run(second)) == (14, 7)
    assert picture_steps(job) == 10 + 7 * 4
    assert second.hires_upscaler is None


def test_prompt_schedules_go_on_where_the_first_pass_ended():
    """`modules/prompt_parser.py` at 82a973c gives these as its examples."""
    assert edits("a [b:.5] c", 10, 10) == ((10, "a b c"),)
    assert edits("a [b:1.5] c", 10, 10) == ((5, "a  c"), (10, "a b c"))
    assert edits("a [b:13] c", 10, 10) == ((3, "a  c"), (10, "a b c"))
    assert edits("a [b:1.5] c", 10) == ((10, "a  c"),)


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, hires_scale=1.5, hires_denoise=0.35),
        replace(JOB, hires_upscaler="4x-UltraSharp", hires_width=96, hires_height=128, hires_steps=5),
        replace(
            JOB,
            hires_sampler="Euler a",
            hires_schedule="Karras",
            hires_prompt="oil <lora:x:1>",
            hires_negative="photo",
            hires_cfg=3.5,
        ),
    ],
)
def test_a_text_says_it_all(job):
    text = infotext.render(infotext.from_job(job, model="m", model_hash="0" * 64, version="1.10.1"))
    read = infotext.parse(text)
    assert infotext.to_job(read) == job
    assert infotext.unsupported(read) == []
    assert not infotext.is_img2img(read)


def test_an_older_adetailers_denoise_is_not_taken_for_hires_fixs():
    told = infotext.from_job(JOB, model="m", model_hash="0" * 64)
    old = infotext.render(told) + (
        ", ADetailer model: face_yolov8n.pt, ADetailer denoising strength: 0.7, ADetailer version: 23.11.1"
    )
    assert any("Denoising strength" in what for what in infotext.unsupported(infotext.parse(old)))
    newer = old.replace("23.11.1", "24.4.0")
    assert not any("Denoising strength" in what for what in infotext.unsupported(infotext.parse(newer)))


def test_every_upscaler_gives_the_size_and_a_picture_of_its_own(host):
    names = ("Latent", "Latent (nearest)", "None", "Lanczos", "Nearest", "drawn_x4")
    jobs = [replace(JOB, hires_upscaler=name, hires_scale=1.5) for name in names]
    pictures = drawn(host, *jobs)
    assert {picture.size for picture in pictures} == {(96, 96)}
    assert (
        len({picture.tobytes() for picture in pictures}) == len(names) - 1
    )  # None and Lanczos are one, at this factor
    cut = replace(JOB, hires_upscaler="Lanczos", hires_width=96, hires_height=128)
    assert drawn(host, cut)[0].size == (96, 128)


@pytest.mark.slow
def test_an_upscalers_tiles_are_those_asked_for(host):
    job = replace(JOB, hires_upscaler="drawn_x4")
    tiles = [
        {},
        {"upscaler_tile": 192},
        {"upscaler_tile": 0},
        {"upscaler_tile": 32},
        {"upscaler_tile": 32, "upscaler_overlap": 4},
    ]
    default, same, whole, small, less = (one.tobytes() for one in drawn(host, *(replace(job, **of) for of in tiles)))
    assert default == same
    assert len({default, whole, small, less}) == 4


def test_all_of_a_tiling_picture_is_tiled(host, monkeypatch):
    seen = []
    for name in ("decode", "encode"):
        known = getattr(VAE, name)
        monkeypatch.setattr(VAE, name, lambda vae, x, known=known: paddings(vae) or known(vae, x))

    def paddings(vae):
        seen.extend(m.padding_mode for m in vae.modules() if isinstance(m, torch.nn.Conv2d) and any(m.padding))

    drawn(host, replace(JOB, hires_upscaler="None", hires_scale=1.5, tiling=True))
    assert set(seen) == {"circular"}


@pytest.mark.slow
def test_a_batch_is_its_pictures(host):
    jobs = [
        replace(JOB, seed=seed, hires_upscaler="drawn_x4", hires_prompt=text)
        for seed, text in enumerate(("", "oil", ""))
    ]
    for job, picture in zip(jobs, drawn(host, *jobs), strict=True):
        assert np.abs(np.asarray(drawn(host, job)[0], int) - np.asarray(picture, int)).max() <= 2


def test_the_upscaler_counts_in_the_key(host, mini, tmp_path, upscalers):
    job = replace(JOB, hires_upscaler="drawn_x4")
    assert host.fingerprint(job)["upscaler"]
    assert "upscaler" not in host.fingerprint(JOB)
    torch.save({n: torch.from_numpy(t) for n, t in draw_upscaler(seed=42).items()}, tmp_path / "drawn_x4.pth")
    other = NativeHost([mini.parent], device="cpu", beside=Beside(upscalers=[tmp_path]))
    assert other.fingerprint(job) != host.fingerprint(job)
    with pytest.raises(UnknownNameError, match="There is no upscaler '4x-UltraSharp'; did you mean 'drawn_x4'"):
        host.fingerprint(replace(JOB, hires_upscaler="4x-UltraSharp"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("SwinIR 4x", "'SwinIR 4x' is the file SwinIR_4x.pth"), ("SwinIR_4x", "is the file SwinIR_4x.pth"),
     ("ScuNET PSNR", "ScuNET.pth"), ("DAT x3", "DAT_x3.pth"), ("LDSR", "The upscaler LDSR is a diffusion model")],
)  # fmt: skip
def test_what_only_the_webui_has_is_one_sentence_with_what_helps(host, name, said):
    for job in (replace(JOB, hires_upscaler=name), replace(JOB, img2img_upscaler=name)):
        with pytest.raises((UnknownNameError, UnsupportedKeyError), match=rf"{said}.*name another upscaler") as refused:
            host.fingerprint(job)
        assert str(refused.value).count(". ") == 0


@pytest.mark.parametrize(
    ("sampler", "schedule", "works"),
    [("Euler a", "Automatic", True), ("DPM2 a", "Karras", True), ("Restart", "Beta", True), ("Euler", "Simple", False),
     ("Euler", "KL Optimal", False), ("Euler", "DDIM", False), ("DPM++ SDE", "Automatic", False),
     ("DDIM", "Karras", False), ("DPM fast", "Karras", False)],
)  # fmt: skip
def test_at_a_denoise_of_0_nothing_is_drawn_or_refused_where_the_webui_fails(sampler, schedule, works):
    job = second_pass(replace(JOB, hires_denoise=0.0, sampler=sampler, schedule=schedule))
    assert steps_run(job) == 0
    if works:
        route = find_route(job, find_solver(sampler), ModelSigmas())
        assert (route.levels.tolist(), route.picture, route.noise) == ([0.0], 1.0, 0.0)
        return
    with pytest.raises(ExperimentError, match=f"leaves {re.escape(sampler)} on the schedule .* a strength above 0"):
        find_route(job, find_solver(sampler), ModelSigmas())


def test_impossible_values_are_refused():
    for field, value in (("hires_denoise", -0.1), ("hires_scale", 0.0), ("hires_steps", -1)):
        with pytest.raises(ExperimentError, match=field):
            require_valid(replace(JOB, **{field: value}))


@pytest.mark.parametrize(
    ("asked", "size"), [({"hires_width": 4}, "0x"), ({"width": 16384, "hires_scale": 8.0}, "131072x")]
)
def test_a_second_pass_of_an_impossible_size_is_refused(asked, size):
    with pytest.raises(ExperimentError, match=f"hires fix would draw {size}.*expected sides of 8 to 16384"):
        require_valid(replace(JOB, **asked))
