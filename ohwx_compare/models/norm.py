"""Group norm that is as exact in one memory layout as in the other.

Torch's own, on the CPU, sums the squares of a whole channels-last map one after the other in single precision: of
512 x 512 pixels its result is 4e-4 off, of a contiguous map 1e-6, and it grows with the map.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["GroupNorm"]


class GroupNorm(nn.GroupNorm):
    """(B, C, h, w) -> the same, normalised over the pixels and channels of each group."""

    def forward(self, x: Tensor) -> Tensor:
        is_plain = x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last)
        if is_plain or x.device.type != "cpu" or x.dtype is not torch.float32:
            return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
        rows = x.permute(0, 2, 3, 1)
        sums = (rows.sum(2).double(), torch.linalg.vector_norm(rows, dim=2).double().square())  # (B, h, C) each
        each = self.num_channels // self.num_groups
        mean, square = (
            one.sum(1).unflatten(1, (self.num_groups, each)).sum(2) / (x.shape[2] * x.shape[3] * each) for one in sums
        )
        scale = (square - mean**2 + self.eps).rsqrt().repeat_interleave(each, 1) * self.weight
        shift = self.bias - mean.repeat_interleave(each, 1) * scale
        scale, shift = (one.float()[:, :, None, None] for one in (scale, shift))  # (B, C, 1, 1)
        return torch.addcmul(shift, x, scale)
