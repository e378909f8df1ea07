"""Writing a new safetensors file, one tensor at a time, so that memory holds at most two copies of one of them.

Source of the format: https://github.com/huggingface/safetensors/blob/v0.4.2/README.md#format
"""

import json
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.files.atomic import write_stream

__all__ = ["SIZES", "write_tensors"]

SIZES = MappingProxyType({"BF16": 2, "F16": 2, "F32": 4, "I64": 8})  # bytes of a number
TensorKind = tuple[str, tuple[int, ...]]  # dtype of SIZES and shape


def write_tensors(
    path: Path, kinds: Mapping[str, TensorKind], data: Callable[[str], bytes], metadata: Mapping[str, str]
) -> str:
    """Write tensors of the given kinds, in that order; the file appears at `path` once it is whole.

    data: a tensor's bytes, row by row, little endian.
    Returns the file's sha256. Raises OSError where the disk is full.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, (dtype, shape) in kinds.items():
        start, end = end, end + SIZES[dtype] * prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)  # the format aligns the tensors so

    def contents() -> Iterator[bytes]:
        yield len(text).to_bytes(8, "little") + text
        for name in kinds:
            yield data(name)

    return write_stream(path, contents())
