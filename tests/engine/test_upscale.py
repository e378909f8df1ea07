"""Upscalers: whose file it is, however it was written, and pictures in tiles."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from ohwx_compare.engine.upscale import _lay, in_tiles, resized
from ohwx_compare.engine.upscaler_file import read_upscaler
from ohwx_compare.errors import CheckpointError, DetectorError, UnsafePickleError
from ohwx_compare.models.esrgan import ESRGAN, ESRGANConfig
from ohwx_compare.testing.parts import draw_upscaler


def read(path):
    return read_upscaler(path, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def drawn():
    return {name: torch.from_numpy(tensor) for name, tensor in draw_upscaler().items()}


@pytest.fixture(scope="module")
def model(drawn, tmp_path_factory):
    path = tmp_path_factory.mktemp("upscaler") / "x4.pth"
    torch.save(drawn, path)
    return read(path)


@pytest.fixture(scope="module")
def portrait(goldens):
    with Image.open(goldens / "portrait.png") as image:
        return image.convert("RGB")


def test_a_file_is_the_same_network_however_it_was_written(drawn, model, tmp_path):
    new = model.through.state_dict()
    older = {"conv_body": "trunk_conv", "conv_hr": "HRconv", "conv_up1": "upconv1", "conv_up2": "upconv2"}
    middle = {
        ".".join(older.get(part, part) for part in name.split("."))
        .replace("body.", "RRDB_trunk.")
        .replace("rdb", "RDB"): t
        for name, t in new.items()
    }
    torch.save(drawn, tmp_path / "old_file.pth", _use_new_zipfile_serialization=False)
    torch.save({"params_ema": new}, tmp_path / "new_names.pth")
    torch.save(middle, tmp_path / "middle_names.pth")
    save_file(dict(drawn), tmp_path / "safe.safetensors")
    for path in sorted(tmp_path.iterdir()):
        state = read(path).through.state_dict()
        assert all(torch.equal(tensor, new[name]) for name, tensor in state.items()), path.name


@pytest.mark.parametrize(("doublings", "scale"), [(1, 2), (2, 4), (3, 8)])
def test_the_scale_is_read_from_the_names(tmp_path, doublings, scale):
    torch.save(
        {n: torch.from_numpy(t) for n, t in draw_upscaler(blocks=1, doublings=doublings).items()}, tmp_path / "a.pth"
    )
    assert read(tmp_path / "a.pth").scale == scale


@pytest.mark.parametrize("fold", [2, 4])
def test_folded_networks_keep_odd_sizes(fold):
    config = ESRGANConfig(width=8, growth=4, blocks=1, fold=fold)
    network = ESRGAN(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert ESRGANConfig.from_shapes(shapes) == config
    assert config.scale == 4 // fold
    assert network(torch.zeros(1, 3, 9, 14)).shape == (1, 3, 9 * config.scale, 14 * config.scale)


def test_tiles_meet_without_a_seam(model, portrait):
    """Far from its edges a tile is the whole picture; where two meet they are blended, and nothing is left out."""
    whole, parts = (np.asarray(in_tiles(model, portrait, tile), int) for tile in (0, 96))
    assert whole.shape == parts.shape == (4 * portrait.height, 4 * portrait.width, 3)
    assert np.median(abs(whole - parts)) <= 1
    rows = abs(np.diff(parts, axis=1)).mean((0, 2))
    assert rows.max() < 4 * abs(np.diff(whole, axis=1)).mean((0, 2)).max()


@pytest.mark.parametrize("at", [(40, 0), (0, 40)])
def test_a_seam_runs_from_what_is_there_to_what_is_laid(at):
    along = 0 if at[0] else 1
    under, piece = Image.new("RGB", (72, 72), "black"), Image.new("RGB", (32, 72) if at[0] else (72, 32), "white")
    ramp = np.tile((np.arange(8) * 32).astype(np.uint8), (72, 1))
    _lay(under, piece, at, Image.fromarray(ramp if at[0] else ramp.T.copy()))
    line = np.asarray(under, int)[..., 0].mean(along)
    assert line[:41].max() == 0
    assert (np.diff(line[40:48]) > 0).all()
    assert 0 < line[44] < 255
    assert line[48:].min() == 255
    assert np.asarray(under).std(along).max() == 0


def test_resized_is_of_the_size_asked_for(model, portrait):
    small = portrait.resize((40, 32))
    calls = []

    def enlarge(image, factor):
        calls.append(image.size)
        return in_tiles(model, image)

    assert resized(small, (200, 160), enlarge).size == (200, 160)
    assert calls == [(40, 32), (160, 128)]
    assert resized(small, (20, 16), enlarge) == small.resize((20, 16), Image.Resampling.LANCZOS)
    assert resized(small, (200, 160), None) == small.resize((200, 160), Image.Resampling.LANCZOS)
    assert resized(small, (200, 160), lambda image, factor: image).size == (200, 160)


def test_other_files_are_refused(tmp_path, drawn):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    torch.save({"layers.0.weight": torch.zeros(2, 2)}, tmp_path / "swinir.pth")
    torch.save({**drawn, "extra.weight": torch.zeros(2)}, tmp_path / "more.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("swinir", "more", "list"):
        with pytest.raises(CheckpointError, match="upscaler"):
            read(tmp_path / f"{name}.pth")
    for old in (True, False):
        torch.save({"a": Evil()}, tmp_path / "evil.pth", _use_new_zipfile_serialization=not old)
        with pytest.raises(UnsafePickleError, match="Nothing of it ran"):
            read(tmp_path / "evil.pth")
    torch.save(drawn, tmp_path / "cut.pth", _use_new_zipfile_serialization=False)
    whole = (tmp_path / "cut.pth").read_bytes()
    for length in (30, 2000, len(whole) // 2, len(whole) - 3):
        (tmp_path / "cut.pth").write_bytes(whole[:length])
        with pytest.raises(DetectorError, match=r"cut off|claim more"):
            read(tmp_path / "cut.pth")
