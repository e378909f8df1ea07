"""How a sheet looks: the space between its pictures, with words or without, and the paper that it is printed on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ohwx_compare.errors import ExperimentError
from ohwx_compare.look.layout import AREA
from ohwx_compare.words import quoted

__all__ = ["AS_FITS", "DPI", "PAPERS", "Paper", "SheetStyle"]

DPI = 300
"""Pixels of an inch of paper."""
PAPERS: Mapping[str, tuple[int, int]] = MappingProxyType({
    "a3": (297, 420), "a4": (210, 297), "a5": (148, 210), "letter": (216, 279), "legal": (216, 356),
})  # fmt: skip
"""Width and height in mm, upright. Source: ISO 216, ANSI/ASME Y14.1."""
_MOST_MARGIN = 400  # px
_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")


@dataclass(frozen=True)
class Paper:
    """A sheet of paper in mm."""

    width: int
    height: int

    @classmethod
    def read(cls, text: str) -> "Paper":
        """`a4`, `a4 landscape`, or `210x297` in mm. Raises ExperimentError."""
        name, _, turned = text.strip().casefold().replace("-", " ").partition(" ")
        size = PAPERS.get(name)
        if size is None and (found := _SIZE.fullmatch(name)):
            size = (int(found[1]), int(found[2]))
        if size is None or turned not in ("", "landscape"):
            raise ExperimentError(
                f"A paper is {', '.join(PAPERS)}, the same with landscape behind it, or its size in mm as 210x297, "
                f"got {quoted(text)}."
            )
        paper = cls(*sorted(size, reverse=bool(turned))) if turned else cls(*size)
        width, height = paper.px
        if min(size) < 50 or width * height > AREA:
            raise ExperimentError(f"A paper is 50 mm wide at least and A1 at most, got {quoted(text)}.")
        return paper

    @property
    def px(self) -> tuple[int, int]:
        """Its width and height at `DPI`."""
        return round(self.width / 25.4 * DPI), round(self.height / 25.4 * DPI)


@dataclass(frozen=True, kw_only=True)
class SheetStyle:
    """How a sheet looks. Raises ExperimentError."""

    margin: int | None = None  # px between pictures; None fits the text
    legend: bool = True  # title, names of columns and rows, prompts, what came of each cell
    paper: Paper | None = None  # None: as large as the pictures need

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 <= self.margin <= _MOST_MARGIN:
            raise ExperimentError(f"The margin is 0 to {_MOST_MARGIN} px, got {self.margin}.")


AS_FITS = SheetStyle()
"""With words, as large as the pictures need."""
