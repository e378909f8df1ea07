"""dlib's serialization, written: a small drawn network and shape predictor in the layout of the real files."""

from collections.abc import Mapping, Sequence
from math import frexp

import numpy as np

MEAN = (120.0, 110.0, 100.0)
SIDE = 43  # px, the least that two halvings leave something of
BLOCKS = ((4, False), (6, True), (6, False), (6, True))
OUTPUTS = 8

Weights = Mapping[str, np.ndarray]


def integer(value: int) -> bytes:
    size = max((abs(value).bit_length() + 7) // 8, 1)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def number(value: float) -> bytes:
    mantissa, power = frexp(value)
    return integer(int(mantissa * 2**24)) + integer(power - 24)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def sizes(version: int, *shape: int) -> bytes:
    return b"".join(map(integer, (version, *shape)))


def tensor(values: np.ndarray) -> bytes:
    """As one row of samples."""
    return sizes(2, values.size, 1, 1, 1) + values.astype("<f4").tobytes()


def layer(name: str, *kept: bytes, first: bool = False) -> bytes:
    empty = sizes(2, 0, 0, 0, 0)
    return text(name) + b"".join(kept) + b"110" + 3 * empty + (integer(1) if first else b"")


def integers(*values: int) -> list[bytes]:
    return [integer(value) for value in values]


def convolution(weight: np.ndarray, bias: np.ndarray, stride: int, padding: int, *, first: bool = False) -> bytes:
    count, _, side, _ = weight.shape
    window = integers(count, side, side, stride, stride, padding, padding)
    parts = [sizes(1, *weight.shape), sizes(1, 1, count, 1, 1)]
    rates = [number(1.0)] * 4
    weights = tensor(np.concatenate([weight.ravel(), bias]))
    return layer("con_4", weights, *window, *parts, *rates, first=first)


def affine(gamma: np.ndarray, beta: np.ndarray) -> bytes:
    part = sizes(1, 1, len(gamma), 1, 1)
    return layer("affine_", tensor(np.concatenate([gamma, beta])), part, part, integer(0))


def drawn_weights(seed: int = 0, blocks: Sequence[tuple[int, bool]] = BLOCKS) -> dict[str, np.ndarray]:
    """float32 weights by name: `.weight` and `.bias` of convolutions, `.gamma` and `.beta` behind each."""
    draw, found, inputs = np.random.RandomState(seed), {}, 4

    def add(name: str, count: int, inputs: int, side: int) -> None:
        spread = (inputs * side * side) ** -0.5
        found[f"{name}.weight"] = (spread * draw.standard_normal((count, inputs, side, side))).astype(np.float32)
        for part, middle in (("bias", 0), ("gamma", 1), ("beta", 0)):
            found[f"{name}.{part}"] = (middle + 0.2 * draw.standard_normal(count)).astype(np.float32)

    add("stem", 4, 3, 7)
    for i, (width, _) in enumerate(blocks):
        add(f"{i}.first", width, inputs, 3)
        add(f"{i}.second", width, width, 3)
        inputs = width
    found["output"] = draw.standard_normal((inputs, OUTPUTS)).astype(np.float32)
    return found


def network(weights: Weights, blocks: Sequence[tuple[int, bool]] = BLOCKS) -> bytes:
    """The file of such a network."""

    def pair(name: str, stride: int, padding: int, *, first: bool = False) -> list[bytes]:
        parts = (weights[f"{name}.{part}"] for part in ("weight", "bias", "gamma", "beta"))
        weight, bias, gamma, beta = parts
        return [convolution(weight, bias, stride, padding, first=first), affine(gamma, beta)]

    relu = layer("relu_")
    layers = [*pair("stem", 2, 0, first=True), relu, layer("max_pool_2", *integers(3, 3, 2, 2, 0, 0))]
    levels = [3, 2, 2, 2]
    for i, (_, halves) in enumerate(blocks):
        layers += [*pair(f"{i}.first", 2 if halves else 1, 0 if halves else 1), relu, *pair(f"{i}.second", 1, 1)]
        layers += [layer("avg_pool_2", *integers(2, 2, 2, 2, 0, 0))] if halves else []
        layers += [layer("add_prev_"), relu]
        levels += [1, 2, 2, 2, 2, 2, *([1, 1, 2] if halves else []), 2, 2]
    layers.append(layer("avg_pool_2", *integers(0, 0, 1, 1, 0, 0)))
    output = weights["output"]
    nothing = sizes(1, 0, 0, 0, 0)
    parts = [sizes(1, *output.shape, 1, 1), nothing, integer(1), *[number(1.0)] * 4]
    layers.append(layer("fc_2", *integers(output.shape[1], output.shape[0]), tensor(output.ravel()), *parts))
    levels += [2, 2]
    head = integer(1) + text("loss_metric_2") + number(0.04) + number(0.6)
    seen = text("input_rgb_image_sized") + b"".join(map(number, MEAN)) + integer(SIDE) + integer(SIDE)
    return head + b"".join(map(integer, reversed(levels))) + seen + b"".join(layers)


def drawn_predictor(seed: int = 0, *, points: int = 5, stages: int = 3, trees: int = 7, depth: int = 3) -> dict:
    """A drawn shape predictor, its parts by name; of each stage one entry."""
    draw, pixels, splits = np.random.RandomState(seed), 20, 2**depth - 1
    return {
        "mean": draw.uniform(0.2, 0.8, 2 * points).astype(np.float32),
        "anchors": draw.randint(0, points, (stages, pixels)),
        "offsets": draw.uniform(-0.3, 0.3, (stages, pixels, 2)).astype(np.float32),
        "pairs": draw.randint(0, pixels, (stages, trees, splits, 2)),
        "thresholds": draw.uniform(-60, 60, (stages, trees, splits)).astype(np.float32),
        "leaves": draw.uniform(-0.02, 0.02, (stages, trees, splits + 1, 2 * points)).astype(np.float32),
    }


def predictor(parts: dict) -> bytes:
    """The file of such a predictor."""

    def column(values: np.ndarray) -> bytes:
        return integer(-len(values)) + integer(-1) + b"".join(number(float(value)) for value in values)

    def tree(pairs: np.ndarray, thresholds: np.ndarray, leaves: np.ndarray) -> bytes:
        splits = [integer(int(a)) + integer(int(b)) + number(float(t)) for (a, b), t in zip(pairs, thresholds)]  # noqa: B905
        return b"".join([integer(len(splits)), *splits, integer(len(leaves)), *map(column, leaves)])

    stages, trees = parts["pairs"].shape[:2]
    file = [integer(1), column(parts["mean"]), integer(stages)]
    for i in range(stages):
        each = zip(parts["pairs"][i], parts["thresholds"][i], parts["leaves"][i], strict=True)
        file += [integer(trees), *(tree(*one) for one in each)]
    file.append(integer(stages))
    for anchors in parts["anchors"]:
        file += [integer(len(anchors)), *(integer(int(anchor)) for anchor in anchors)]
    file.append(integer(stages))
    for offsets in parts["offsets"]:
        file += [integer(len(offsets)), *(number(float(value)) for value in offsets.ravel())]
    return b"".join(file)
