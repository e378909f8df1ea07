"""What gives the picture that img2img and inpaint start from its size: a job's upscaler for img2img."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.engine.upscale import in_tiles, resized
from ohwx_compare.engine.upscaler_file import read_upscaler
from ohwx_compare.errors import ExperimentError, UnknownNameError
from ohwx_compare.files.masks import box_mask
from ohwx_compare.hosts.native import Beside, NativeHost
from ohwx_compare.testing.parts import draw_upscaler

JOB = Job(
    prompt="ohwx man", seed=1, steps=2, sampler="Euler", width=64, height=64, rng="CPU", denoise=0.5,
    img2img_upscaler="Nearest",
)  # fmt: skip
NEAREST = Image.Resampling.NEAREST


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ESRGAN") / "drawn_x4.pth"
    torch.save({n: torch.from_numpy(t) for n, t in draw_upscaler(width=8, blocks=1).items()}, path)
    return path


@pytest.fixture(scope="module")
def host(mini, network):
    found = NativeHost([mini.parent], device="cpu", beside=Beside(upscalers=[network.parent]))
    found.use(found.checkpoints()[0])
    yield found
    found.close()


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def drawn(host, job, image):
    return next(iter(host.img2img([job], [image]))).image


@pytest.mark.parametrize("mode", ["stretch", "crop", "fill"])
def test_what_is_smaller_is_made_larger_by_it_and_the_rest_by_lanczos(host, network, mode):
    job, plain = replace(JOB, resize_mode=mode), replace(JOB, resize_mode=mode, img2img_upscaler="None")
    small = noise(32, 32)
    assert drawn(host, job, small) == drawn(host, plain, small.resize((64, 64), NEAREST))
    model = read_upscaler(network, device=torch.device("cpu"), dtype=torch.float32)
    larger = resized(small, (64, 64), lambda image, _: in_tiles(model, image))
    assert drawn(host, replace(job, img2img_upscaler="drawn_x4"), small) == drawn(host, plain, larger)
    large = noise(96, 96)
    assert drawn(host, job, large) == drawn(host, plain, large)


def test_a_crop_grows_by_it_into_the_canvas_and_back_into_its_picture(host, monkeypatch):
    image, seen = noise(128, 128), []
    asked = InpaintJob(job=JOB, mask_blur=0, padding=0)

    def painted(_, one):
        seen.append(one.image)
        return replace(one, image=noise(64, 64))

    def inpainted(area, job):
        mask = box_mask(image.size, Box(0, 0, area - 1, area - 1))
        return next(iter(host.inpaint([replace(asked, job=job)], [image], [mask], between=painted))).image

    back = inpainted(128, JOB)
    assert back == noise(64, 64).resize((128, 128), NEAREST)
    assert back != inpainted(128, replace(JOB, img2img_upscaler="None"))
    inpainted(32, JOB), inpainted(32, replace(JOB, img2img_upscaler="None"))
    assert seen[-1] != seen[-2]


def test_it_counts_in_the_key_and_is_a_known_name(host):
    job = replace(JOB, img2img_upscaler="drawn_x4")
    assert "img2img_upscaler" in host.fingerprint(job)
    assert "img2img_upscaler" not in host.fingerprint(JOB)
    with pytest.raises(UnknownNameError, match="There is no upscaler '4x-Ultra'"):
        host.fingerprint(replace(JOB, img2img_upscaler="4x-Ultra"))
    for bad in ({"img2img_upscaler": "Latent"}, {"img2img_upscaler": ""}, {"background": "green"}):
        with pytest.raises(ExperimentError, match=next(iter(bad))):
            require_valid(replace(JOB, **bad))
