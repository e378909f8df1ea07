"""Writes a YOLOv8 as the `.pt` that ultralytics saves and loads, without ultralytics at hand.

Such a file is a pickle of module objects. Their classes are stood in for by empty ones of the same names, only while
the file is written. Layout: ultralytics 8.3.75, `nn/tasks.py`, `nn/modules/head.py`; 8.1 and later load it.
"""

import copy
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ohwx_compare.models.yolov8 import SPPF, STRIDES, Bottleneck, C2f, Head, YOLOv8

__all__ = ["save_pt"]

_CLASSES = {
    "ultralytics.nn.tasks": ("DetectionModel",),
    "ultralytics.nn.modules.conv": ("Conv", "Concat"),
    "ultralytics.nn.modules.block": ("C2f", "Bottleneck", "SPPF", "DFL"),
    "ultralytics.nn.modules.head": ("Detect",),
}
_JOINS = {11: [-1, 6], 14: [-1, 4], 17: [-1, 12], 20: [-1, 9]}  # where the neck puts two maps together
_NAMES = {name: name for name in ("Bottleneck", "C2f", "SPPF")} | {"BatchNormed": "Conv", "Head": "Detect"}


def save_pt(path: Path, network: YOLOv8, names: tuple[str, ...], size: int = 640) -> None:
    """Write `network`, which has batch norms and one head of boxes, float16. `size`: px, of its training."""
    with _stand_ins() as classes:
        model = _model(network, classes)
        model.names, model.yaml = dict(enumerate(names)), {"nc": len(names), "ch": 3}
        model.args = {"imgsz": size, "task": "detect", "model": "yolov8.yaml"}
        model = model.half().eval().requires_grad_(False).to(memory_format=torch.contiguous_format)
        content = {"model": model, "epoch": -1, "ema": None, "updates": None, "optimizer": None, "date": ""}
        torch.save({**content, "train_args": model.args, "version": "8.3.75"}, path)


@contextmanager
def _stand_ins() -> Iterator[dict[str, type[nn.Module]]]:
    """Empty classes under ultralytics' names, found by pickle."""
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "ultralytics"}
    for name in kept:
        del sys.modules[name]
    classes = {}
    try:
        for where, names in _CLASSES.items():
            for i in range(1, where.count(".") + 2):
                part = ".".join(where.split(".")[:i])
                sys.modules.setdefault(part, types.ModuleType(part))
            for name in names:
                classes[name] = type(name, (nn.Module,), {"__module__": where})
                setattr(sys.modules[where], name, classes[name])
        yield classes
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "ultralytics"]:
            del sys.modules[name]
        sys.modules.update(kept)


def _model(network: YOLOv8, classes: dict[str, type[nn.Module]]) -> nn.Module:
    layers = []
    for i in range(23):
        if str(i) in network.model:
            layer = _renamed(copy.deepcopy(network.model[str(i)]), classes)
        elif i in _JOINS:
            layer = classes["Concat"]()
            layer.d = 1
        else:
            layer = nn.Upsample(scale_factor=2.0, mode="nearest")
        layer.i, layer.f = i, {**_JOINS, 22: [15, 18, 21]}.get(i, -1)
        layer.type = f"{type(layer).__module__}.{type(layer).__name__}"
        layers.append(layer)
    model = classes["DetectionModel"]()
    model.model = nn.Sequential(*layers)
    model.save, model.inplace, model.end2end, model.task = [4, 6, 9, 12, 15, 18, 21], True, False, "detect"
    model.stride = torch.tensor(STRIDES, dtype=torch.float32)
    return model


def _renamed(layer: nn.Module, classes: dict[str, type[nn.Module]]) -> nn.Module:
    """The same modules under ultralytics' classes, with the attributes that those look for."""
    for module in list(layer.modules()):
        match module:
            case Bottleneck():
                module.add = module.shortcut
            case C2f():
                module.c = module.cv1.conv.out_channels // 2
            case SPPF():
                module.m = nn.MaxPool2d(5, 1, 2)
            case Head():
                _complete(module, classes)
        name = _NAMES.get(type(module).__name__)
        if name:
            module.__class__ = classes[name]
    return layer


def _complete(head: Head, classes: dict[str, type[nn.Module]]) -> None:
    bins = head.cv2[0][2].out_channels // 4
    head.nc, head.nl, head.reg_max = head.cv3[0][2].out_channels, len(STRIDES), bins
    head.no, head.stride = head.nc + 4 * bins, torch.tensor(STRIDES, dtype=torch.float32)
    head.dfl = classes["DFL"]()
    head.dfl.c1, head.dfl.conv = bins, nn.Conv2d(bins, 1, 1, bias=False)
    head.dfl.conv.weight.data = torch.arange(bins, dtype=torch.float32).view(1, bins, 1, 1)
