"""Sheets as somebody wants them: which axes and values, each value on a sheet of its own, lone pictures beside."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.look.arrangement import Arrangement, divided
from ohwx_compare.look.board import board_of
from ohwx_compare.look.export import copy_pictures, unwritten
from ohwx_compare.look.sheet import write_pages
from ohwx_compare.look.sheet_style import AS_FITS, Paper, SheetStyle
from ohwx_compare.words import quoted

__all__ = ["SheetWish", "read_wish", "write_wished"]

_MOST = 200  # sheets of one wish
_MOST_CELLS = 50_000
_LONGEST = 60  # characters of a file's name


@dataclass(frozen=True, kw_only=True)
class SheetWish:
    """What somebody wants on sheets."""

    cells: Arrangement
    by: tuple[int, ...] = ()  # axes of which each value has a sheet of its own
    is_before: bool = False  # the pictures before the face pass
    style: SheetStyle = AS_FITS
    has_pictures: bool = False  # the lone pictures too


def write_wished(run: Run, wish: SheetWish, folder: Path) -> list[Path]:
    """Write the sheets and, in `pictures`, the lone pictures into a folder that is there; the sheets in order.

    Raises ExperimentError for nothing to show or too many sheets, ImageError, GeometryError, LedgerError.
    """
    parts = divided(run, wish.cells, wish.by)
    if not wish.cells.numbers:
        raise ExperimentError("No cell is left for the sheet; show more of the run.")
    if len(parts) > _MOST:
        raise ExperimentError(f"That makes {len(parts):,} sheets, expected at most {_MOST}; show less of the run.")
    written: list[Path] = []
    pictures = "before" if wish.is_before else "after"
    for number, (name, cells) in enumerate(parts, 1):
        stem = f"sheet {number:0{len(str(len(parts)))}d} {_plain(name)}" if wish.by else "sheet"
        written += write_pages(board_of(run, cells), folder / stem.strip(), pictures, wish.style)
    if wish.has_pictures:
        results = [run.cells[number - 1].result for number in wish.cells.numbers]
        names = [result.before if wish.is_before else result.image for result in results]
        try:
            copy_pictures(run.folder, names, folder / "pictures")
        except OSError as error:
            raise unwritten(folder, error) from error
    return written


def read_wish(run: Run, told: Mapping[str, Any]) -> SheetWish:
    """What a page asks for: `{"columns", "rows", "by": [axes], "lines": [[cells]], "margin", "paper", ...}`.

    Raises ExperimentError.
    """
    axes = {name: _whole(told, name, len(run.experiment.axes)) for name in ("columns", "rows", "by")}
    margin, paper = told.get("margin"), told.get("paper")
    if not (margin is None or type(margin) is int) or not (paper is None or isinstance(paper, str)):
        raise ExperimentError("The margin of a sheet must be a whole number, its paper a name.")
    if not axes["columns"]:
        raise ExperimentError("No axis is left for the columns; name one.")
    lines = _lines(told.get("lines"), len(run.cells))
    return SheetWish(
        cells=Arrangement(columns=axes["columns"], rows=axes["rows"], lines=lines),
        by=axes["by"],
        is_before=told.get("pass") == "before",
        style=SheetStyle(
            margin=margin, legend=told.get("legend") is not False, paper=Paper.read(paper) if paper else None
        ),
        has_pictures=told.get("pictures") is True,
    )


def _whole(told: Mapping[str, Any], name: str, count: int) -> tuple[int, ...]:
    values = told.get(name, [])
    is_sound = isinstance(values, list) and all(type(value) is int and 0 <= value < count for value in values)
    if not is_sound or len(set(values)) != len(values):
        raise ExperimentError(f"`{name}` of a sheet must be places of axes, got {quoted(values)}.")
    return tuple(values)


def _lines(told: object, count: int) -> tuple[tuple[int, ...], ...]:
    lines = [tuple(line) if isinstance(line, list) else () for line in (told if isinstance(told, list) else ())]
    numbers = [number for line in lines for number in line]
    if len({len(line) for line in lines}) != 1 or not numbers or len(numbers) > _MOST_CELLS:
        raise ExperimentError("The lines of a sheet must be lists of one length of the cells' numbers.")
    if wrong := [number for number in numbers if type(number) is not int or not 0 < number <= count]:
        raise ExperimentError(f"The run has no cell {quoted(wrong[0])}.")
    return tuple(lines)


def _plain(name: str) -> str:
    """As any system takes it in a file's name."""
    kept = "".join(char if char.isalnum() or char in " -_.,()" else "_" for char in name)
    return kept[:_LONGEST].rstrip(" .")
