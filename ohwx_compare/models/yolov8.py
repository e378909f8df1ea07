"""YOLOv8: a picture in, boxes (and masks) of everything it knows out.

Backbone of five strides, a neck that goes up and down again, one head at strides 8, 16 and 32. Parameter names are
ultralytics' (`model.0.conv.weight`) with batch norm folded into the convolutions; scales n to x differ in shapes only.
Layout: ultralytics 8.3.75, `cfg/models/v8/yolov8.yaml` and `yolov8-seg.yaml`. Box head: Distribution Focal Loss,
Li et al. 2020, arXiv:2006.04388. Masks: YOLACT, Bolya et al. 2019, arXiv:1904.02689.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ohwx_compare.errors import DetectorError
from ohwx_compare.models.unfilled import unfilled
from ohwx_compare.words import counted, quoted

__all__ = ["STRIDES", "YOLOv8", "YOLOv8Config", "YOLOv8Output", "cell_grid", "decode_boxes", "fold_batch_norm"]

STRIDES = (8, 16, 32)  # px of the letterbox per cell of each head
_BATCH_NORM_EPS = 1e-3  # ultralytics sets it on every batch norm of the model


@dataclass(frozen=True, kw_only=True)
class YOLOv8Config:
    """The shapes of one file. Channels unless said otherwise."""

    widths: tuple[int, int, int, int, int]  # after the stem and strides 4, 8, 16, 32
    depths: tuple[int, ...]  # bottlenecks of the eight C2f blocks, in order
    classes: int
    bins: int  # of the distribution over one side's distance
    box_width: int  # hidden, in the box head
    class_width: int
    masks: int = 0  # coefficients per box; 0: no segmentation head
    mask_width: int = 0
    prototype_width: int = 0

    @staticmethod
    def of(state: Mapping[str, Tensor]) -> "YOLOv8Config":
        """Read from the shapes of a state dict, folded or not. Raises DetectorError if it is not laid out as YOLOv8."""
        head = "model.22."
        try:
            masked = head + "cv4.0.2.weight" in state
            c1, c2, c3, c4, c5 = (len(state[f"model.{i}.conv.weight"]) for i in (0, 1, 3, 5, 7))
            return YOLOv8Config(
                widths=(c1, c2, c3, c4, c5),
                depths=tuple(_count(state, f"model.{i}.m.") for i in _C2F),
                classes=len(state[head + "cv3.0.2.weight"]),
                bins=len(state[head + "cv2.0.2.weight"]) // 4,
                box_width=state[head + "cv2.0.2.weight"].shape[1],
                class_width=state[head + "cv3.0.2.weight"].shape[1],
                masks=len(state[head + "cv4.0.2.weight"]) if masked else 0,
                mask_width=state[head + "cv4.0.2.weight"].shape[1] if masked else 0,
                prototype_width=len(state[head + "proto.cv1.conv.weight"]) if masked else 0,
            )
        except (KeyError, IndexError, TypeError) as error:
            raise DetectorError(
                f"not laid out as YOLOv8 with a box or segmentation head: {error} is missing"
            ) from error


_MOST = YOLOv8Config(  # twice YOLOv8x, and more classes: a thin layer of many channels costs memory beyond its weights
    widths=(160, 320, 640, 1280, 1280),
    depths=(12,) * 8,
    classes=2_000,
    bins=32,
    box_width=160,
    class_width=640,
    masks=64,
    mask_width=160,
    prototype_width=640,
)


def _beyond(config: YOLOv8Config) -> list[str]:
    """The fields in which `config` is larger than anybody's model."""

    def numbers(field: object) -> tuple[int, ...]:
        return field if isinstance(field, tuple) else (field,)

    return [
        name
        for name, most in vars(_MOST).items()
        if any(a > b for a, b in zip(numbers(getattr(config, name)), numbers(most), strict=True))
    ]


_C2F = (2, 4, 6, 8, 12, 15, 18, 21)


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)})


@dataclass(frozen=True)
class YOLOv8Output:
    """Raw answers for a batch; A cells of all strides, finest first, row by row."""

    distances: Tensor  # (B, A, 4 * bins) logits: left, top, right, bottom
    scores: Tensor  # (B, A, classes) logits
    coefficients: Tensor | None  # (B, A, masks)
    prototypes: Tensor | None  # (B, masks, H/4, W/4)


class _Conv2d(nn.Conv2d):
    def reset_parameters(self) -> None:
        """Do nothing: all weights come from a file, and random ones would take as long as reading them."""


