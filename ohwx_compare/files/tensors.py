"""Writing a new safetensors file, one tensor at a time, so that memory holds at most two copies of one of them.

Source of the format: https://github.com/huggingface/safetensors/blob/v0.4.2/README.md#format
"""

import json
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.files.atomic import write_stream

__all__ = ["SIZES", "header_bytes", "write_tensors"]

SIZES = MappingProxyType({"U8": 1, "BF16": 2, "F16": 2, "F32": 4, "I64": 8})  # bytes of a number
Bytes = bytes | memoryview
TensorKind = tuple[str, tuple[int, ...]]  # dtype of SIZES and shape
TensorPlace = tuple[str, tuple[int, ...], int, int]  # dtype, shape, and where its bytes begin and end after the header


def header_bytes(places: Mapping[str, TensorPlace], metadata: Mapping[str, str]) -> bytes:
    """What stands before the tensors: the header's length and the header, padded so that they are aligned."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    for name, (dtype, shape, start, end) in places.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write_tensors(
    path: Path, kinds: Mapping[str, TensorKind], data: Callable[[str], Bytes], metadata: Mapping[str, str]
) -> str:
    """Write tensors of the given kinds, in that order; the file appears at `path` once it is whole.

    data: a tensor's bytes, row by row, little endian.
    Returns the file's sha256. Raises OSError where the disk is full.
    """
    places, end = {}, 0
    for name, (dtype, shape) in kinds.items():
        start, end = end, end + SIZES[dtype] * prod(shape)
        places[name] = (dtype, shape, start, end)

    def contents() -> Iterator[Bytes]:
        yield header_bytes(places, metadata)
        for name in kinds:
            yield data(name)

    return write_stream(path, contents())
