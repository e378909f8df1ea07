"""Soft inpainting: grey of a mask keeps something of the picture at every step; what hardly changed stays as it was.

Rules: extensions-builtin/soft-inpainting of the webui at 82a973c, whose loops over px are array operations here.
"""

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from ohwx_compare.core.request.job import SoftInpaint
from ohwx_compare.files.masks import fitted

__all__ = ["blend_softly", "changed_mask"]

_REACH = 2  # px of a window to each side
_SPREAD = 1.5


def blend_softly(soft: SoftInpaint, kept: Tensor, drawn: Tensor, mask: Tensor, level: float) -> Tensor:
    """Latents between `kept` and `drawn` (B, 4, h, w) by `mask` (B, 1, h, w), 1 = drawn, sharper at a high `level`.

    The direction is interpolated, and so is the length, the nearer to the longer of both the higher `soft.boost`.
    """
    share = torch.pow(mask, level**soft.bias * soft.preservation)
    between = kept * (1 - share) + drawn * share
    lengths = _length(kept).pow(soft.boost) * (1 - share) + _length(drawn).pow(soft.boost) * share
    return between * (lengths.pow(1 / soft.boost) / (_length(between) + 1e-5)).to(between.dtype)


def _length(latents: Tensor) -> Tensor:
    """(B, 1, h, w), in double precision for large exponents where the device has it."""
    length = torch.linalg.vector_norm(latents, dim=1, keepdim=True)
    return length if latents.device.type == "mps" else length.double()


def changed_mask(soft: SoftInpaint, kept: Tensor, drawn: Tensor, mask: Tensor, size: tuple[int, int]) -> Image.Image:
    """What is shown of one drawn picture: "L" of `size` (px), white where latents (4, h, w) changed much.

    mask: (1, h, w), 1 = inpainted.
    """
    distance = torch.linalg.vector_norm(drawn - kept, dim=0).float().cpu().numpy()
    highest = _weighted_mean(distance, 0.9, 1.0)
    typical = _weighted_mean(highest, 0.25, 0.75)
    outside = 1 - mask[0].float().clamp(0, 1).cpu().numpy() ** (soft.preservation / 2)
    bias = 0.5 * (1 - soft.mask_influence) + outside * soft.mask_influence
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = typical / (soft.threshold * (bias / (1.00001 - bias)))
        still = 1 / (1 + ratio**soft.contrast)
    shown = 255.0 * (1 - still**3 * (still * (6 * still - 15) + 10))
    small = Image.fromarray(np.nan_to_num(shown).astype(np.uint8))
    return fitted(small, size, "fill").filter(ImageFilter.GaussianBlur(4))


def _weighted_mean(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The mean of what lies from `low` to `high` (0..1) in the sorted weights around each of `values` (h, w).

    The weights are a Gaussian of 5 x 5, cut at the edges; the range is at least a weight of 1 wide.
    """
    side = 2 * _REACH + 1
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, _REACH), (side, side))
    there = np.lib.stride_tricks.sliding_window_view(np.pad(np.ones_like(values), _REACH), (side, side))
    flat = around.reshape(*values.shape, -1)
    order = flat.argsort(axis=-1, kind="stable")
    sorted_values = np.take_along_axis(flat, order, -1)
    weights = np.take_along_axis((there * _kernel()).reshape(*values.shape, -1), order, -1)
    upper = weights.cumsum(axis=-1)
    lower = np.concatenate([np.zeros_like(upper[..., :1]), upper[..., :-1]], axis=-1)
    first, last = _range(upper[..., -1:], low, high)
    overlap = np.clip(np.minimum(last, upper) - np.maximum(first, lower), 0, None)
    mean: np.ndarray = (sorted_values * overlap).sum(-1) / overlap.sum(-1)
    return mean.astype(values.dtype)


def _range(total: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    first, last = total * low, total * high
    narrow, middle = last - first < 1, (first + last) / 2
    first, last = np.where(narrow, middle - 0.5, first), np.where(narrow, middle + 0.5, last)
    over = narrow & (last > total)
    first, last = np.where(over, total - 1, first), np.where(over, total, last)
    under = narrow & (first < 0)
    return np.where(under, 0, first), np.where(under, 1, last)


def _kernel() -> np.ndarray:
    """5 x 5, 1 in the middle, falling to 0 one px beyond its reach."""
    steps = np.arange(-_REACH, _REACH + 1) ** 2
    gauss = np.exp(-(steps[:, None] + steps) / _SPREAD**2)
    edge = np.exp(-((_REACH + 1) ** 2) / _SPREAD**2)
    kernel: np.ndarray = np.maximum((gauss - edge) / (1 - edge), 0)
    return kernel
