"""Whether the weights in the webui's memory are those of a file.

The webui goes by names for what is loaded: a file overwritten under the same name is not read again, and keys
that a file lacks keep the values of the model before (`modules/sd_models.py` at 82a973c, `reload_model_weights`,
`load_model_weights` with `strict=False`). So a few tensors are compared with the file's own bytes.
"""

from collections.abc import Iterator, Mapping

import torch

from ohwx_compare.files.checkpoint import Header, Tensor

__all__ = ["differing", "missing"]

_PARTS = ("model.diffusion_model.", "conditioner.", "first_stage_model.")
_OPTIONAL = ("position_ids", "logit_scale")  # trainers drop them, and the webui has its own
_SAMPLE = 1 << 14  # values compared of a tensor
_DTYPES: Mapping[str, torch.dtype] = {
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def missing(model: torch.nn.Module, header: Header, *, own_vae: bool) -> list[str]:
    """Parameters of `model` that the file lacks, so that they are what the model before had.

    own_vae: the VAE comes from the file; otherwise its keys do not count.
    """
    parts = _PARTS if own_vae else _PARTS[:2]
    return [
        name
        for name in _parameters(model)
        if name.startswith(parts) and not name.endswith(_OPTIONAL) and name not in header.tensors
    ]


def differing(model: torch.nn.Module, header: Header, *, whole: bool = False, own_vae: bool = False) -> list[str]:
    """Names of those tensors whose values in memory are not the file's; [] where it is the same model.

    whole: every matrix and vector is compared to its last value, which reads the whole file. Otherwise sampled are
        matrices of the UNet's beginning, middle and end and of both text encoders, of each its first 16,384 values.
    own_vae: the VAE comes from the file, so `whole` means it too.
    Raises OSError where the file is gone.
    """
    parameters = _parameters(model)
    names = [name for name in _all(header, own_vae=own_vae) if name in parameters] if whole else _sampled(header)
    with header.path.open("rb") as file:
        found = []
        for name in names:
            tensor = header.tensors[name]
            size = tensor.end - tensor.start
            file.seek(tensor.start)
            stored = _values(file.read(size if whole else min(size, _SAMPLE * _width(tensor))), tensor)
            if name not in parameters or not _is_same(parameters[name], stored):
                found.append(name)
    return found


def _parameters(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters under the names of the file: the webui wraps embeddings, LoRA keeps what it changed in a backup."""
    found: dict[str, torch.Tensor] = {}
    for path, module in model.named_modules():
        backup = getattr(module, "network_weights_backup", None)
        values = dict(module.named_parameters(recurse=False))
        if isinstance(backup, torch.Tensor):
            values["weight"] = backup
        elif isinstance(backup, tuple):  # of a MultiheadAttention; the second is its child's
            values["in_proj_weight"], values["out_proj.weight"] = backup
        for name, value in values.items():
            found.setdefault(f"{path}.{name}".replace(".wrapped.", "."), value)
    return found


def _all(header: Header, *, own_vae: bool) -> Iterator[str]:
    parts = _PARTS if own_vae else _PARTS[:2]
    for name, tensor in header.tensors.items():
        if name.startswith(parts) and not name.endswith(_OPTIONAL) and tensor.dtype in _DTYPES and tensor.shape:
            yield name


def _sampled(header: Header) -> Iterator[str]:
    for part in ("model.diffusion_model.", "conditioner.embedders.0.", "conditioner.embedders.1."):
        matrices = [
            name
            for name, tensor in header.tensors.items()
            if name.startswith(part) and len(tensor.shape) >= 2 and tensor.dtype in _DTYPES and ".visual." not in name
        ]
        matrices = [name for name in matrices if "attn" in name or "mlp" in name or "ff" in name] or matrices
        yield from dict.fromkeys(matrices[int(at * (len(matrices) - 1))] for at in (0.0, 0.35, 0.7, 1.0) if matrices)


def _values(data: bytes, tensor: Tensor) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=_DTYPES[tensor.dtype])


def _width(tensor: Tensor) -> int:
    return torch.empty(0, dtype=_DTYPES[tensor.dtype]).element_size()


def _is_same(actual: torch.Tensor, stored: torch.Tensor) -> bool:
    """Equal after the rounding that the webui's precision brings: straight, or by way of float16."""
    got = actual.detach().flatten()[: stored.numel()].cpu()
    return any(torch.equal(got.float(), way.to(got.dtype).float()) for way in (stored, stored.half()))
