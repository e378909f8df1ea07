"""The VAE: names and shapes of the real file, the reference's numbers, one image does not see the others."""

import json

import numpy as np
import pytest
import torch

from ohwx_compare.models.vae import VAE, VAEConfig
from ohwx_compare.toy.drawn import draw_tensor

PREFIX = "first_stage_model."
TINY = VAEConfig(widths=(32, 32, 64, 128), blocks=1)


def drawn(config):
    with torch.device("meta"):
        vae = VAE(config)
    state = {
        name: torch.from_numpy(draw_tensor(PREFIX + name, tuple(t.shape), seed=1)).float()
        for name, t in vae.state_dict().items()
    }
    vae.load_state_dict(state, assign=True)
    return vae.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def vae():
    return drawn(TINY)


@pytest.mark.parametrize(("file", "config"), [("sdxl_manifest.json", VAEConfig()), ("tiny_manifest.json", TINY)])
def test_sizes_and_names_are_the_files(goldens, file, config):
    entries = json.loads((goldens / file).read_text(encoding="utf-8")).items()
    shapes = {name.removeprefix(PREFIX): tuple(s) for name, (_, s) in entries if name.startswith(PREFIX)}
    assert VAEConfig.from_shapes(shapes) == config
    with torch.device("meta"):
        assert {name: tuple(t.shape) for name, t in VAE(config).state_dict().items()} == shapes


def test_eight_pixels_are_one_latent(vae):
    moments = vae.encode(torch.zeros(1, 3, 24, 40))
    assert moments.shape == (1, 8, 3, 5)
    assert vae.decode(moments[:, :4]).shape == (1, 3, 24, 40)


def test_an_image_does_not_see_its_batch(vae):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    moments = vae.encode(images)
    assert (moments - torch.cat([vae.encode(image[None]) for image in images])).abs().max() <= 1e-5
    z = moments[:, :4]
    assert (vae.decode(z) - torch.cat([vae.decode(one[None]) for one in z])).abs().max() <= 1e-5


@pytest.mark.slow
def test_full_size_equals_the_reference(goldens):
    parts = {name: torch.from_numpy(value) for name, value in np.load(goldens / "full_parts.npz").items()}
    vae = drawn(VAEConfig())
    for got, want in (
        (vae.encode(parts["vae/image"]), parts["vae/moments"]),
        (vae.decode(parts["vae/z"]), parts["vae/decoded"]),
    ):
        assert (got - want).abs().max() <= 1e-4 * want.abs().max()
