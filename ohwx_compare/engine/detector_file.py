"""Detector weights in and out: ultralytics' `.pt`, or safetensors with the same tensor names."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ohwx_compare.engine.unpickle import Record, read_pt
from ohwx_compare.errors import CheckpointError, DetectorError
from ohwx_compare.files.atomic import write_bytes
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import counted

__all__ = ["DetectorFile", "read_detector", "write_detector"]

_MOST_PARTS = 100_000  # modules and tensors; YOLOv8x has some 1,500
_LONGEST_NAME = 1_000
_MOST_LETTERS = 10_000_000  # of all names
_NUMBERS = 1  # of all tensors, in bytes of the file: real ones take two bytes each or four
_MOST_CLASSES = 10_000
_MOST_ABOUT = 1_000_000  # characters of what a safetensors file says beside its tensors
_HEADS = {"DetectionModel": "detect", "SegmentationModel": "segment"}


@dataclass(frozen=True, kw_only=True)
class DetectorFile:
    """The weights of one detector and what must be known beside them."""

    state: dict[str, Tensor]  # ultralytics' names, "model.0.conv.weight", in the file's dtypes
    names: tuple[str, ...]  # of the classes
    task: str  # "detect" or "segment"
    size: int = 640  # px, the longest side the pictures are scaled to

    def __post_init__(self) -> None:
        if self.task not in _HEADS.values():
            raise DetectorError(f"The detector's task is {self.task!r}, expected 'detect' or 'segment'.")
        if not 32 <= self.size <= 4096:
            raise DetectorError(f"The detector's picture size is {self.size} px, expected 32 to 4096.")


def read_detector(path: Path) -> DetectorFile:
    """The detector in a `.pt` or `.safetensors`. Raises DetectorError, which says what is wrong with the file."""
    return _from_safetensors(path) if path.suffix == ".safetensors" else _from_pt(path)


def write_detector(path: Path, detector: DetectorFile) -> None:
    """Save as safetensors; a file that is already there is replaced in one step."""
    about = {"names": detector.names, "task": detector.task, "imgsz": detector.size}
    # One entry: safetensors writes several in a different order each time, and the file's hash must not change.
    metadata = {"detector": json.dumps(about, ensure_ascii=False)}
    write_bytes(path, save({key: value.contiguous() for key, value in detector.state.items()}, metadata))


def _from_safetensors(path: Path) -> DetectorFile:
    try:
        about = _about(path)
        with safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  no iterator
        return DetectorFile(
            state=state,
            names=_names(about.get("names")),
            task=about.get("task", "segment" if "model.22.proto.cv1.conv.weight" in state else "detect"),
            size=_size(about),
        )
    except CheckpointError as error:
        raise DetectorError(f"The detector {error}") from error
    except (ArithmeticError, AttributeError, OSError, RecursionError, SafetensorError, TypeError, ValueError) as error:
        raise DetectorError(f"{path} is not a readable safetensors detector: {error}.") from error


def _about(path: Path) -> dict[str, Any]:
    """What a safetensors file says beside its tensors. Raises CheckpointError, ValueError."""
    said = read_header(path).metadata.get("detector", "{}")
    if len(said) > _MOST_ABOUT:
        raise ValueError(f"it says {counted(len(said), 'character')} about itself, expected at most {_MOST_ABOUT:,}")
    about: dict[str, Any] = decode_json(said)
    return about


def _from_pt(path: Path) -> DetectorFile:
    checkpoint = read_pt(path)
    if not isinstance(checkpoint, dict) or not ("ema" in checkpoint or "model" in checkpoint):
        raise DetectorError(f"{path.name} is a .pt without a model; expected a file that ultralytics saved.")
    ema = checkpoint.get("ema")
    model = ema if isinstance(ema, Record) else checkpoint.get("model")
    kind = model.kind if isinstance(model, Record) else type(model).__name__
    task = _HEADS.get(kind.rpartition(".")[2])
    if task is None or not isinstance(model, Record):
        raise DetectorError(f"{path.name} holds a {kind:.200}; expected YOLOv8's {' or '.join(_HEADS)}.")
    try:
        return DetectorFile(
            state=_bounded(dict(_tensors(model)), path),
            names=_names(model.state.get("names")),
            task=task,
            size=_size(checkpoint.get("train_args")),
        )
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DetectorError(
            f"{path.name} holds a {kind:.200} that differs from what ultralytics saves: {error}. Choose another file."
        ) from error


def _tensors(model: Record) -> Iterator[tuple[str, Tensor]]:
    """A module's state dict, as torch.nn.Module would give it.

    Raises ValueError where modules hold one another so often that a small file would never end.
    """
    waiting, left = [("", model)], _MOST_PARTS
    while waiting:
        prefix, module = waiting.pop()
        left -= sum(len(module.state[group]) for group in ("_parameters", "_buffers", "_modules"))
        if left < 0 or len(prefix) > _LONGEST_NAME:
            raise ValueError(f"more than {_MOST_PARTS:,} modules and tensors, or names over {_LONGEST_NAME:,} letters")
        for group in ("_parameters", "_buffers"):
            for name, value in module.state[group].items():
                if len(str(name)) > _LONGEST_NAME:
                    raise ValueError(f"names over {_LONGEST_NAME:,} letters")
                if isinstance(value, Tensor):
                    yield prefix + name, value
        waiting += reversed([(f"{prefix}{name}.", child) for name, child in module.state["_modules"].items()])


def _bounded(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """`state`, unless its modules share so few tensors so often that in float32 they would outgrow the file."""
    numbers = sum(tensor.numel() for tensor in state.values())
    if numbers > _NUMBERS * path.stat().st_size or sum(map(len, state)) > _MOST_LETTERS:
        held = f"{counted(len(state), 'tensor')} of {counted(numbers, 'number')}"
        raise ValueError(f"{held} in a file of {path.stat().st_size:,} bytes")
    return state


def _names(names: Any) -> tuple[str, ...]:
    names = tuple(names.values() if isinstance(names, dict) else names or ())
    if not all(isinstance(name, str | int) for name in names):
        raise TypeError("class names that are not text")
    names = tuple(map(str, names[: _MOST_CLASSES + 1]))
    if len(names) > _MOST_CLASSES or max(map(len, names), default=0) > _LONGEST_NAME:
        raise ValueError(f"over {_MOST_CLASSES:,} class names, or one over {_LONGEST_NAME:,} letters")
    return names


def _size(arguments: Any) -> int:
    """The picture size of training, as ultralytics remembers it for prediction; up to the next multiple of 32."""
    size = arguments.get("imgsz", 640) if isinstance(arguments, dict) else 640
    sides = size if isinstance(size, list | tuple) else (size,)
    if not all(isinstance(side, int | float) for side in sides):
        raise TypeError("a picture size that is not a number")
    return -(-int(max(sides)) // 32) * 32
