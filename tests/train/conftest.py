"""A base checkpoint and drawn pictures to train on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


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
