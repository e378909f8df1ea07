"""Measures as bytes, with all that they hold pictures against, so that another process measures by the same ones."""

import io
import pickle
from collections.abc import Sequence

import torch

from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.measure import PictureMeasure

__all__ = ["packed_measures", "unpacked_measures"]


def packed_measures(measures: Sequence[PictureMeasure]) -> bytes:
    """Pack them. Raises MeasureError where one of them cannot be."""
    content = io.BytesIO()
    try:
        torch.save(tuple(measures), content)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        names = ", ".join(measure.name for measure in measures)
        raise MeasureError(
            f"One of the measures {names} cannot be sent to other processes ({error}); measure in this one alone."
        ) from error
    return content.getvalue()


def unpacked_measures(content: bytes, device: str) -> tuple[PictureMeasure, ...]:
    """The measures, on `device`. They are of who asks, and trusted as he is. Raises what their networks raise."""
    found: tuple[PictureMeasure, ...] = torch.load(io.BytesIO(content), map_location=device, weights_only=False)
    return found
