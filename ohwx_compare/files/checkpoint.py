"""Checkpoint files: their header, their hash, and what model they hold.

A safetensors file is eight bytes of header length (little endian), the header in JSON, then the tensors' bytes.
Source of the format: https://github.com/huggingface/safetensors/blob/v0.4.2/README.md#format
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.atomic import write_stream
from ohwx_compare.files.regular import require_regular
from ohwx_compare.files.tensors import header_bytes
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import counted

__all__ = [
    "Header",
    "Tensor",
    "describe",
    "header_length",
    "prediction",
    "read_header",
    "require_sdxl",
    "rewrite",
    "sha256",
    "short_hash",
]

HEADER_LIMIT = 20_000_000  # bytes; SDXL has 0.3 million, and what trainers say beside it some more
_MOST_VALUES = 500_000  # in a header, so that reading it stays cheap; SDXL has 25,000
_MOST_AXES = 64  # torch's own limit
_LARGEST = 2**40  # of any number in a header
MOST_TENSORS = 50_000  # SDXL has 2,515
_WIDTHS = MappingProxyType(  # bytes of a number
    {
        **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
        **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
        **dict.fromkeys(("U32", "I32", "F32"), 4),
        **dict.fromkeys(("U64", "I64", "F64"), 8),
    }
)


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies in its file."""

    dtype: str  # "F16", "BF16", "F32", "I64", ...
    shape: tuple[int, ...]
    start: int  # bytes from the beginning of the file
    end: int


@dataclass(frozen=True)
class Header:
    """What a safetensors file says about itself."""

    path: Path
    tensors: Mapping[str, Tensor]  # in the file's order
    metadata: Mapping[str, str]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape, in the file's order."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file and check it against the file's size; no tensor is read.

    Raises CheckpointError where the file cannot be read, is something else, or is cut short.
    """
    try:
        size = require_regular(path)
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            text = file.read(length) if length <= min(HEADER_LIMIT, size - 8) else b""
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    if (values := sum(map(text.count, (b"[", b"{", b",")))) > _MOST_VALUES:
        raise CheckpointError(
            f"{path} has a header of some {counted(values, 'value')}, expected at most {_MOST_VALUES:,}."
        )
    try:
        content = decode_json(text.decode("utf-8"))
        metadata = content.pop("__metadata__", {})
        if len(content) > MOST_TENSORS:
            raise CheckpointError(f"{path} lists {counted(len(content), 'tensor')}, expected at most {MOST_TENSORS:,}.")
        tensors = {name: _tensor(entry, 8 + length) for name, entry in content.items()}
        metadata = {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a safetensors file: {_looks_like(start)}.") from error
    end = max((tensor.end for tensor in tensors.values()), default=0)
    if end > size:
        raise CheckpointError(f"{path} is cut short: {size:,} bytes of {end:,}. Copy or download it again.")
    if problem := _problem(tensors):
        raise CheckpointError(f"{path} is damaged: {problem}. Copy or download it again.")
    return Header(path, tensors, metadata)


def header_length(path: Path) -> int:
    """Bytes of the header as the file says, whatever the file is. Raises OSError."""
    require_regular(path)
    with path.open("rb") as file:
        return int.from_bytes(file.read(8), "little")


def _problem(tensors: Mapping[str, Tensor]) -> str | None:
    """What is wrong with the tensors' places. Where nothing is, together they are no larger than the file."""
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        width, held = _WIDTHS.get(tensor.dtype), tensor.end - tensor.start
        if width and prod(tensor.shape) * width != held:
            return f"{name[:80]} takes {held:,} bytes, which does not fit {tensor.dtype} {list(tensor.shape)}"
        if tensor.start < end:
            return f"{name[:80]} overlaps the tensor before it"
        end = tensor.end
    return None


def _tensor(entry: Mapping[str, Any], base: int) -> Tensor:
    start, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    numbers = (start, end - start, *shape)
    if len(shape) > _MOST_AXES or not all(isinstance(n, int) and 0 <= n < _LARGEST for n in numbers):
        raise ValueError("no offsets or shape")
    return Tensor(str(entry["dtype"]), shape, base + start, base + end)


def _looks_like(start: bytes) -> str:
    """What a file that is not safetensors probably is, from its first eight bytes; none of them is told."""
    if not start:
        return "it is empty (0 bytes); copy or download it again"
    if start.startswith((b"PK", b"\x80\x02")):
        return "it is a pickle (.ckpt, .pt), which can run code and is not read; convert it to safetensors"
    if start.startswith(b"version "):
        return "it is a git-lfs pointer; download the model itself"
    if start.lstrip().startswith(b"<"):
        return "it is a web page, so the download failed; download it again"
    if start.isascii() and start.decode().isprintable():
        return "it begins with text; choose another file"
    if int.from_bytes(start, "little") > HEADER_LIMIT:
        return f"its header claims over {HEADER_LIMIT:,} bytes; copy or download it again"
    return "its header cannot be read, perhaps because it is cut short; copy or download it again"


