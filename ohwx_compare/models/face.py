"""dlib's face recognition network: a face cut out upright in, 128 numbers out, near each other for one person.

A residual network of 29 convolutions (He et al. 2015, arXiv:1512.03385, half as wide) learned by a metric loss: two
faces of one person lie within 0.6 of each other, faces of two people further apart. Layout: `anet_type` of
https://github.com/davisking/dlib/blob/v19.24/examples/dnn_face_recognition_ex.cpp, the affine layers folded into the
convolutions before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ohwx_compare.models.unfilled import unfilled

__all__ = ["FaceBlock", "FaceNet", "FaceNetConfig"]


@dataclass(frozen=True, kw_only=True)
class FaceNetConfig:
    """The shapes of one file."""

    stem: int  # channels after the first convolution
    blocks: tuple[tuple[int, bool], ...]  # of each residual block: its channels, and whether it halves the sides
    outputs: int = 128
    side: int = 150  # px of the square that the network was trained on
    mean: tuple[float, float, float] = (122.782, 117.001, 104.298)  # RGB, taken from every pixel


class _Conv2d(nn.Conv2d):
    def reset_parameters(self) -> None:
        """Do nothing: all weights come from a file."""


class FaceBlock(nn.Module):
    """Two 3x3 convolutions and the way around them; where it halves, the way around is a mean over 2x2.

    Channels or rows that one of the two lacks count as zero, as dlib's `add_prev` has it.
    """

    def __init__(self, inputs: int, width: int, halves: bool) -> None:
        super().__init__()
        self.first = _Conv2d(inputs, width, 3, 2 if halves else 1, 0 if halves else 1)
        self.second = _Conv2d(width, width, 3, padding=1)
        self.halves = halves

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu_(self.first(x)))
        if self.halves:
            x = F.avg_pool2d(x, 2)
        return F.relu_(_padded(y, x.shape).add_(_padded(x, y.shape)))


def _padded(x: Tensor, least: torch.Size) -> Tensor:
    """`x` with zeros behind its channels, rows and columns until each is as long as `least`'s."""
    lacking = [max(least[axis] - x.shape[axis], 0) for axis in (3, 2, 1)]
    return F.pad(x, [side for lack in lacking for side in (0, lack)]) if any(lacking) else x


class FaceNet(nn.Module):
    """The whole network. `x` (B, 3, side, side) RGB in 0..255 gives (B, outputs), float32."""

    def __init__(self, config: FaceNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = _Conv2d(3, config.stem, 7, 2)
        widths = [config.stem, *(width for width, _ in config.blocks)]
        self.blocks = nn.ModuleList(
            FaceBlock(inputs, width, halves) for inputs, (width, halves) in zip(widths, config.blocks, strict=False)
        )
        self.output = nn.Linear(widths[-1], config.outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - x.new_tensor(self.config.mean).view(1, 3, 1, 1)) / 256
        x = F.max_pool2d(F.relu_(self.stem(x)), 3, 2)
        for block in self.blocks:
            x = block(x)
        return self.output(x.mean((2, 3)))

    @staticmethod
    def load(config: FaceNetConfig, state: Mapping[str, Tensor]) -> "FaceNet":
        """The network of a state dict, in evaluation mode. Raises RuntimeError for tensors that do not fit."""
        with unfilled():
            network = FaceNet(config)
        network.load_state_dict(state, assign=True)
        return network.requires_grad_(False).eval()
