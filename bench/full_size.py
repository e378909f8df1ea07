"""Drawn checkpoints of SDXL's full size, for programs that measure: real names and shapes, weights that mean nothing.

Names and shapes are those of `tests/goldens/sdxl_manifest.json`, 6.9 GB in float16. A weight is a piece of one pool of
normal numbers, scaled by its fan-in, so that a network of them neither dies nor explodes; a file is written about as
fast as the disk takes it.
"""

import json
import re
import zlib
from math import prod
from pathlib import Path

import numpy as np

from ohwx_compare.files.tensors import write_tensors

MANIFEST = Path(__file__).parents[1] / "tests" / "goldens" / "sdxl_manifest.json"
POOL = 1 << 22  # numbers
UNET = "model.diffusion_model."
# a base and two fine-tunes of it: which tensors are others than the base's
FAMILY = {"base": "nothing", "unet": re.escape(UNET), "attention": rf"{re.escape(UNET)}.*\.attn2\."}


def draw_family(folder: Path) -> dict[str, Path]:
    """Write the checkpoints of FAMILY into `folder`; their paths by name."""
    pool = np.random.default_rng(1).standard_normal(POOL, np.float32)
    shapes = {name: tuple(shape) for name, (_, shape) in json.loads(MANIFEST.read_text(encoding="utf-8")).items()}
    kinds = {name: ("F16", shape) for name, shape in shapes.items() if not name.endswith("position_ids")}
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, others in FAMILY.items():

        def data(tensor: str, others: str = others) -> bytes:
            return _drawn(pool, tensor, shapes[tensor], seed=2 if re.match(others, tensor) else 1)

        paths[name] = folder / f"{name}.safetensors"
        write_tensors(paths[name], kinds, data, {"format": "pt"})
    return paths


def _drawn(pool: np.ndarray, name: str, shape: tuple[int, ...], seed: int) -> bytes:
    start = zlib.crc32(f"{seed} {name}".encode()) % POOL
    numbers = np.resize(pool[start:], shape) if prod(shape) <= POOL - start else np.resize(np.roll(pool, start), shape)
    if len(shape) < 2:
        numbers = 0.02 * numbers if name.endswith("bias") else 1 + 0.1 * numbers
    elif "embedding" in name or name.endswith("text_projection"):
        numbers = 0.05 * numbers
    else:
        numbers = numbers * np.float32(prod(shape[1:]) ** -0.5)
    return numbers.astype(np.float16).tobytes()
