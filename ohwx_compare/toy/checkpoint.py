"""The toy checkpoint: SDXL's layout and names at a small size, trained from scratch on the toy world.

It is kept packed: the matrices of the UNet in 6 bits and of the other parts in 7, with a scale for each row, all else
in float16, and of the two token tables only the rows of words that its lessons hold. The other rows are random numbers,
made when the file is written: the model never learned those words.
"""

from collections.abc import Iterable, Mapping
from importlib import resources
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from ohwx_compare.core.prompt.chunks import EMPTY, chunks
from ohwx_compare.engine.weights import PREFIXES
from ohwx_compare.files.tensors import write_tensors
from ohwx_compare.files.tokenizer import tokenizer_g, tokenizer_l
from ohwx_compare.models.text import ClipG, ClipL, TextConfig
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.unfilled import unfilled
from ohwx_compare.models.vae import VAE, VAEConfig
from ohwx_compare.numerals import decode_json
from ohwx_compare.toy.drawn import DRAWN_SPREAD, EXTRA, draw_tensor

__all__ = [
    "TEXT",
    "TOKEN_SPREAD",
    "TOY",
    "UNET",
    "VAE_CONFIG",
    "pack",
    "toy_sha256",
    "toy_shapes",
    "unpack",
    "write_checkpoint",
]

TOY = "toy.safetensors"

TEXT = TextConfig(width=128, layers=3)  # of both encoders
UNET = UNetConfig(widths=(64, 64, 128), depths=(0, 1, 1), middle=1, blocks=1, context=256, vector=128 + 6 * 256)
VAE_CONFIG = VAEConfig(widths=(64, 64, 64, 64), blocks=1)

TOKEN_SPREAD = 0.3  # standard deviation of a token's row before it is taught
_TABLES = {
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": tokenizer_l,
    "conditioner.embedders.1.model.token_embedding.weight": tokenizer_g,
}
_STEPS = {prefix: 31 if part == "unet" else 63 for part, prefix in PREFIXES.items()}  # up to a row's largest value
_ROWS, _SCALE = ".rows", ".scale"  # beside a packed tensor: which rows it is; what one step of each row is worth
_SEED = 1  # of the rows that are drawn


def toy_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the toy checkpoint."""
    with unfilled():
        parts = {"clip_l": ClipL(TEXT), "clip_g": ClipG(TEXT), "vae": VAE(VAE_CONFIG), "unet": UNet(UNET)}
    own = ((PREFIXES[p] + name, tuple(t.shape)) for p, part in parts.items() for name, t in part.state_dict().items())
    return dict(chain(own, EXTRA.items()))


def write_checkpoint(path: Path) -> None:
    """Write the toy checkpoint to `path` (42 MB, float16), the same bytes on every machine. Raises OSError."""
    with resources.as_file(resources.files(__package__) / "data" / "toy.packed.safetensors") as packed:
        unpack(packed, path)


def toy_sha256() -> str:
    """The hash of the file that `write_checkpoint` writes, from its record."""
    return decode_json((resources.files(__package__) / "data" / "toy.json").read_text(encoding="utf-8"))["sha256"]


def pack(checkpoint: Path, path: Path, captions: Iterable[str], metadata: Mapping[str, str]) -> None:
    """Write `checkpoint`, a file of `toy_shapes`, to `path` without what `unpack` can draw or round back.

    captions: all that its text encoders were trained on; rows of other tokens are left out.
    """
    texts = sorted(set(captions))
    packed: dict[str, np.ndarray] = {}
    for name, value in load_file(checkpoint).items():
        if name in _TABLES:
            packed[name + _ROWS] = rows = _rows(texts, name)
            packed[name] = value[rows].astype(np.float16)
        elif value.ndim > 1 and (steps := next((n for prefix, n in _STEPS.items() if name.startswith(prefix)), 0)):
            packed[name], packed[name + _SCALE] = _rounded(value, steps)
        elif name not in EXTRA:
            packed[name] = value.astype(np.float16)
    save_file(packed, path, metadata=dict(metadata))


def unpack(packed: Path, path: Path) -> None:
    """Write the whole checkpoint that was packed, in float16, whole or not at all. Raises OSError."""
    kept = load_file(packed)
    with safe_open(packed, framework="numpy") as file:
        metadata = {"format": "pt", **dict(sorted(file.metadata().items()))}  # safetensors gives and writes any order
    shapes = toy_shapes()
    kinds = {name: ("I64" if name.endswith("position_ids") else "F16", shape) for name, shape in shapes.items()}
    write_tensors(path, kinds, lambda name: _unpacked(kept, name, shapes[name]).tobytes(), metadata)


def _unpacked(kept: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name in EXTRA:
        return np.arange(shape[1]).astype(np.int64)[None] if shape else np.zeros((), np.float16)
    if name in _TABLES:
        drawn = draw_tensor(name, shape, _SEED) * np.float16(TOKEN_SPREAD / DRAWN_SPREAD)
        drawn[kept[name + _ROWS]] = kept[name]
        return drawn
    if name + _SCALE in kept:
        scale = kept[name + _SCALE].reshape(-1, *[1] * (len(shape) - 1))
        return (kept[name] * scale).astype(np.float16)
    return kept[name]


def _rows(captions: Iterable[str], table: str) -> NDArray[np.int32]:
    """The rows of a token table that these captions and the padding of both encoders read."""
    read = _TABLES[table]()
    texts = (chunk.tokens for caption in captions for chunk in chunks(caption, read))
    return np.array(sorted({0, *EMPTY.tokens, *chain.from_iterable(texts)}), np.int32)


def _rounded(value: np.ndarray, steps: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A matrix in `steps` steps up to each row's largest value, and what a step is worth."""
    rows = value.reshape(len(value), -1).astype(np.float32)
    scale = np.maximum(np.abs(rows).max(axis=1), 1e-12) / np.float32(steps)
    return np.round(rows / scale[:, None]).astype(np.int8).reshape(value.shape), scale.astype(np.float32)
