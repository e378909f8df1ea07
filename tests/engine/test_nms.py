import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ohwx_compare.engine.nms import suppress


def slow(boxes, scores, classes, iou):
    """The definition, pair by pair."""
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if all(classes[i] != classes[j] or overlap(boxes[i], boxes[j]) <= iou for j in kept):
            kept.append(i)
    return kept


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared
    return shared / union if union else 0


@st.composite
def candidates(draw):
    n = draw(st.integers(0, 30))
    corners = draw(hnp.arrays(np.int32, (n, 2), elements=st.integers(0, 30)))
    sides = draw(hnp.arrays(np.int32, (n, 2), elements=st.integers(0, 30)))
    scores = draw(hnp.arrays(np.float32, n, elements=st.sampled_from([0.25, 0.5, 0.75, 1.0])))
    classes = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 2)))
    return np.hstack([corners, corners + sides]).astype(np.float32), scores, classes


@given(candidates(), st.sampled_from([0.3, 0.7]))
def test_equals_the_definition(candidates, iou):
    assert suppress(*candidates, iou=iou).tolist() == slow(*map(np.ndarray.tolist, candidates), iou)


@given(candidates(), st.integers(1, 5))
def test_a_limit_keeps_the_best(candidates, limit):
    assert suppress(*candidates, limit=limit).tolist() == suppress(*candidates).tolist()[:limit]


@given(candidates())
def test_what_is_kept_stays(candidates):
    kept = suppress(*candidates)
    assert suppress(*(part[kept] for part in candidates)).tolist() == list(range(len(kept)))
