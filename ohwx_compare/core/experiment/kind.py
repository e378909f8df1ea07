"""`AxisKind`: one thing that an axis may vary. The table of them is `KINDS` in `core/experiment/axes.py`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ohwx_compare.core.experiment.titles import TITLES
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.numerals import whole_number

__all__ = ["Applied", "AxisKind", "Form", "PicturePart", "number", "set_field", "switch", "text", "whole"]

Applied = tuple[Job, tuple[FaceSettings, ...]]


class Form(Enum):
    """How a person writes several values into one text, by examples short enough to be seen whole in its field."""

    NAMES = 'one, two, "three, four"'
    WHOLE = "1, 2, 5-9, 10-30 (+10), 1-100 [5]"
    REAL = "0.3, 0.5, 5-9 (+0.5), 0-1 [5]"
    LINES = "one per line"
    SWITCH = "on, off"
    PARTS = "comma-separated parts of the prompt; every order of them is a value"


class PicturePart(Enum):
    """What of a picture an axis means nothing without."""

    HIRES = "hires fix"
    REFINER = "a refiner"
    REDRAWN = "img2img or hires fix"
    VARIATION = "the variation seed"

    def is_in(self, job: Job) -> bool:
        """Whether `job` has it."""
        match self:
            case PicturePart.HIRES:
                return job.hires_upscaler is not None
            case PicturePart.REFINER:
                return job.refiner is not None
            case PicturePart.REDRAWN:
                return job.denoise is not None or job.hires_upscaler is not None
        return True


@dataclass(frozen=True, kw_only=True)
class AxisKind:
    """What one axis may vary: how its values are read from JSON, written, shown and applied to a cell."""

    name: str
    form: Form
    read: Callable[[Any], Any]  # JSON value -> value; raises TypeError or ValueError
    apply: Callable[[Job, tuple[FaceSettings, ...], Any, Any], Applied]  # job, faces, value, the axis' first value
    show: Callable[[Any], str]
    write: Callable[[Any], Any] = lambda value: value  # value -> JSON value
    xyz: str | None = None  # the X/Y/Z script's name for it
    is_optional: bool = False  # None stands for "as the picture"
    varies_faces: bool = False  # means nothing without a face pass
    part: PicturePart | None = None  # means nothing without it
    fields: tuple[str, ...] = ()  # of the job, that it sets

    @property
    def title(self) -> str:
        """What a person chooses."""
        return TITLES[self.name]


def set_field(field: str) -> Callable[[Job, tuple[FaceSettings, ...], Any, Any], Applied]:
    """`apply` of a kind that sets one field of the job."""
    return lambda job, faces, value, _: (replace(job, **{field: value}), faces)


def whole(value: Any) -> int:
    """A whole number, 7.0 too. Raises TypeError or ValueError."""
    found = whole_number(value) if isinstance(value, str) else int(value)
    if isinstance(value, bool) or found != float(value):
        raise ValueError("a whole number is needed")
    return found


def number(value: Any) -> float:
    """A number, as float. Raises TypeError or ValueError."""
    if isinstance(value, bool):
        raise TypeError("a number is needed")
    return float(value)


def text(value: Any) -> str:
    """Text. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("text is needed")
    return value


def switch(value: Any) -> bool:
    """True or false. Raises TypeError."""
    if not isinstance(value, bool):
        raise TypeError("true or false is needed")
    return value