def rewrite(
    path: Path,
    source: Header,
    replacement: Callable[[str, Tensor], bytes | None],
    metadata: Mapping[str, str],
    seen: Callable[[str, Tensor, bytes], None] = lambda name, tensor, data: None,
    dtypes: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Write `source`'s file again to `path` with other metadata and some tensors' bytes replaced, one tensor at a time.

    replacement: a tensor's new bytes, as many as its old ones, or None to keep those. Names, order, dtypes, shapes and
        every other byte stay. The file appears at `path` once it is whole.
    seen: called with each tensor as it is in the new file, and its bytes, as they are written.
    dtypes: of tensors that get another one; `replacement` gives their bytes.
    Returns the new file's sha256. Raises OSError where the disk is full.
    """
    tensors = sorted(source.tensors.items(), key=lambda item: item[1].start)
    ends, written = 0, {}
    for name, t in tensors:
        dtype = dtypes.get(name, t.dtype)
        size = (t.end - t.start) * _WIDTHS[dtype] // _WIDTHS[t.dtype] if name in dtypes else t.end - t.start
        written[name] = Tensor(dtype, t.shape, ends, ends + size)
        ends += size
    places = {name: (t.dtype, t.shape, t.start, t.end) for name, t in ((n, written[n]) for n in source.tensors)}

    def contents() -> Iterator[bytes]:
        yield header_bytes(places, metadata)
        with source.path.open("rb") as old:
            for name, t in tensors:
                data = replacement(name, t)
                data = _stored(old, t) if data is None else data
                seen(name, written[name], data)
                yield data

    return write_stream(path, contents())


def _stored(file: BinaryIO, tensor: Tensor) -> bytes:
    """Raises CheckpointError where the file is shorter than it was when its header was read."""
    file.seek(tensor.start)
    data = file.read(tensor.end - tensor.start)
    if len(data) != tensor.end - tensor.start:
        raise CheckpointError(f"{file.name} became shorter while it was read; put the whole file back.")
    return data


def sha256(path: Path) -> str:
    """sha256 of the whole file, 64 lower case hex digits; the webui's "Model hash" is its first ten.

    Raises CheckpointError where the file cannot be read.
    """
    digest = hashlib.sha256()
    block = bytearray(1 << 20)
    view = memoryview(block)
    try:
        require_regular(path)
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(block):
                digest.update(view[:count])
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()


def short_hash(digest: str) -> str:
    """The ten digits of a sha256 that the webui shows."""
    return digest[:10]


def describe(header: Header) -> str:
    """Which model the file holds, as words after "it is": "an SDXL checkpoint", "a LoRA", ..."""
    shapes = header.shapes

    def has(*starts: str) -> bool:
        return any(name.startswith(starts) for name in shapes)

    inputs = (*shapes.get("model.diffusion_model.input_blocks.0.0.weight", ()), 0, 4)[1]
    inpaint = {4: "", 8: " for editing (8 input channels)", 9: " for inpainting (9 input channels)"}.get(
        inputs, f" with {inputs} input channels"
    )
    if has("lora_", "lycoris_") or any(".lora_" in name or ".hada_" in name or ".lokr_" in name for name in shapes):
        return "a LoRA"
    if has("control_model.", "controlnet_", "input_hint_block."):
        return "a ControlNet"
    if any("joint_blocks.0." in name for name in shapes):
        return "an SD3 checkpoint"
    if any("double_blocks.0." in name for name in shapes):
        return "a Flux checkpoint"
    if has("model.diffusion_model."):
        return _with_unet(has, inpaint)
    if has("down_blocks.", "conv_in.", "encoder.down_blocks."):
        return "one part of a model in diffusers' layout"
    if has("encoder.down.", "decoder.up.", "first_stage_model."):
        return "a VAE"
    if {"emb_params", "clip_g", "clip_l"} & shapes.keys():
        return "an embedding (textual inversion)"
    return "not a model that is known here"


def _with_unet(has: Callable[..., bool], inpaint: str) -> str:
    if has("conditioner.embedders.1.model.ln_final."):
        return f"an SDXL checkpoint{inpaint}"
    if has("conditioner.embedders.0.model."):
        return "an SDXL refiner"
    if has("cond_stage_model.transformer."):
        return f"an SD 1.x checkpoint{inpaint}"
    if has("cond_stage_model.model."):
        return f"an SD 2.x checkpoint{inpaint}"
    if has("model.diffusion_model.label_emb."):
        return "an SDXL UNet without text encoders"
    return "a UNet without text encoders"


def require_sdxl(header: Header) -> None:
    """Raise CheckpointError, naming what the file is, unless it is an SDXL checkpoint for txt2img."""
    if (found := describe(header)) != "an SDXL checkpoint":
        raise CheckpointError(f"{header.path.name} is {found}; expected a single-file SDXL checkpoint.")


def prediction(header: Header) -> str:
    """What the file's UNet predicts: "v" where a marker or the metadata says so, else "eps"."""
    said = header.metadata.get("modelspec.prediction_type")
    return "v" if "v_pred" in header.tensors or said == "v" else "eps"
