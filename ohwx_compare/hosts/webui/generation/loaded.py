"""Whether the weights in the webui's memory are those of a file.

The webui goes by names for what is loaded: a file overwritten under the same name is not read again, and keys
that a file lacks keep the values of the model before (`modules/sd_models.py` at 82a973c, `reload_model_weights`,
`load_model_weights` with `strict=False`). So a few tensors are compared with the file's own bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import Header, Tensor, read_header
from ohwx_compare.hosts.webui.generation.parameters import Pieces, parameters

__all__ = ["MODEL_PARTS", "differing", "missing", "vae_differs"]

MODEL_PARTS = ("model.diffusion_model.", "conditioner.embedders.0.", "conditioner.embedders.1.", "first_stage_model.")
"""How the names of a file begin: UNet, both text encoders, VAE."""

_OPTIONAL = ("position_ids", "logit_scale")  # trainers drop them, and the webui has its own
_SAMPLE = 1 << 14  # values compared of a tensor
_DTYPES: Mapping[str, torch.dtype] = {
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def missing(model: Any, header: Header, parts: Sequence[str] = MODEL_PARTS) -> list[str]:
    """Parameters of `model` that the file lacks, so that their values came from elsewhere.

    parts: those of `MODEL_PARTS` that come from the file; others do not count.
    """
    return [
        name
        for name in parameters(model)
        if name.startswith(tuple(parts)) and not name.endswith(_OPTIONAL) and name not in header.tensors
    ]


def differing(model: Any, header: Header, parts: Sequence[str] = MODEL_PARTS, *, whole: bool = False) -> list[str]:
    """Names of those tensors whose values in memory are not the file's; [] where it is the same model.

    parts: those of `MODEL_PARTS` that come from the file; others do not count.
    whole: every matrix and vector is compared to its last value, which reads the whole file. Otherwise sampled are
        matrices of the UNet's beginning, middle and end and of both text encoders, of each its first 16,384 values.
    What memory holds packed into integers cannot be compared, and is left out.
    Raises OSError where the file is gone.
    """
    held = parameters(model)
    known = [name for name in _comparable(header, parts) if name not in held or held[name][0].is_floating_point()]
    names = [name for name in known if name in held] if whole else _sampled(known, header)
    with header.path.open("rb") as file:
        found = []
        for name in names:
            tensor = header.tensors[name]
            size = tensor.end - tensor.start
            file.seek(tensor.start)
            stored = _values(file.read(size if whole else min(size, _SAMPLE * _width(tensor))), tensor)
            if name not in held or not _is_same(held[name], stored):
                found.append(name)
    return found


def vae_differs(model: Any, path: Path) -> bool:
    """Whether a VAE's own file holds other values than the VAE in memory; False where it is no .safetensors."""
    try:
        header = read_header(path)
    except CheckpointError:
        return False
    start = MODEL_PARTS[-1]
    tensors = {start + name.removeprefix(start): tensor for name, tensor in header.tensors.items()}
    return bool(differing(model, replace(header, tensors=tensors), [start], whole=True))


def _comparable(header: Header, parts: Sequence[str]) -> Iterator[str]:
    for name, tensor in header.tensors.items():
        if name.startswith(tuple(parts)) and not name.endswith(_OPTIONAL) and tensor.dtype in _DTYPES and tensor.shape:
            yield name


def _sampled(names: Sequence[str], header: Header) -> Iterator[str]:
    for part in MODEL_PARTS[:3]:
        matrices = [
            name
            for name in names
            if name.startswith(part) and len(header.tensors[name].shape) >= 2 and ".visual." not in name
        ]
        matrices = [name for name in matrices if "attn" in name or "mlp" in name or "ff" in name] or matrices
        yield from dict.fromkeys(matrices[int(at * (len(matrices) - 1))] for at in (0.0, 0.35, 0.7, 1.0) if matrices)


def _values(data: bytes, tensor: Tensor) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=_DTYPES[tensor.dtype])


def _width(tensor: Tensor) -> int:
    return torch.empty(0, dtype=_DTYPES[tensor.dtype]).element_size()


def _is_same(pieces: Pieces, stored: torch.Tensor) -> bool:
    """Equal after the rounding that the webui's precision brings: straight, or by way of float16."""
    got = _beginning(pieces, stored.numel())
    return any(torch.equal(got.float(), way.to(got.dtype).float()) for way in (stored, stored.half()))


def _beginning(pieces: Pieces, count: int) -> torch.Tensor:
    """Their first `count` values as one tensor on the CPU."""
    found: list[torch.Tensor] = []
    for piece in pieces:
        found.append(piece.detach().flatten()[: count - sum(map(len, found))].cpu())
    return torch.cat(found) if len(found) > 1 else found[0]
