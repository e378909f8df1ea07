"""The VAE's two ways: the webui's latents, whatever the batch, the memory and the precision."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.engine import autoencode, strips
from ohwx_compare.engine.autoencode import decode_all, encode_all
from ohwx_compare.engine.tiling import tiled
from ohwx_compare.errors import HostError
from ohwx_compare.models.vae import VAE

IMAGES = [Image.effect_noise((64, 48), sigma).convert("RGB") for sigma in (20, 60, 90)]


@pytest.fixture
def z():
    """Latents of three pictures, whose sides are no powers of two."""
    return torch.randn(3, 4, 7, 10, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def room(monkeypatch):
    """Sets how many pictures a device has room for; the layers of a picture are then cut into strips of a few rows."""
    monkeypatch.setattr(strips, "_STRIP", 20_000)
    monkeypatch.setattr(strips, "_QUERIES", 7)
    return lambda count: monkeypatch.setattr(autoencode, "how_many", lambda *asked, alone: count)


def pixels(model, z):
    return np.stack([np.asarray(image, dtype=int) for image, _ in decode_all(model, z)])


def test_encoding_depends_on_the_jobs_seed_alone(model, case):
    image = case("i2i_050").image
    torch.manual_seed(5)
    ((first, _),) = encode_all(model, [image], [1])
    torch.manual_seed(6)
    (again, _), (other, _) = encode_all(model, [image, image], [1, 2])
    assert torch.equal(again, first)
    assert not torch.equal(other, first)


def test_encoded_latents_are_the_webuis(model, case):
    wanted = case("i2i_050")
    assert torch.allclose(encode_all(model, [wanted.image], [1])[0][0], wanted.runs[0].x, atol=2e-4)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("is_tiled", [False, True])
def test_pictures_are_the_same_whatever_has_room(model, z, room, count, is_tiled):
    with torch.inference_mode(), tiled(model, is_tiled):
        alone = pixels(model, z), torch.cat([latents for latents, _ in encode_all(model, IMAGES, [1, 2, 3])])
        room(count)
        together = pixels(model, z), torch.cat([latents for latents, _ in encode_all(model, IMAGES, [1, 2, 3])])
    assert np.abs(together[0] - alone[0]).max() <= 1
    assert torch.allclose(together[1], alone[1], atol=1e-5)


def test_what_runs_out_of_memory_goes_on_in_strips(model, z):
    class Full(VAE):
        def decode(self, z):
            raise RuntimeError("CUDA out of memory. Tried to allocate 1.5 GiB")

    full = Full(model.vae.config)
    full.load_state_dict(model.vae.state_dict())
    with torch.inference_mode():
        assert np.abs(pixels(replace(model, vae=full), z) - pixels(model, z)).max() <= 1


class Overflows(torch.nn.Module):
    """A VAE that gives NaN in half precision for what is above 3, and in `broken` everywhere."""

    def __init__(self, vae, broken=False):
        super().__init__()
        self.vae, self.broken, self.config, self.asked = vae, broken, vae.config, []

    def decode(self, z):
        self.asked.append((len(z), z.dtype))
        overflows = (z.amax((1, 2, 3), keepdim=True) > 30) & (z.dtype is not torch.float32)
        return self.vae.decode(z) * torch.where(overflows | self.broken, torch.nan, 1.0)


def test_what_overflows_is_computed_in_float32_and_the_vae_from_then_on(model, z, room, difference):
    room(3)
    z[1, 0, 0, 0] = 9
    half = replace(
        model, vae=Overflows(copy.deepcopy(model.vae)).to(torch.bfloat16), seals={"first_stage_model.x": "1"},
        overflowing=set(),
    )  # fmt: skip
    drawn = list(decode_all(half, z))
    said = ("the VAE ran in float32 to decode: in bfloat16 it gave NaN",)
    assert [notes for _, notes in drawn] == [(), said, ()]
    assert half.vae.asked == [(3, torch.bfloat16), (1, torch.float32)]
    assert next(half.vae.parameters()).dtype is torch.bfloat16
    assert [notes for _, notes in decode_all(replace(half), z)] == [said] * 3
    assert half.vae.asked[2:] == [(3, torch.float32)]
    assert {notes for _, notes in decode_all(replace(half, seals={"first_stage_model.x": "2"}), z[:1])} == {()}
    whole = replace(model, vae=half.vae.vae.float())
    assert difference(drawn[1][0], list(decode_all(whole, z))[1][0])[0] == 0


def test_nan_in_float32_is_an_error(model, z):
    with pytest.raises(HostError, match="NaN in float32"):
        list(decode_all(replace(model, vae=Overflows(model.vae, broken=True)), z))
