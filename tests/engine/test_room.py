"""What a device needs beside the weights: the counted figures are those of torch's own tensors at full size."""

import sys
from pathlib import Path

import pytest
import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import room
from ohwx_compare.engine.strips import decode_in_strips, encode_in_strips
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.unfilled import unfilled
from ohwx_compare.models.vae import VAE, VAEConfig

HALF = {"device": "meta", "dtype": torch.float16}


@pytest.fixture
def most(monkeypatch):
    """The most bytes that a call's own tensors hold together."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "bench")
    import launches

    yield lambda work: launches.phase(work)["bytes"]
    del sys.modules["launches"]


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "side"), [(1, 128), (2, 64), (8, 128)])
def test_a_unet_needs_what_is_foretold(most, rows, side):
    with unfilled():
        unet = UNet(UNetConfig()).half()
    x, context, vector = (torch.empty(rows, *shape, **HALF) for shape in ((4, side, side), (77, 2048), (2816,)))
    times = torch.zeros(rows, device="meta")
    counted = most(lambda: unet(x, times, unet.read(context), vector))
    assert 0.85 <= counted / (rows * room.unet_bytes(UNetConfig(), side * side, 2)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("side", [1024, 1536])
def test_a_vae_needs_what_is_foretold_and_less_in_strips(most, side):
    config = VAEConfig()
    with unfilled():
        vae = VAE(config).half()
    z, x = torch.empty(1, 4, side // 8, side // 8, **HALF), torch.empty(1, 3, side, side, **HALF)
    plain = most(lambda: vae.decode(z)), most(lambda: vae.encode(x))
    foretold = room.decode_bytes(config, side * side, 2), room.encode_bytes(config, side * side, 2)
    assert plain == pytest.approx(foretold, rel=0.01)
    assert most(lambda: decode_in_strips(vae, z)) <= 0.75 * plain[0]
    assert most(lambda: encode_in_strips(vae, x)) <= 0.65 * plain[1]


def test_a_batch_is_what_has_room_in_even_parts(monkeypatch):
    job = Job(prompt="a", seed=1, width=1024, height=1024)
    each = room.picture_bytes(UNetConfig(), job, 2)
    assert room.picture_bytes(UNetConfig(), Job(prompt="a AND b", seed=1, width=1024, height=1024), 2) == each * 1.5
    larger = Job(prompt="a", seed=1, width=1024, height=1024, hires_upscaler="None", hires_scale=2.0)
    assert 3.5 <= room.picture_bytes(UNetConfig(), larger, 2) / each <= 4
    monkeypatch.setattr(room, "free_on", lambda device: 3 * each + (1 << 28))
    most = room.how_many(torch.device("cuda"), each, alone=4)
    assert [len(part) for part in room.evenly(range(4), most)] == [2, 2]
    monkeypatch.setattr(room, "free_on", lambda device: 0)
    most = room.how_many(torch.device("cuda"), each, alone=4)
    assert [len(part) for part in room.evenly(range(4), most)] == [1, 1, 1, 1]
    assert room.how_many(torch.device("cpu"), each, alone=4) == 0
    monkeypatch.undo()
    assert room.how_many(torch.device("cpu"), each, alone=4) == 4
