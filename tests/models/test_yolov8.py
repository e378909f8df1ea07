import dataclasses

import pytest
import torch
from torch import nn

from ohwx_compare.errors import DetectorError
from ohwx_compare.models.yolov8 import STRIDES, YOLOv8, YOLOv8Config, decode_boxes, fold_batch_norm

NANO = YOLOv8Config(
    widths=(4, 8, 16, 32, 32), depths=(1, 2, 2, 1, 1, 1, 1, 1), classes=2, bins=16, box_width=8, class_width=8
)
MASKED = YOLOv8Config(
    **{**vars(NANO), "depths": (1, 1, 3, 1, 2, 1, 1, 1), "masks": 3, "mask_width": 5, "prototype_width": 7}
)


def unfolded(state):
    """The state dict as a training saves it: a batch norm beside each convolution that has one."""
    saved = {}
    for key, value in state.items():
        if key.endswith(".conv.bias"):
            stem, n = key.removesuffix("conv.bias"), len(value)
            saved |= {stem + "bn.weight": torch.rand(n) + 0.5, stem + "bn.bias": value.clone()}
            saved |= {stem + "bn.running_mean": torch.randn(n), stem + "bn.running_var": torch.rand(n) + 0.1}
            saved[stem + "bn.num_batches_tracked"] = torch.tensor(3)
        else:
            saved[key] = value.clone()
    return saved | {"model.22.dfl.conv.weight": torch.arange(16.0).view(1, 16, 1, 1)}


@pytest.mark.parametrize("config", [NANO, MASKED])
def test_shapes_are_read_back_from_the_weights(config):
    saved = unfolded(YOLOv8(config).state_dict())
    assert YOLOv8Config.of(saved) == config
    output = YOLOv8.load({key: value.half() for key, value in saved.items()})(torch.rand(2, 3, 64, 96))
    cells = sum(64 // stride * 96 // stride for stride in STRIDES)
    assert output.distances.shape == (2, cells, 64)
    assert output.scores.shape == (2, cells, 2)
    assert output.distances.dtype == torch.float32
    if config.masks:
        assert output.coefficients.shape == (2, cells, 3)
        assert output.prototypes.shape == (2, 3, 16, 24)


@pytest.mark.parametrize("bias", [False, True])
def test_folding_changes_nothing(bias):
    conv, bn = nn.Conv2d(3, 5, 3, bias=bias), nn.BatchNorm2d(5, eps=1e-3)
    nn.init.normal_(bn.weight)
    nn.init.normal_(bn.bias)
    bn.running_mean.normal_()
    bn.running_var.uniform_(0.1, 2)
    both = nn.ModuleDict({"conv": conv, "bn": bn}).eval()
    folded = fold_batch_norm({"x." + key: value for key, value in both.state_dict().items()})
    assert set(folded) == {"x.conv.weight", "x.conv.bias"}
    x = torch.randn(1, 3, 8, 8)
    expected = bn(conv(x))
    torch.testing.assert_close(torch.conv2d(x, folded["x.conv.weight"], folded["x.conv.bias"]), expected)


def test_what_is_missing_or_left_over_is_named():
    state = YOLOv8(NANO).state_dict()
    with pytest.raises(DetectorError, match=r"model\.9\.cv1"):
        YOLOv8.load({key: value for key, value in state.items() if "model.9.cv1" not in key})
    with pytest.raises(DetectorError, match=r"model\.23"):
        YOLOv8.load(state | {"model.23.cv9.weight": torch.zeros(1)})
    with pytest.raises(DetectorError, match=r"model\.4\.cv2"):
        YOLOv8.load(state | {"model.4.cv2.conv.weight": torch.zeros(1, 2, 3, 3)})
    with pytest.raises(DetectorError, match=r"not laid out as YOLOv8"):
        YOLOv8.load({"conv1.weight": torch.zeros(1)})


def test_a_certain_distance_is_that_many_cells():
    """A worked example: cell 5 of a 64x32 letterbox is (5, 0) at stride 8, so its centre is (44, 4)."""
    logits = torch.full((1, 4, 16), -100.0)
    for side, cells in enumerate((1, 0, 2, 3)):
        logits[0, side, cells] = 100.0
    boxes = decode_boxes(logits.flatten(1), torch.tensor([5]), (64, 32))
    assert boxes.tolist() == [[44 - 8, 4, 44 + 16, 4 + 24]]


def test_an_even_distribution_is_half_the_range_at_every_stride():
    cells = torch.tensor([0, 32, 40])  # the first cell of each stride
    boxes = decode_boxes(torch.zeros(3, 64), cells, (64, 32))
    torch.testing.assert_close(boxes[:, 2] - boxes[:, 0], torch.tensor([15.0 * s for s in STRIDES]))


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(YOLOv8Config)])
def test_a_layout_far_larger_than_any_models_is_refused_before_it_is_built(field):
    """A thin layer of a million channels is a small file whose answers take gigabytes."""
    small = YOLOv8Config(
        widths=(8, 8, 8, 8, 8), depths=(1,) * 8, classes=1, bins=2, box_width=8, class_width=8,
        masks=4, mask_width=8, prototype_width=8,
    )  # fmt: skip
    with torch.device("meta"):
        state = YOLOv8(small).state_dict()
        if field == "depths":
            one = torch.empty(1)
            state |= {f"model.{layer}.m.{n}.cv1.conv.weight": one for layer in (2, 4, 6, 8) for n in range(9_000)}
        else:
            value = getattr(small, field)
            grown = tuple(n * 3_000 for n in value) if isinstance(value, tuple) else value * 3_000
            state = YOLOv8(dataclasses.replace(small, **{field: grown})).state_dict()
    with pytest.raises(DetectorError, match=f"its {field}.* far larger than any model's"):
        YOLOv8.load(state)
