"""The axis "prompt order": parts of the prompt, in every order that they can have.

As the X/Y/Z script: the parts keep their places, and what stands there changes (`apply_order`, `scripts/xyz_grid.py` at
82a973c). It cuts the prompt where each part is next found; a part that is not there is refused here.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from math import factorial
from typing import Any

from ohwx_compare.core.experiment.kind import Applied, AxisKind, Form, text
from ohwx_compare.core.infotext.xyz import limit
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import quoted

__all__ = ["PROMPT_ORDER", "all_orders", "parts_of"]

Order = tuple[str, ...]


def all_orders(parts: Sequence[str]) -> list[Order]:
    """Every order of `parts`, theirs first. Raises InfotextError for more than an axis may have."""
    limit(factorial(min(len(parts), 20)))
    return list(permutations(parts))


def parts_of(orders: Sequence[Order]) -> Order | None:
    """The parts whose every order these are; None where some are left out."""
    first = tuple(orders[0])
    return first if len(first) < 8 and [*orders] == [*permutations(first)] else None


def _read(value: Any) -> Order:
    if not isinstance(value, list | tuple) or not value or not all(value):
        raise TypeError("a list of parts of the prompt is needed")
    return tuple(map(text, value))


def _apply(job: Job, faces: tuple[FaceSettings, ...], order: Order, _: Any) -> Applied:
    rest, drawn = job.prompt, ""
    if missing := [part for part in order if part not in rest]:
        raise ExperimentError(f"Prompt order: {quoted(missing[0])} is not in the prompt.")
    for part, new in zip(sorted(order, key=job.prompt.find), order, strict=True):
        before, found, rest = rest.partition(part)
        if not found:
            raise ExperimentError(f"Prompt order: {quoted(part)} overlaps another part; name parts that stand apart.")
        drawn += before + new
    return replace(job, prompt=drawn + rest), faces


PROMPT_ORDER = AxisKind(
    name="prompt order", form=Form.PARTS, read=_read, apply=_apply, show=", ".join, write=list,
    xyz="Prompt order",
)  # fmt: skip
