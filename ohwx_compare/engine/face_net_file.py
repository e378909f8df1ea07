"""dlib's face recognition network, read from its `.dat`.

The file is the network's type, written from the loss inwards, then its layers from the picture outwards. Source: the
`serialize` functions in dlib/dnn of https://github.com/davisking/dlib/tree/v19.24.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ohwx_compare.engine.dlib_stream import DlibStream, read_dlib
from ohwx_compare.errors import MeasureError
from ohwx_compare.models.face import FaceNet, FaceNetConfig

__all__ = ["read_face_net"]

_KINDS = {  # name in the file: the letter that stands for it, and what it keeps: a tensor, integers, sizes, numbers
    "con_4": ("c", "tiiiiiiissnnnn"),
    "affine_": ("a", "tssi"),
    "relu_": ("r", ""),
    "max_pool_2": ("m", "iiiiii"),
    "avg_pool_2": ("p", "iiiiii"),
    "add_prev_": ("+", ""),
    "fc_2": ("f", "iitssinnnn"),
}
_NET = re.compile(r"carm(?:carcap?\+r)+pf")  # stem; blocks, those with a mean halve; the mean of all, output
_BLOCK = re.compile(r"carca(p?)\+r")
Mean = tuple[float, float, float]  # red, green, blue

_MOST_NESTED = 1000  # the real one has 130
_MAX_POOL, _MEAN_OF_FOUR, _MEAN_OF_ALL = [3, 3, 2, 2, 0, 0], [2, 2, 2, 2, 0, 0], [0, 0, 1, 1, 0, 0]


@dataclass(frozen=True, eq=False)
class _Layer:
    letter: str
    tensors: list[np.ndarray] = field(default_factory=list)  # all weights in a row
    integers: list[int] = field(default_factory=list)  # of a convolution its channels, window, stride, padding (y, x)
    sizes: list[tuple[int, int, int, int]] = field(default_factory=list)  # of the weights' parts


def read_face_net(path: Path) -> FaceNet:
    """The network in a `.dat` of dlib's, in evaluation mode on the CPU, the affine layers folded in.

    Any number and width of blocks. Raises MeasureError saying what is wrong with the file.
    """
    stream = DlibStream(read_dlib(path), path.name)
    _expect(stream, (stream.integer(), stream.text()), (1, "loss_metric_2"), "the loss")
    stream.number(), stream.number()  # its margin and threshold
    count = _count(stream)
    _expect(stream, stream.text(), "input_rgb_image_sized", "the input")
    mean = stream.number(), stream.number(), stream.number()
    side = stream.integer()
    _expect(stream, stream.integer(), side, "the columns of a square")
    layers = list(_layers(stream, count))
    stream.end()
    letters = "".join(layer.letter for layer in layers)
    if not _NET.fullmatch(letters):
        raise stream.wrong("another order of layers than dlib's face recognition network")
    return _network(stream, layers, letters, (side, mean))


def _count(stream: DlibStream) -> int:
    """How many layers there are: the type's levels down to the first layer's, which is of version 3; 1 is a tag's."""
    versions: list[int] = []
    while 3 not in versions[-1:]:
        versions.append(stream.integer())
        if versions[-1] not in (1, 2, 3) or len(versions) > _MOST_NESTED:
            raise stream.wrong(f"level {len(versions)} of version {versions[-1]}, expected 1 to 3")
    return len(versions) - versions.count(1)


def _layers(stream: DlibStream, count: int) -> Iterator[_Layer]:
    for number in range(count):
        name = stream.text()
        if name not in _KINDS:
            raise stream.wrong(f"a layer {name!r}, expected one of {', '.join(_KINDS)}")
        letter, keeps = _KINDS[name]
        layer = _Layer(letter)
        for what in keeps:
            if what == "t":
                layer.tensors.append(stream.tensor())
            elif what == "i":
                layer.integers.append(stream.integer())
            elif what == "s":
                layer.sizes.append(stream.sizes(1))
            else:
                stream.number()
        for _ in range(3):
            stream.flag()
        for _ in range(3):
            stream.tensor()  # of training; empty
        if number == 0:
            stream.integer()
        yield layer


def _network(stream: DlibStream, layers: Sequence[_Layer], letters: str, seen: tuple[int, Mean]) -> FaceNet:
    """The layers as a FaceNet; `letters` are theirs, `seen` is the input's side and mean."""
    found = list(_BLOCK.finditer(letters, 4))
    state = _folded(stream, "stem", layers[0:2], (7, 2, 0))
    _expect(stream, layers[3].integers, _MAX_POOL, "the window, stride and padding of the maximum")
    for i, block in enumerate(found):
        at, halves = block.start(), bool(block[1])
        state |= _folded(stream, f"blocks.{i}.first", layers[at : at + 2], (3, 2, 0) if halves else (3, 1, 1))
        state |= _folded(stream, f"blocks.{i}.second", layers[at + 3 : at + 5], (3, 1, 1))
        if halves:
            _expect(stream, layers[at + 5].integers, _MEAN_OF_FOUR, "the window, stride and padding of a mean")
    _expect(stream, layers[-2].integers, _MEAN_OF_ALL, "the window, stride and padding of the last mean")
    (weights,) = _parts(stream, layers[-1])[:1]
    state["output.weight"] = torch.from_numpy(weights[:, :, 0, 0].T.copy())
    widths = [len(state[f"blocks.{i}.second.bias"]) for i in range(len(found))]
    config = FaceNetConfig(
        stem=len(state["stem.bias"]),
        blocks=tuple((width, bool(block[1])) for width, block in zip(widths, found, strict=True)),
        outputs=len(state["output.weight"]),
        side=seen[0],
        mean=seen[1],
    )
    try:
        return FaceNet.load(config, state)
    except RuntimeError as error:
        raise MeasureError(f"{stream.name} holds layers that do not fit each other: {error}.") from error


def _folded(stream: DlibStream, name: str, pair: Sequence[_Layer], window: tuple[int, int, int]) -> dict[str, Tensor]:
    """A convolution and the affine layer behind it as one convolution's weight and bias, folded in float64.

    gamma * (w x + b) + beta = (gamma * w) x + (gamma * b + beta)
    """
    convolution, affine = pair
    filters, biases = _parts(stream, convolution)
    gammas, betas = _parts(stream, affine)
    count = len(filters)
    expected = [count, *(side for size in window for side in (size, size))]
    _expect(stream, convolution.integers, expected, "the channels, window, stride and padding of a convolution")
    _expect(stream, [part.size for part in (biases, gammas, betas)], [count] * 3, "the channels behind a convolution")
    scale = gammas.reshape(-1).astype(np.float64)
    weight = filters * scale.reshape(-1, 1, 1, 1)
    bias = biases.reshape(-1) * scale + betas.reshape(-1)
    return {f"{name}.weight": torch.from_numpy(weight).float(), f"{name}.bias": torch.from_numpy(bias).float()}


def _parts(stream: DlibStream, layer: _Layer) -> list[np.ndarray]:
    """The weights of a layer in its parts, each in its sizes."""
    lengths = [prod(size) for size in layer.sizes]
    weights = layer.tensors[0].reshape(-1)
    _expect(stream, weights.size, sum(lengths), "the count of a layer's weights")
    pieces = np.split(weights, np.cumsum(lengths)[:-1])
    return [piece.reshape(size) for piece, size in zip(pieces, layer.sizes, strict=True)]


def _expect(stream: DlibStream, found: object, expected: object, what: str) -> None:
    if found != expected:
        raise stream.wrong(f"{found} for {what}, expected {expected}")
