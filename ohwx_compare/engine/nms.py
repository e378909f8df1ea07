"""Non-maximum suppression: of boxes that cover each other, only the most certain stays.

Rules: ultralytics 8.3.75, `non_max_suppression` (not class agnostic) over torchvision's `nms`, float32.
"""

import numpy as np

__all__ = ["suppress"]

_CLASS_OFFSET = 7680.0  # px between the classes, so that boxes of different classes never overlap


def suppress(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, *, iou: float = 0.7, limit: int = 300
) -> np.ndarray:
    """Indices of the boxes to keep, by falling score (ties: the earlier first), at most `limit`.

    `boxes` (N, 4) XYXY px, `scores` (N,), `classes` (N,). A box falls to a better one of its class when their
    intersection over union is greater than `iou`.
    """
    boxes = boxes.astype(np.float32) + classes.astype(np.float32)[:, None] * np.float32(_CLASS_OFFSET)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while left.size and len(kept) < limit:
        best, left = left[0], left[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2])
        shared = np.prod(np.maximum(sides, 0), axis=1)
        # A union of 0 gives NaN, which is not greater than anything: such boxes stay.
        with np.errstate(invalid="ignore", divide="ignore"):
            left = left[~(shared / (areas[best] + areas[left] - shared) > iou)]
    return np.array(kept, dtype=np.intp)
