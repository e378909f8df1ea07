"""Tiny SDXL checkpoints with drawn weights: the real names, small shapes, nothing to download.

They draw patterns, not pictures, and a real webui loads them too.
"""

import math
from itertools import chain
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ohwx_compare.models.text import ClipG, ClipL, TextConfig
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.unfilled import unfilled
from ohwx_compare.models.vae import VAE, VAEConfig
from ohwx_compare.toy.drawn import EXTRA, draw_tensor

__all__ = ["TINY", "draw_checkpoint", "draw_tiny", "tiny_shapes"]

# name, seed, seed of the variation, its amount: a base model and two fine-tunes of it
TINY = (("tiny_base", 1, None, 0.0), ("tiny_reg", 1, 2, 0.2), ("tiny_noreg", 1, 3, 0.2))


def tiny_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a tiny checkpoint."""
    with unfilled():
        parts = {
            "conditioner.embedders.0.": ClipL(TextConfig(width=128, layers=3)),
            "conditioner.embedders.1.": ClipG(TextConfig(width=128, layers=3)),
            "first_stage_model.": VAE(VAEConfig(widths=(32, 32, 64, 128), blocks=1)),
            "model.diffusion_model.": UNet(
                UNetConfig(widths=(32, 64, 128), depths=(0, 1, 2), middle=2, context=256, vector=128 + 6 * 256)
            ),
        }
    own = ((prefix + name, tuple(t.shape)) for prefix, part in parts.items() for name, t in part.state_dict().items())
    return dict(chain(own, EXTRA.items()))


def draw_checkpoint(path: Path, *, seed: int = 1, vary_seed: int | None = None, amount: float = 0.0) -> None:
    """Write a tiny checkpoint to `path` (17 MB, float16).

    With `vary_seed`, `amount` times that seed's draw is added to the UNet's matrices: a fine-tune of the same base.
    """
    state: dict[str, np.ndarray] = {}
    for name, shape in tiny_shapes().items():
        if name.endswith("position_ids"):
            state[name] = np.arange(math.prod(shape)).astype(np.int64).reshape(shape)
            continue
        value = draw_tensor(name, shape, seed)
        if vary_seed is not None and name.startswith("model.diffusion_model.") and len(shape) >= 2:
            change = draw_tensor(name, shape, vary_seed).astype(np.float32)
            value = (value.astype(np.float32) + amount * change).astype(np.float16)
        state[name] = value
    save_file(state, path, metadata={"format": "pt"})


def draw_tiny(folder: Path) -> list[Path]:
    """Write the three checkpoints of `TINY` into `folder`, which is made if need be; their paths in that order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, seed, vary_seed, amount in TINY:
        paths.append(folder / f"{name}.safetensors")
        draw_checkpoint(paths[-1], seed=seed, vary_seed=vary_seed, amount=amount)
    return paths
