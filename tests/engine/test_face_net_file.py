"""A drawn network, read from dlib's format and run, against plain loops over its weights."""

import dlib_writer as write
import numpy as np
import pytest
import torch

from ohwx_compare.engine.face_net_file import read_face_net
from ohwx_compare.errors import MeasureError


def convolved(x, weight, bias, stride, padding):
    """(C, H, W) as a sum over every window, float64."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    side = weight.shape[2]
    rows, columns = ((length - side) // stride + 1 for length in x.shape[1:])
    out = np.zeros((len(weight), rows, columns))
    for r in range(rows):
        for c in range(columns):
            window = x[:, r * stride : r * stride + side, c * stride : c * stride + side]
            out[:, r, c] = (weight * window).sum((1, 2, 3)) + bias
    return out


def pooled(x, side, stride, of):
    rows, columns = ((length - side) // stride + 1 for length in x.shape[1:])
    windows = [
        [of(x[:, r * stride :, c * stride :][:, :side, :side].reshape(len(x), -1), 1) for c in range(columns)]
        for r in range(rows)
    ]
    return np.array(windows).transpose(2, 0, 1)


def added(x, y):
    """Both laid into zeros that are as large as the larger one on every axis."""
    out = np.zeros([max(sides) for sides in zip(x.shape, y.shape, strict=True)])
    for part in (x, y):
        out[tuple(slice(side) for side in part.shape)] += part
    return out


def reference(weights, pixels):
    """The network by the book: `pixels` (side, side, 3) to (outputs,), affine layers apart."""

    def layer(x, name, stride, padding):
        y = convolved(x, weights[f"{name}.weight"].astype(float), weights[f"{name}.bias"], stride, padding)
        return y * weights[f"{name}.gamma"][:, None, None] + weights[f"{name}.beta"][:, None, None]

    x = (pixels.astype(float) - write.MEAN).transpose(2, 0, 1) / 256
    x = pooled(np.maximum(layer(x, "stem", 2, 0), 0), 3, 2, np.max)
    for i, (_, halves) in enumerate(write.BLOCKS):
        y = np.maximum(layer(x, f"{i}.first", 2 if halves else 1, 0 if halves else 1), 0)
        y = layer(y, f"{i}.second", 1, 1)
        x = np.maximum(added(y, pooled(x, 2, 2, np.mean) if halves else x), 0)
    return x.mean((1, 2)) @ weights["output"]


@pytest.fixture
def saved(tmp_path):
    def save(data: bytes):
        path = tmp_path / "drawn.dat"
        path.write_bytes(data)
        return path

    return save


def test_a_drawn_network_answers_as_the_book_says(saved):
    weights = write.drawn_weights()
    network = read_face_net(saved(write.network(weights)))
    assert network.config.blocks == write.BLOCKS
    assert (network.config.side, network.config.outputs) == (write.SIDE, write.OUTPUTS)
    pixels = np.random.RandomState(1).randint(0, 256, (2, write.SIDE, write.SIDE, 3)).astype(np.uint8)
    with torch.inference_mode():
        found = network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()).numpy()
    np.testing.assert_allclose(found, [reference(weights, one) for one in pixels], atol=1e-5)


def test_every_cut_is_refused_in_a_sentence(saved):
    whole = write.network(write.drawn_weights())
    for length in [*range(0, 400, 7), *range(400, len(whole), 997)]:
        with pytest.raises(MeasureError, match=r"^drawn\.dat .*\.$"):
            read_face_net(saved(whole[:length]))


def test_every_changed_byte_is_an_answer_or_a_sentence(saved):
    """A stranger's file costs no crash and no memory beyond its size."""
    whole = write.network(write.drawn_weights())
    draw = np.random.RandomState(0)
    for _ in range(300):
        data = bytearray(whole)
        data[draw.randint(0, len(whole) if draw.rand() < 0.5 else 300)] = draw.randint(0, 256)
        try:
            read_face_net(saved(bytes(data)))
        except MeasureError as error:
            assert len(str(error)) < 2000  # noqa: PT017  some changes are weights


@pytest.mark.parametrize(
    ("part", "other", "word"),
    [
        (b"loss_metric_2", b"loss_metric_9", "the loss"),
        (b"affine_", b"bn_con2", "a layer 'bn_con2'"),
        (write.text("add_prev_"), write.text("relu_"), "another order of layers"),
        (
            write.layer("max_pool_2", *write.integers(3, 3, 2, 2, 0, 0)),
            write.layer("max_pool_2", *write.integers(3, 3, 2, 2, 1, 1)),
            "the window, stride and padding of the maximum",
        ),
    ],
)
def test_another_network_is_refused_by_name(saved, part, other, word):
    data = write.network(write.drawn_weights())
    assert part in data
    with pytest.raises(MeasureError, match=word):
        read_face_net(saved(data.replace(part, other, 1)))


def test_layers_that_do_not_fit_each_other_are_refused(saved):
    weights = write.drawn_weights()
    weights["1.first.weight"] = np.zeros((6, 5, 3, 3), np.float32)  # the block before has 4 channels
    with pytest.raises(MeasureError, match="do not fit each other"):
        read_face_net(saved(write.network(weights)))
