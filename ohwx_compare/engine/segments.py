"""Masks of YOLOv8's segmentation head: a weighted sum of prototypes, cut at the box.

Three frames: the prototypes' (stride 4 of the letterbox), the letterbox, the picture.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.letterbox import Letterbox
from ohwx_compare.files.masks import stretch

__all__ = ["letterboxed_mask", "picture_mask", "stretched_mask"]


def letterboxed_mask(coefficients: Tensor, prototypes: Tensor, box: Box) -> Tensor:
    """The mask as ultralytics 8.3.75 returns it (`process_mask`): bool, the letterbox's size, padding included.

    `coefficients` (M,), `prototypes` (M, H/4, W/4), `box` in px of the letterbox. Cut at the box before enlarging, so
    its edge is soft.
    """
    logits = _logits(coefficients, prototypes)
    height, width = logits.shape
    x, y = torch.arange(width, device=logits.device), torch.arange(height, device=logits.device)[:, None]
    inside = (x >= box.x1 / 4) & (x < box.x2 / 4) & (y >= box.y1 / 4) & (y < box.y2 / 4)
    cut = (logits * inside)[None, None]
    return F.interpolate(cut, (4 * height, 4 * width), mode="bilinear", align_corners=False)[0, 0] > 0


def stretched_mask(coefficients: Tensor, prototypes: Tensor, box: Box, size: tuple[int, int]) -> np.ndarray:
    """The mask that ADetailer 25.3.0 inpaints: uint8 (height, width), 0..255, soft at its edge.

    The letterbox's, stretched to the picture's `size` (width, height) with its padding, so it is off its place where
    the picture is no square: some 10 px on 832x1216. `adetailer/ultralytics.py` and `adetailer/common.py` there.
    """
    mask = letterboxed_mask(coefficients, prototypes, box).cpu().numpy()
    return np.array(stretch(Image.fromarray(mask.astype(np.uint8) * 255), size, Image.Resampling.BICUBIC))


def picture_mask(coefficients: Tensor, prototypes: Tensor, box: Box, letterbox: Letterbox) -> np.ndarray:
    """The mask in the picture's frame: bool (height, width). `box` in px of the picture, the rest as above.

    Every px of the box is looked up in the prototypes' frame, the padding left aside.
    """
    mask = np.zeros((letterbox.height, letterbox.width), dtype=bool)
    columns, rows = slice(round(box.x1), round(box.x2)), slice(round(box.y1), round(box.y2))
    if not mask[rows, columns].size:
        return mask
    (left, top, _, _), (width, height), (outer_width, outer_height) = (
        letterbox.padding,
        letterbox.inner,
        letterbox.outer,
    )
    x = _centres(columns, width / letterbox.width, left, outer_width)
    y = _centres(rows, height / letterbox.height, top, outer_height)
    at = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None].to(prototypes.device)  # (1, rows, columns, 2)
    logits = _logits(coefficients, prototypes)[None, None]
    inside = F.grid_sample(logits, at, mode="bilinear", padding_mode="border", align_corners=False)[0, 0] > 0
    mask[rows, columns] = inside.cpu().numpy()
    return mask


def _centres(px: slice, scale: float, before: int, outer: int) -> Tensor:
    """Centres of the picture's px along one axis, in -1..1 of the letterbox and so of the prototypes."""
    return ((torch.arange(px.start, px.stop) + 0.5) * scale + before) * (2 / outer) - 1


def _logits(coefficients: Tensor, prototypes: Tensor) -> Tensor:
    return (coefficients @ prototypes.flatten(1)).view(prototypes.shape[1:])
