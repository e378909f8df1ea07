"""Class drift: how far "a man", asked for without the token, has become the person that was trained.

The same eyes as likeness, on the prompts that lack the token. On a style's scale 0 is the base's own man, 1 the person.
"""

from copy import copy

from ohwx_compare.judge.measure import Asked, MeasureWords, PictureMeasure, measure_key

__all__ = ["CLASS_DRIFT", "class_drift"]

CLASS_DRIFT = "class drift"
"""The name of the measure, whatever it rests on."""


def class_drift(likeness: PictureMeasure) -> PictureMeasure:
    """A measure of the class's pictures that sees and scales as `likeness` does, under a name and key of its own."""
    drift = copy(likeness)
    drift.name = CLASS_DRIFT
    drift.words = MeasureWords(
        title="Likeness of the class without the token", subject=CLASS_DRIFT, more="more class drift",
        less="less class drift",
    )  # fmt: skip
    drift.asked = Asked.CLASS
    drift.key = measure_key(drift.name, drift.version, **drift.settings)
    return drift
