"""Drawn weights: each is a function of its name and a seed, so that any machine writes the same bytes."""

import math
import zlib
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWN_SPREAD", "EXTRA", "draw_tensor"]


DRAWN_SPREAD = 0.1  # standard deviation of a token's row

# what the encoders' own code keeps in a file besides weights
EXTRA = MappingProxyType(
    {
        "conditioner.embedders.0.transformer.text_model.embeddings.position_ids": (1, 77),
        "conditioner.embedders.1.model.logit_scale": (),
    }
)


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
