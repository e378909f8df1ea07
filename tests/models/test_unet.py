"""The UNet: names and shapes of the real file, the reference's numbers, one image does not see the others."""

import json

import numpy as np
import pytest
import torch

from ohwx_compare.models.unet import UNet, UNetConfig, timestep_embedding
from ohwx_compare.toy.drawn import draw_tensor

PREFIX = "model.diffusion_model."
TINY = UNetConfig(widths=(32, 64, 128), depths=(0, 1, 2), middle=2, context=256, vector=1664)


def manifest(path, prefix=PREFIX):
    entries = json.loads(path.read_text(encoding="utf-8")).items()
    return {name.removeprefix(prefix): tuple(shape) for name, (_, shape) in entries if name.startswith(prefix)}


def meta(config):
    with torch.device("meta"):
        return UNet(config)


def drawn(config):
    net = meta(config)
    state = {
        name: torch.from_numpy(draw_tensor(PREFIX + name, tuple(t.shape), seed=1)).float()
        for name, t in net.state_dict().items()
    }
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def net():
    return drawn(TINY)


def inputs(batch, height=8, width=8, seed=0):
    draw = torch.Generator().manual_seed(seed)
    x, context, y = (
        torch.randn(batch, *size, generator=draw) for size in ((4, height, width), (77, TINY.context), (TINY.vector,))
    )
    return x, torch.linspace(3.25, 980, batch), context, y


@pytest.mark.parametrize(("file", "config"), [("sdxl_manifest.json", UNetConfig()), ("tiny_manifest.json", TINY)])
def test_sizes_and_names_are_the_files(goldens, file, config):
    shapes = manifest(goldens / file)
    assert UNetConfig.from_shapes(shapes) == config
    assert {name: tuple(t.shape) for name, t in meta(config).state_dict().items()} == shapes


@pytest.mark.parametrize(
    "config",
    [
        UNetConfig(widths=(32, 64), depths=(0, 1), middle=3, blocks=1, context=8, vector=16),
        UNetConfig(widths=(64, 64, 64), depths=(1, 0, 2), middle=1, blocks=3, context=8, vector=16, latent=9),
    ],
)
def test_shapes_tell_the_config(config):
    assert UNetConfig.from_shapes({name: tuple(t.shape) for name, t in meta(config).state_dict().items()}) == config


def test_an_image_does_not_see_its_batch(net):
    whole = net(*inputs(2))
    singles = [net(*(t[i : i + 1] for t in inputs(2))) for i in range(2)]
    assert (whole - torch.cat(singles)).abs().max() <= 1e-5


@pytest.mark.parametrize(("height", "width"), [(8, 12), (9, 13), (15, 8)])
def test_any_size_keeps_its_size(net, height, width):
    out = net(*inputs(1, height, width))
    assert out.shape == (1, 4, height, width)
    assert out.isfinite().all()


def test_every_input_matters(net):
    reference, args = net(*inputs(1)), list(inputs(1))
    for i, other in enumerate(inputs(1, seed=1)):
        changed = [*args[:i], other + 0.5, *args[i + 1 :]]
        assert (net(*changed) - reference).abs().max() > 1e-3


def test_half_precision_stays_close(net):
    x, t, context, y = inputs(1)
    half = drawn(TINY).bfloat16()(x.bfloat16(), t, context.bfloat16(), y.bfloat16())
    reference = net(x, t, context, y)
    assert half.dtype == torch.bfloat16
    assert (half.float() - reference).abs().mean() <= 0.05 * reference.abs().mean()


def test_time_is_cosines_first_and_fractional():
    embedded = timestep_embedding(torch.tensor([0.0, 10.5]), 4)
    worked = [[1, 1, 0, 0], [np.cos(10.5), np.cos(0.105), np.sin(10.5), np.sin(0.105)]]
    assert embedded.dtype == torch.float32
    assert np.allclose(embedded, worked, atol=1e-6)


@pytest.mark.slow(first=True)  # two minutes and 11 GB
def test_full_size_equals_the_reference(goldens):
    parts = {name: torch.from_numpy(value) for name, value in np.load(goldens / "full_parts.npz").items()}
    out = drawn(UNetConfig())(parts["unet/x"], parts["unet/timestep"].float(), parts["unet/context"], parts["unet/y"])
    assert (out - parts["unet/out"]).abs().max() <= 1e-4 * parts["unet/out"].abs().max()


def test_a_prompt_read_before_changes_nothing(net):
    x, timesteps, context, y = inputs(2)
    read = net.read(context)
    assert len(read) == sum(name.endswith("attn2.to_k.weight") for name in net.state_dict())
    assert torch.equal(net(x, timesteps, read, y), net(x, timesteps, context, y))
