"""Tensors of a safetensors file read into memory that is there already, one by one.

safetensors' own reader maps the file and gives every tensor memory of its own; here the weights of a checkpoint go
where those of the last one lie, straight from the file if device and dtype are the file's.
"""

from collections.abc import Mapping
from io import FileIO
from math import prod
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import Header
from ohwx_compare.files.checkpoint import Tensor as Stored

__all__ = ["DTYPES", "read_into", "require_whole"]

DTYPES = MappingProxyType(
    {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "F8_E4M3": torch.float8_e4m3fn,
        "F8_E5M2": torch.float8_e5m2,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
    }
)


def require_whole(header: Header) -> None:
    """Raise CheckpointError unless the file's tensors lie end to end up to its last byte, as the format demands."""
    spans = sorted((tensor.start, tensor.end) for tensor in header.tensors.values())
    ends = [end for _, end in spans]
    starts = [start for start, _ in spans[1:]] + [header.path.stat().st_size]
    if ends != starts:
        raise CheckpointError(
            f"{header.path.name} is damaged: its tensors do not fill the file end to end. Copy or download it again."
        )


@torch.no_grad()
def read_into(header: Header, targets: Mapping[str, Tensor]) -> None:
    """Fill `targets` (names of the file -> tensors of their shapes, any float dtype, any device), rounding to nearest.

    Beyond the targets, memory holds the largest tensor once, as the file stores it; pinned where it goes to CUDA.
    Raises CheckpointError where the file cannot be read, was cut short, or stores a type that no weight has; nothing
    was written then, except from files that were cut short.
    """
    path, stored = header.path, header.tensors
    for name in targets:
        _require_weight(path, name, stored[name])
    on_the_way = [name for name, target in targets.items() if not _is_as_stored(target, stored[name])]
    largest = max((stored[name].end - stored[name].start for name in on_the_way), default=0)
    is_pinned = any(targets[name].device.type == "cuda" for name in on_the_way)
    staging = torch.empty(largest, dtype=torch.uint8, pin_memory=is_pinned)
    try:
        with path.open("rb", buffering=0) as file:
            for name in sorted(targets, key=lambda name: stored[name].start):
                _read(file, path, stored[name], targets[name], staging)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error


def _require_weight(path: Path, name: str, stored: Stored) -> None:
    if stored.dtype not in DTYPES:
        raise CheckpointError(f"{path.name} stores {name} as {stored.dtype}, which no weight is stored as.")
    expected = prod(stored.shape) * torch.empty(0, dtype=DTYPES[stored.dtype]).element_size()
    if stored.end - stored.start != expected:
        raise CheckpointError(
            f"{path.name} is damaged: {name} has {stored.end - stored.start} bytes, expected {expected} for "
            f"{stored.dtype} {list(stored.shape)}. Copy or download it again."
        )


def _is_as_stored(target: Tensor, stored: Stored) -> bool:
    return target.device.type == "cpu" and target.dtype == DTYPES[stored.dtype] and target.is_contiguous()


def _read(file: FileIO, path: Path, stored: Stored, target: Tensor, staging: Tensor) -> None:
    size = stored.end - stored.start
    if size == 0:
        return
    is_direct = _is_as_stored(target, stored)
    memory = target.reshape(-1).view(torch.uint8) if is_direct else staging[:size]
    view = memory.numpy().data
    file.seek(stored.start)
    while view:
        count = file.readinto(view)
        if not count:
            raise CheckpointError(f"{path} was cut short while it was read. Copy or download it again.")
        view = view[count:]
    if not is_direct:
        target.copy_(memory.view(DTYPES[stored.dtype]).view(stored.shape))
