"""The shapes of a detector file are only claims: no memory is taken that its tensors do not fill."""

import pytest
import torch

from ohwx_compare.errors import DetectorError
from ohwx_compare.models.yolov8 import YOLOv8, fold_batch_norm

WIDE = [f"model.{i}.conv.weight" for i in (0, 1, 3, 5, 7)] + [f"model.22.{head}.0.2.weight" for head in ("cv2", "cv3")]


def test_wide_shapes_of_empty_tensors_are_refused():
    width = 1_000_000
    state = {name: torch.empty((width, 0)) if "conv" in name else torch.empty((0, width)) for name in WIDE}
    with pytest.raises(DetectorError, match="far larger than any model's"):
        YOLOv8.load(state)


def test_a_batch_norm_is_not_spread_over_a_weight_of_another_shape():
    parts = {f"a.bn.{part}": torch.ones(1_000) for part in ("weight", "bias", "running_mean", "running_var")}
    with pytest.raises(DetectorError, match="differ in shape"):
        fold_batch_norm({"a.conv.weight": torch.ones(1, 1_000, 1, 1), **parts})
