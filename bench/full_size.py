"""Drawn checkpoints of SDXL's full size, for programs that measure: real names and shapes, weights that mean nothing.

Names and shapes are those of `tests/goldens/sdxl_manifest.json`, 6.9 GB in float16. A weight is a piece of one pool of
normal numbers, scaled by its fan-in, so that a network of them neither dies nor explodes; a file is written about as
fast as the disk takes it.

    python bench/full_size.py

puts LoRAs of every way to name their layers onto a model of the full size without memory (torch's meta device) and says
which of its tensors each changes. Returns 1 where one does not change all that it should, and nothing else.
"""

import json
import re
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from pathlib import Path

import numpy as np
import torch
from full_size_names import FORMS, Layer, encoder_layers, unet_layers
from safetensors.torch import save_file

from ohwx_compare.core.prompt.networks import Network
from ohwx_compare.engine.networks.wear import Chosen, put_on
from ohwx_compare.engine.weights import PREFIXES, Model, build
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


def on_meta() -> Model:
    """A model of the full size whose tensors have shapes and no memory; their seals tell which are changed."""
    shapes = {name: tuple(shape) for name, (_, shape) in json.loads(MANIFEST.read_text(encoding="utf-8")).items()}
    parts = {
        part: build(part, {n.removeprefix(prefix): s for n, s in shapes.items() if n.startswith(prefix)})
        for part, prefix in PREFIXES.items()
    }
    own = {prefix + name for part, prefix in PREFIXES.items() for name, _ in parts[part].named_parameters()}
    return Model(**parts, prediction="eps", path=Path("full size"), seals=dict.fromkeys(own, ""))


def lora_file(path: Path, layers: Iterable[Layer], down: str, up: str) -> None:
    """Write a LoRA of rank 1 for these layers, its two tensors' names ending so."""
    tensors = {}
    for layer in layers:
        tensors[f"{layer.name}.{down}"] = torch.zeros(1, layer.inputs, *layer.kernel, dtype=torch.float16)
        tensors[f"{layer.name}.{up}"] = torch.zeros(layer.outputs, 1, *[1] * len(layer.kernel), dtype=torch.float16)
    save_file(tensors, path)


def changed_by(path: Path) -> set[str]:
    """The tensors of the full-size model that a LoRA changes. Raises CheckpointError where a layer does not fit."""
    worn = put_on(on_meta(), [Chosen(Network("x"), path, "0")])
    return {name for name, seal in worn.seals.items() if seal}


def expected(convolutions: bool) -> set[str]:
    """The tensors that such LoRAs are for, by the checkpoint's own names and shapes."""
    shapes: Mapping[str, list[int]] = {
        name: shape for name, (_, shape) in json.loads(MANIFEST.read_text(encoding="utf-8")).items()
    }
    return {name for name, shape in shapes.items() if _is_for(name, shape, convolutions)}


def _is_for(name: str, shape: list[int], convolutions: bool) -> bool:
    if name.startswith(UNET):
        inside = name.removeprefix(UNET)
        if re.search(r"transformer_blocks\.\d+\.(attn|ff).*weight$|\.proj_(in|out)\.weight$", inside):
            return len(shape) == 2
        conv = r"\.(in_layers\.2|out_layers\.3|emb_layers\.1|skip_connection|op|\d\.conv)\.weight$"
        return convolutions and re.search(conv, inside) is not None
    if name.startswith(PREFIXES["clip_l"]):
        return re.search(r"layers\.\d+\.(self_attn|mlp)\..*weight$", name) is not None
    return re.search(r"embedders\.1\.model\.transformer\.resblocks\.\d+\.(attn|mlp)\..*weight$", name) is not None


def lora_fits() -> Iterator[tuple[str, int, int, bool]]:
    """For each way to name the layers: its name, layers, tensors changed, and whether those are all that it is for."""
    with tempfile.TemporaryDirectory() as folder:
        for number, form in enumerate(FORMS):
            layers = [*unet_layers(form), *encoder_layers(form)]
            path = Path(folder) / f"{number}.safetensors"
            lora_file(path, layers, form.down, form.up)
            changed = changed_by(path)
            yield form.title, len(layers), len(changed), changed == expected(form.has_convolutions)


def main() -> int:
    """Print what fits. Returns 1 where something does not."""
    results = list(lora_fits())
    for title, layers, tensors, fits in results:
        print(f"{title:<70} {layers:>5} layers {tensors:>5} tensors  {'all' if fits else 'NOT all'}")
    return int(not all(fits for *_, fits in results))


if __name__ == "__main__":
    sys.exit(main())
