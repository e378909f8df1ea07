"""A detector with drawn weights: for plumbing, not for faces.

It marks a handful of places (one to about nine) in any picture, so that the face pass can be seen at work on pictures
of drawn checkpoints without downloading anything. What it marks means nothing.

The weights are noise, each layer scaled on two noise pictures until its outputs have mean 0 and variance 1 (LSUV:
Mishkin and Matas 2016, arXiv:1511.06422), but for one path through the coarsest stride: a channel minus its own
maximum over 13x13 cells, which the pooling layer of YOLOv8 happens to have. That is 0 at the channel's peaks and
falls off steeply beside them, whatever the picture's contrast, so every picture has some and none has many.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ohwx_compare.engine.detector_file import DetectorFile, write_detector
from ohwx_compare.models.yolov8 import YOLOv8, YOLOv8Config

__all__ = ["draw_detector"]

_CONFIG = YOLOv8Config(
    widths=(8, 16, 32, 64, 128),  # half of YOLOv8n
    depths=(1, 2, 2, 1, 1, 1, 1, 1),
    classes=1,
    bins=16,
    box_width=64,
    class_width=32,
)
_PEAK = 8.0  # what the path's channel carries at a peak: large enough that SiLU passes it on as it is
_STEEP = 100.0  # how fast it falls beside a peak, per standard deviation
_REACH = 3.0  # cells of 32 px from a peak to each side of its box, before the content moves it


def draw_detector(path: Path, seed: int = 1) -> None:
    """Write the detector of `seed` to `path` (.safetensors, 2 MB), the same weights each time on one machine."""
    generator = torch.Generator().manual_seed(seed)
    network = YOLOv8(_CONFIG).eval().requires_grad_(False)
    for weight in network.parameters():
        weight.normal_(generator=generator)
    fine, coarse = (torch.rand(1, 3, side, side, generator=generator) for side in (640, 128))
    _fit(network, torch.cat([fine, functional.interpolate(coarse, 640)]))
    _peaks_only(network)
    state = {key: value.half() for key, value in network.state_dict().items()}
    write_detector(path, DetectorFile(state=state, names=("peak",), task="detect"))


def _fit(network: nn.Module, x: Tensor) -> None:
    """Scale and shift every convolution, in the order they run, until its outputs on `x` are standardised."""

    def standardise(conv: nn.Conv2d, inputs: tuple[Tensor, ...]) -> None:
        bias = conv.get_parameter("bias").zero_()
        variance, mean = torch.var_mean(conv.forward(*inputs), (0, 2, 3))
        scale = (variance + 1e-6).rsqrt()
        conv.weight.mul_(scale[:, None, None, None])
        bias.copy_(-mean * scale)

    hooks = [m.register_forward_pre_hook(standardise) for m in network.modules() if isinstance(m, nn.Conv2d)]
    network(x)
    for hook in hooks:
        hook.remove()


def _peaks_only(network: YOLOv8) -> None:
    """Lay the path of the peaks over the noise: channel 0 of each layer from the pooling to the coarsest score."""
    pooling, last, head = "model.9", "model.21", "model.22"
    half = network.get_parameter(f"{pooling}.cv2.conv.weight").shape[1] // 4
    network.get_parameter(f"{pooling}.cv1.conv.bias")[0] += _PEAK  # into SiLU's straight part
    _only(network, f"{pooling}.cv2.conv", {0: _STEEP, 3 * half: -_STEEP}, _PEAK)
    _only(network, f"{last}.cv1.conv", {_CONFIG.widths[3]: 1.0})  # the pooling's channels follow those of layer 19
    _only(network, f"{last}.cv2.conv", {0: 1.0})
    _only(network, f"{head}.cv3.2.0.conv", {0: 1.0})
    _only(network, f"{head}.cv3.2.1.conv", {0: 1.0})
    # At a peak SiLU(noise) is left, at least -0.28: a confidence from 0.43 up, moved by the content.
    _only(network, f"{head}.cv3.2.2", {0: 2.0, 1: 1.0}, -2.0 * _PEAK)
    for level in (0, 1):
        _only(network, f"{head}.cv3.{level}.2", {}, -20.0)
    bins = torch.arange(_CONFIG.bins, dtype=torch.float32)
    network.get_parameter(f"{head}.cv2.2.2.bias").copy_((-0.5 * (bins - _REACH) ** 2).repeat(4))


def _only(network: YOLOv8, conv: str, taps: dict[int, float], bias: float = 0.0) -> None:
    """Make output channel 0 of a convolution the weighted sum of the named inputs' centre taps."""
    weight = network.get_parameter(f"{conv}.weight")
    weight[0] = 0
    for channel, value in taps.items():
        weight[0, channel, weight.shape[2] // 2, weight.shape[3] // 2] = value
    network.get_parameter(f"{conv}.bias")[0] = bias