class _ConvTranspose2d(nn.ConvTranspose2d):
    def reset_parameters(self) -> None:
        """The same."""


class Conv(nn.Module):
    """Convolution (its batch norm folded in) and SiLU. Keeps the size at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = _Conv2d(inputs, outputs, kernel, stride, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.conv(x), inplace=True)


class Bottleneck(nn.Module):
    """Two 3x3 convolutions, with or without the way around."""

    def __init__(self, width: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1 = Conv(width, width, 3)
        self.cv2 = Conv(width, width, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv2(self.cv1(x))
        return y.add_(x) if self.shortcut else y


class C2f(nn.Module):
    """Split in two, let one half pass the bottlenecks, join every stage."""

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool) -> None:
        super().__init__()
        half = outputs // 2
        self.cv1 = Conv(inputs, 2 * half)
        self.cv2 = Conv((2 + depth) * half, outputs)
        self.m = nn.ModuleList(Bottleneck(half, shortcut) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        stages = list(self.cv1(x).chunk(2, 1))
        for bottleneck in self.m:
            stages.append(bottleneck(stages[-1]))
        return self.cv2(torch.cat(stages, 1))


class SPPF(nn.Module):
    """Maxima over 5, 9 and 13 cells beside the value itself."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.cv1 = Conv(inputs, inputs // 2)
        self.cv2 = Conv(inputs // 2 * 4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        stages = [self.cv1(x)]
        for _ in range(3):
            stages.append(F.max_pool2d(stages[-1], 5, 1, 2))
        return self.cv2(torch.cat(stages, 1))


class Prototypes(nn.Module):
    """The masks of which every box's mask is a weighted sum, at stride 4."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.cv1 = Conv(inputs, width, 3)
        self.upsample = _ConvTranspose2d(width, width, 2, 2)
        self.cv2 = Conv(width, width, 3)
        self.cv3 = Conv(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(self.cv2(self.upsample(self.cv1(x))))


class Head(nn.Module):
    """Box, class and mask branches, one of each per stride."""

    def __init__(self, config: YOLOv8Config, inputs: tuple[int, int, int]) -> None:
        super().__init__()
        self.cv2 = _branches(inputs, config.box_width, 4 * config.bins)
        self.cv3 = _branches(inputs, config.class_width, config.classes)
        if config.masks:
            self.cv4 = _branches(inputs, config.mask_width, config.masks)
            self.proto = Prototypes(inputs[0], config.prototype_width, config.masks)
        self.masked = config.masks > 0

    def forward(self, features: list[Tensor]) -> YOLOv8Output:
        return YOLOv8Output(
            distances=_flat(self.cv2, features),
            scores=_flat(self.cv3, features),
            coefficients=_flat(self.cv4, features) if self.masked else None,
            prototypes=self.proto(features[0]) if self.masked else None,
        )


def _branches(inputs: tuple[int, int, int], width: int, outputs: int) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Sequential(Conv(channels, width, 3), Conv(width, width, 3), _Conv2d(width, outputs, 1))
        for channels in inputs
    )


def _flat(branches: nn.ModuleList, features: list[Tensor]) -> Tensor:
    """Channels last, as they lie in memory: (B, A, C)."""
    return torch.cat(
        [branch(x).permute(0, 2, 3, 1).flatten(1, 2) for branch, x in zip(branches, features, strict=True)], 1
    )


class YOLOv8(nn.Module):
    """The whole network. `x` (B, 3, H, W) RGB in 0..1, H and W multiples of 32 px, gives a YOLOv8Output."""

    def __init__(self, config: YOLOv8Config) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = config.widths
        d = config.depths
        self.config = config
        layers = {
            0: Conv(3, c1, 3, 2),
            1: Conv(c1, c2, 3, 2),
            2: C2f(c2, c2, d[0], shortcut=True),
            3: Conv(c2, c3, 3, 2),
            4: C2f(c3, c3, d[1], shortcut=True),
            5: Conv(c3, c4, 3, 2),
            6: C2f(c4, c4, d[2], shortcut=True),
            7: Conv(c4, c5, 3, 2),
            8: C2f(c5, c5, d[3], shortcut=True),
            9: SPPF(c5, c5),
            12: C2f(c5 + c4, c4, d[4], shortcut=False),
            15: C2f(c4 + c3, c3, d[5], shortcut=False),
            16: Conv(c3, c3, 3, 2),
            18: C2f(c3 + c4, c4, d[6], shortcut=False),
            19: Conv(c4, c4, 3, 2),
            21: C2f(c4 + c5, c5, d[7], shortcut=False),
            22: Head(config, (c3, c4, c5)),
        }
        self.model = nn.ModuleDict({str(index): layer for index, layer in layers.items()})

    def forward(self, x: Tensor) -> YOLOv8Output:
        def run(index: int, *inputs: Tensor) -> Tensor:
            return self.model[str(index)](torch.cat(inputs, 1) if len(inputs) > 1 else inputs[0])

        p3 = run(4, run(3, run(2, run(1, run(0, x)))))  # (B, c3, H/8, W/8)
        p4 = run(6, run(5, p3))  # (B, c4, H/16, W/16)
        p5 = run(9, run(8, run(7, p4)))  # (B, c5, H/32, W/32)
        up4 = run(12, _double(p5), p4)
        n3 = run(15, _double(up4), p3)
        n4 = run(18, run(16, n3), up4)
        n5 = run(21, run(19, n4), p5)
        return self.model["22"]([n3, n4, n5])

    @staticmethod
    def load(state: Mapping[str, Tensor]) -> "YOLOv8":
        """The network of a state dict under ultralytics' names, batch norm folded or not, any float dtype.

        Float32, in evaluation mode. Raises DetectorError listing what is missing or left over.
        """
        config = YOLOv8Config.of(state)
        if large := _beyond(config):
            raise DetectorError(f"not laid out as YOLOv8: its {' and '.join(large)} are far larger than any model's")
        with unfilled():  # the shapes may be a stranger's: memory is what the file's tensors take
            network = YOLOv8(config)
        folded = fold_batch_norm(state)
        own = network.state_dict()
        wrong = sorted(own.keys() ^ folded.keys())
        wrong += [key for key in own if key in folded and own[key].shape != folded[key].shape]
        if wrong:
            raise DetectorError(
                f"not laid out as YOLOv8: {counted(len(wrong), 'tensor')} missing, left over or misshapen: "
                f"{quoted(wrong[:5])}"
            )
        network.load_state_dict(folded, assign=True)
        return network.requires_grad_(False).eval()


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def fold_batch_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict with every `bn` folded into its `conv`, float32; the fixed tensor of the box head is left out.

    With scale = weight / sqrt(variance + eps): weight' = weight * scale, bias' = bias_bn + (bias - mean) * scale.
    Computed in float64, so that folding adds no error of its own. Raises DetectorError where shapes do not agree.
    """
    folded = {}
    for key, value in state.items():
        if key.endswith(".conv.weight") and (bn := key.removesuffix("conv.weight") + "bn.") + "weight" in state:
            weight, bias, mean, variance = (
                state[bn + part].double() for part in ("weight", "bias", "running_mean", "running_var")
            )
            if value.dim() != 4 or {one.shape for one in (weight, bias, mean, variance)} != {value.shape[:1]}:
                raise DetectorError(f"not laid out as YOLOv8: {key} and its batch norm differ in shape")
            scale = weight / (variance + _BATCH_NORM_EPS).sqrt()
            before = state.get(key.removesuffix("weight") + "bias", torch.zeros(())).double()
            folded[key] = (value.double() * scale.view(-1, 1, 1, 1)).float()
            folded[key.removesuffix("weight") + "bias"] = (bias + (before - mean) * scale).float()
        elif ".bn." not in key and not key.endswith(".dfl.conv.weight"):
            folded.setdefault(key, value.float())
    return folded


def decode_boxes(distances: Tensor, cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes of chosen cells: `distances` (N, 4 * bins) logits, `cells` (N,) indices, `size` (width, height) px.

    Returns (N, 4) XYXY in px of the letterbox, float32. Each side's distance is the mean of its distribution over
    0..bins-1, in cells from the cell's centre.
    """
    centres, strides = cell_grid(size, cells.device)
    bins = torch.arange(distances.shape[1] // 4, device=cells.device, dtype=distances.dtype)
    sides = distances.unflatten(1, (4, -1)).softmax(2) @ bins  # (N, 4)
    centre, stride = centres[cells], strides[cells, None]
    return torch.cat([centre - sides[:, :2], centre + sides[:, 2:]], 1) * stride


def cell_grid(size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Centres (A, 2) x, y in cells and strides (A,) in px of all cells of a `size` (width, height) px letterbox."""
    centres, strides = [], []
    for stride in STRIDES:
        width, height = size[0] // stride, size[1] // stride
        y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
        centres.append(torch.stack([x, y], -1).view(-1, 2) + 0.5)
        strides.append(torch.full((width * height,), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)
