"""ESRGAN's generator, which most upscalers are: blocks of blocks of dense convolutions, then nearest doublings.

Wang et al., "ESRGAN" (arXiv 1809.00219), section 3.1; "Real-ESRGAN" (arXiv 2107.10833), section 3.3 for scales 1 and 2,
which fold pixels into channels first. Names are BasicSR's:
https://github.com/XPixelGroup/BasicSR/blob/v1.4.2/basicsr/archs/rrdbnet_arch.py
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ESRGAN", "ESRGANConfig"]

_RESIDUAL = 0.2  # how much of a block's result is added to what went in
_SLOPE = 0.2  # of the leaky ReLU


@dataclass(frozen=True, kw_only=True)
class ESRGANConfig:
    """The sizes of a network; the defaults are those of most 4x files."""

    width: int = 64  # channels
    growth: int = 32  # channels that each dense convolution adds
    blocks: int = 23
    doublings: int = 2  # at the end
    fold: int = 1  # pixels of a side that become channels at the beginning

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> "ESRGANConfig":
        """Read the sizes from a file's tensors. Raises KeyError where one that tells a size is missing."""
        blocks = {name.split(".")[1] for name in shapes if name.startswith("body.")}
        ups = sum(name.startswith("conv_up") and name.endswith(".weight") for name in shapes)
        return cls(
            width=shapes["conv_first.weight"][0],
            growth=shapes["body.0.rdb1.conv1.weight"][0],
            blocks=len(blocks),
            doublings=ups,
            fold=isqrt(shapes["conv_first.weight"][1] // 3),
        )

    @property
    def scale(self) -> int:
        """Pixels of the result's side for one of the picture's."""
        return 2**self.doublings // self.fold


class _Dense(nn.Module):
    """Five convolutions, each of which sees all before it."""

    def __init__(self, width: int, growth: int):
        super().__init__()
        for i in range(5):
            self.add_module(f"conv{i + 1}", nn.Conv2d(width + i * growth, growth if i < 4 else width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        seen, *convs = x, *self.children()
        for conv in convs[:-1]:
            seen = torch.cat((seen, F.leaky_relu(conv(seen), _SLOPE)), dim=1)
        return x + _RESIDUAL * convs[-1](seen)


class _Block(nn.Module):
    def __init__(self, width: int, growth: int):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_Dense(width, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + _RESIDUAL * self.rdb3(self.rdb2(self.rdb1(x)))


class ESRGAN(nn.Module):
    """Pictures (B, 3, h, w), 0..1 -> (B, 3, scale * h, scale * w), not clipped."""

    def __init__(self, config: ESRGANConfig):
        super().__init__()
        self.config, width = config, config.width
        self.conv_first = nn.Conv2d(3 * config.fold**2, width, 3, padding=1)
        self.body = nn.Sequential(*(_Block(width, config.growth) for _ in range(config.blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        for i in range(config.doublings):
            self.add_module(f"conv_up{i + 1}", nn.Conv2d(width, width, 3, padding=1))
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = self.conv_first(self._folded(x))
        x = x + self.conv_body(self.body(x))
        for i in range(self.config.doublings):
            x = F.leaky_relu(getattr(self, f"conv_up{i + 1}")(F.interpolate(x, scale_factor=2, mode="nearest")), _SLOPE)
        x = self.conv_last(F.leaky_relu(self.conv_hr(x), _SLOPE))
        return x[..., : height * self.config.scale, : width * self.config.scale]

    def _folded(self, x: Tensor) -> Tensor:
        """Pixels as channels; a side that cannot be folded is mirrored at its end."""
        fold = self.config.fold
        more = [-side % fold for side in x.shape[-2:]]
        if any(more):
            x = F.pad(x, (0, more[1], 0, more[0]), mode="reflect")
        return F.pixel_unshuffle(x, fold) if fold > 1 else x
