"""Tiny SDXL checkpoints with drawn weights: the real names, small shapes, nothing to download.

Names and shapes come from our own modules; a weight is a function of its name and a seed, so that any machine writes
the same file, byte for byte. They draw patterns, not pictures, and a real webui loads them too.
"""

import math
import zlib
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ohwx_compare.models.text import ClipG, ClipL, TextConfig
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.vae import VAE, VAEConfig

__all__ = ["DRAWN_SPREAD", "TINY", "draw_checkpoint", "draw_tensor", "draw_tiny", "tiny_shapes"]

# name, seed, seed of the variation, its amount: a base model and two fine-tunes of it
TINY = (("tiny_base", 1, None, 0.0), ("tiny_reg", 1, 2, 0.2), ("tiny_noreg", 1, 3, 0.2))

DRAWN_SPREAD = 0.1  # standard deviation of a token's row

# what the encoders' own code keeps in a file besides weights
EXTRA = MappingProxyType(
    {
        "conditioner.embedders.0.transformer.text_model.embeddings.position_ids": (1, 77),
        "conditioner.embedders.1.model.logit_scale": (),
    }
)


def tiny_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a tiny checkpoint."""
    with torch.device("meta"):
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


def draw_tensor(name: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float16]:
    """One tensor of a drawn checkpoint: NumPy's frozen RandomState stream of this name and seed, scaled by kind."""
    draw = np.random.RandomState((zlib.crc32(name.encode()) ^ seed) & 0xFFFFFFFF).standard_normal(shape)
    if "embedding" in name or name.endswith("text_projection"):
        value = DRAWN_SPREAD * draw
    elif len(shape) >= 2:
        value = draw * float(math.prod(shape[1:])) ** -0.5
    elif name.endswith("bias"):
        value = 0.02 * draw
    else:
        value = 1 + 0.1 * draw
    if name == "first_stage_model.decoder.conv_out.weight":
        value = 0.3 * value  # keeps pixels off black and white, where differences would not show
    if name.startswith("first_stage_model.quant_conv."):
        # the log variance: as good as certain, like a trained VAE's
        value[shape[0] // 2 :] = 0 if name.endswith("weight") else -20
    return np.asarray(value, np.float16)


def draw_checkpoint(path: Path, *, seed: int = 1, vary_seed: int | None = None, amount: float = 0.0) -> None:
    """Write a tiny checkpoint to `path` (17 MB, float16).

    With `vary_seed`, `amount` times that seed's draw is added to the UNet's matrices: a fine-tune of the same base.
    """
    state = {}
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
