"""Non-maximum suppression: of boxes that cover each other, only the most certain stays.

Rules: ultralytics 8.3.75, `non_max_suppression` (not class agnostic) over torchvision's `nms`, float32.
"""

import numpy as np

__all__ = ["suppress"]

_BLOCK = 256  # boxes compared with each other at once
_CLASS_OFFSET = 7680.0  # px between the classes, so that boxes of different classes never overlap


def suppress(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, *, iou: float = 0.7, limit: int = 300
) -> np.ndarray:
    """Indices of the boxes to keep, by falling score (ties: the earlier first), at most `limit`.

    `boxes` (N, 4) XYXY px, `scores` (N,), `classes` (N,). A box falls to a better one of its class when their
    intersection over union is greater than `iou`.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order].astype(np.float32) + classes[order].astype(np.float32)[:, None] * np.float32(_CLASS_OFFSET)
    kept = np.empty(0, np.intp)
    for start in range(0, len(boxes), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(boxes)))
        stays: np.ndarray = ~np.any(_covers(boxes[kept], boxes[block], iou), axis=0)
        covers = _covers(boxes[block], boxes[block], iou)
        for i in range(len(block)):
            if stays[i]:
                stays[i + 1 :] &= ~covers[i, i + 1 :]
        kept = np.concatenate([kept, block[stays]])[:limit]
        if len(kept) == limit:
            break
    return order[kept]


def _covers(some: np.ndarray, others: np.ndarray, iou: float) -> np.ndarray:
    """Whether each of `some` (N, 4) and each of `others` (M, 4) overlap by more than `iou`: bool (N, M)."""
    areas, other_areas = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (some, others))
    sides = np.minimum(some[:, None, 2:], others[:, 2:]) - np.maximum(some[:, None, :2], others[:, :2])
    sides = np.maximum(sides, 0)
    shared = sides[..., 0] * sides[..., 1]  # (N, M)
    # A union of 0 gives NaN, which is not greater than anything: such boxes stay.
    with np.errstate(invalid="ignore", divide="ignore"):
        return shared / (areas[:, None] + other_areas - shared) > iou
