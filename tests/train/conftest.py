"""A base checkpoint and drawn pictures to train on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from ohwx_compare.engine.weights import PREFIXES
from ohwx_compare.models.text import ClipG, ClipL, TextConfig
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.vae import VAE, VAEConfig
from ohwx_compare.toy.drawn import draw_tensor


def draw(path: Path, seed: int, size: tuple[int, int] = (64, 64)) -> None:
    """A few coloured discs."""
    chance = np.random.RandomState(seed)
    rows, columns = np.mgrid[: size[1], : size[0]]
    picture = np.full((size[1], size[0], 3), chance.randint(0, 256, 3), np.uint8)
    for _ in range(4):
        x, y, radius = chance.randint(0, size[0]), chance.randint(0, size[1]), chance.randint(6, 20)
        picture[(columns - x) ** 2 + (rows - y) ** 2 < radius**2] = chance.randint(0, 256, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture(scope="session")
def mini(tmp_path_factory) -> Path:
    """A checkpoint of SDXL's layout still smaller than tiny_base: a step in a tenth of a second."""
    with torch.device("meta"):
        parts = {
            "unet": UNet(UNetConfig(widths=(32, 64), depths=(0, 1), middle=1, blocks=1, context=128, vector=1600)),
            "vae": VAE(VAEConfig(widths=(32, 32, 32, 32), blocks=1)),
            "clip_l": ClipL(TextConfig(width=64, layers=2)),
            "clip_g": ClipG(TextConfig(width=64, layers=2)),
        }
    state = {
        PREFIXES[part] + name: draw_tensor(PREFIXES[part] + name, tuple(tensor.shape), seed=1)
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }
    path = tmp_path_factory.mktemp("mini") / "mini.safetensors"
    save_file(state, path, metadata={"format": "pt"})
    return path


@pytest.fixture
def small(mini, tmp_path) -> dict[str, Any]:
    """Recipe values of three training and four regularization images, two epochs on the mini checkpoint."""
    for i in range(3):
        draw(tmp_path / "img" / "1_ohwx man" / f"{i}.png", i)
    for i in range(4):
        draw(tmp_path / "reg" / "1_man" / f"{i}.png", 100 + i)
    return {
        "base": str(mini),
        "train": str(tmp_path / "img"),
        "output": str(tmp_path / "out é"),
        "name": "me",
        "resolution": 64,
        "bucket_min": 64,
        "epochs": 2,
        "save_every_epochs": 1,
        "precision": "fp32",
        "lr_unet": 1e-4,
        "checkpointing": False,
        "validation": 0,
    }
