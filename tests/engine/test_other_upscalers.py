"""Upscalers of other kinds than ESRGAN's: read by spandrel where it is installed, in the webui's tiles."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from ohwx_compare.engine.upscale import Upscaler, in_tiles
from ohwx_compare.engine.upscaler_file import read_upscaler
from ohwx_compare.errors import CheckpointError, UnsafePickleError

pytestmark = pytest.mark.filterwarnings("ignore:torch.meshgrid")  # of spandrel's SwinIR


def read(path):
    return read_upscaler(path, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture
def spandrel():
    try:
        import spandrel
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"spandrel: {error}")
    return spandrel


@pytest.fixture
def image():
    noise = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((56, 40), Image.Resampling.BICUBIC)


def drawn(kind):
    """A small network of a kind, with drawn weights."""
    torch.manual_seed(1)
    if kind == "SwinIR":
        from spandrel.architectures.SwinIR import SwinIR

        return SwinIR(
            img_size=16, embed_dim=12, depths=[2], num_heads=[2], window_size=8, mlp_ratio=2, upscale=2,
            upsampler="pixelshuffle", resi_connection="1conv",
        )  # fmt: skip
    if kind == "SPAN":
        from spandrel.architectures.SPAN import SPAN

        return SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2)
    from spandrel.architectures.Compact import CompactArch

    parts = [nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(8), nn.Conv2d(8, 8, 3, padding=1), nn.PReLU(8)]
    bare = nn.Sequential(*parts, nn.Conv2d(8, 12, 3, padding=1)).state_dict()
    return CompactArch().load({f"body.{name}": tensor for name, tensor in bare.items()}).model


@pytest.mark.parametrize("kind", ["SwinIR", "SPAN", "Compact"])
def test_a_network_of_another_kind_gives_its_own_picture(spandrel, tmp_path, image, kind):
    state = drawn(kind).eval().state_dict()
    torch.save({"params_ema": state}, tmp_path / "a.pth")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "b.safetensors")
    theirs = spandrel.ModelLoader().load_from_file(tmp_path / "a.pth").eval()
    blue_first = torch.from_numpy(np.asarray(image)[:, :, ::-1].copy()).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        wanted = (theirs(blue_first)[0].permute(1, 2, 0) * 255).round().numpy()[:, :, ::-1]
    for file in ("a.pth", "b.safetensors"):
        network = read(tmp_path / file)
        assert network.scale == 2
        assert abs(np.asarray(in_tiles(network, image, 0), float) - wanted).max() <= 1


def test_tiles_are_those_of_the_webuis_folder(spandrel, tmp_path):
    """SwinIR and ScuNET average where tiles overlap, the others blend; elsewhere the network's kind decides."""
    for folder in ("SwinIR", "ESRGAN", "mine"):
        (tmp_path / folder).mkdir()
        for kind in ("SwinIR", "SPAN"):
            torch.save(drawn(kind).state_dict(), tmp_path / folder / f"{kind}.pth")
    averaged = {
        (folder, kind)
        for folder in ("SwinIR", "ESRGAN", "mine")
        for kind in ("SwinIR", "SPAN")
        if read(tmp_path / folder / f"{kind}.pth").is_averaged
    }
    assert averaged == {("SwinIR", "SwinIR"), ("SwinIR", "SPAN"), ("mine", "SwinIR")}


def test_overlaps_are_averaged(image):
    """A network that adds its tile's first pixel: each pixel gets the mean over the tiles that it lies in."""
    network = Upscaler(lambda x: x + x[..., :1, :1] / 4, 1, torch.zeros(1), is_averaged=True)
    dark = np.asarray(image, float) / 255 / 2
    shown = Image.fromarray((dark * 255).astype(np.uint8))
    dark = np.asarray(shown, float)
    wanted, times = np.zeros_like(dark), np.zeros_like(dark)
    for top in (0, 12, 24):
        for left in (0, 12, 24, 36, 40):
            here = slice(top, top + 16), slice(left, left + 16)
            wanted[here] += dark[here] + dark[top, left] / 4
            times[here] += 1
    got = np.asarray(in_tiles(network, shown, 16, 4), float)
    assert abs(got - wanted / times).max() <= 1
    assert abs(got - dark).max() > 10


def test_what_is_no_upscaler_is_refused(spandrel, tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    torch.save({"layers.0.weight": torch.zeros(2, 2)}, tmp_path / "a.pth")
    torch.save({**drawn("SPAN").state_dict(), "evil": Evil()}, tmp_path / "evil.pth")
    cut = {name: tensor for name, tensor in drawn("SwinIR").state_dict().items() if "norm1" not in name}
    torch.save(cut, tmp_path / "cut.pth")
    for name in ("a", "cut"):
        with pytest.raises(CheckpointError, match=f"{name}.pth is"):
            read(tmp_path / f"{name}.pth")
    with pytest.raises(UnsafePickleError, match="Nothing of it ran"):
        read(tmp_path / "evil.pth")


def test_without_spandrel_another_kind_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    torch.save({"layers.0.weight": torch.zeros(2, 2)}, tmp_path / "4x_swin.pth")
    with pytest.raises(CheckpointError, match=r"4x_swin.pth .*SwinIR.* pip install '.*\[upscalers\]'"):
        read(tmp_path / "4x_swin.pth")
