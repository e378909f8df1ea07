"""Masks of YOLOv8's segmentation head: a weighted sum of prototypes, cut at the box.

Three frames: the prototypes' (stride 4 of the letterbox), the letterbox, the picture.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ohwx_compare.core.geometry import Box
from ohwx_compare.core.letterbox import Letterbox

__all__ = ["letterboxed_mask", "picture_mask"]


def letterboxed_mask(coefficients: Tensor, prototypes: Tensor, box: Box) -> Tensor:
    """The mask as ultralytics 8.3.75 returns it (`process_mask`): bool, the letterbox's size, padding included.

    `coefficients` (M,), `prototypes` (M, H/4, W/4), `box` in px of the letterbox. Cut at the box before enlarging, so
    its edge is soft; here to hold the head against the reference, `picture_mask` is what the face pass uses.
    """
    logits = _logits(coefficients, prototypes)
    height, width = logits.shape
    x, y = torch.arange(width, device=logits.device), torch.arange(height, device=logits.device)[:, None]
    inside = (x >= box.x1 / 4) & (x < box.x2 / 4) & (y >= box.y1 / 4) & (y < box.y2 / 4)
    return _enlarge(logits * inside, (4 * width, 4 * height)) > 0


def picture_mask(coefficients: Tensor, prototypes: Tensor, box: Box, letterbox: Letterbox) -> np.ndarray:
    """The mask in the picture's frame: bool (height, width). `box` in px of the picture, the rest as above.

    The padding is cut away first: ADetailer stretches it into the picture (about 10 px on 832x1216).
    """
    (left, top, _, _), (width, height) = letterbox.padding, letterbox.inner
    logits = _enlarge(_logits(coefficients, prototypes), letterbox.outer)
    logits = _enlarge(logits[top : top + height, left : left + width], (letterbox.width, letterbox.height))
    mask = np.zeros((letterbox.height, letterbox.width), dtype=bool)
    cut = np.s_[round(box.y1) : round(box.y2), round(box.x1) : round(box.x2)]
    mask[cut] = (logits > 0).cpu().numpy()[cut]
    return mask


def _logits(coefficients: Tensor, prototypes: Tensor) -> Tensor:
    return (coefficients @ prototypes.flatten(1)).view(prototypes.shape[1:])


def _enlarge(plane: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(plane[None, None], size[::-1], mode="bilinear", align_corners=False)[0, 0]
