"""What the script draws besides the pictures: how its sheet looks, sheets of single values, lone pictures or none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ohwx_compare.core.experiment.axes import KINDS
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.errors import ExperimentError, LedgerError
from ohwx_compare.files.inner import require_inner_folder
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.hosts.webui.request.arguments import NOTHING, Panel
from ohwx_compare.look.arrangement import arranged, axis_named
from ohwx_compare.look.sheet import write_sheets
from ohwx_compare.look.sheet_export import SheetWish, write_wished
from ohwx_compare.look.sheet_style import SheetStyle
from ohwx_compare.words import quoted

__all__ = [
    "AS_USUAL",
    "SheetAsked",
    "panel_sheet",
    "read_sheet",
    "require_each",
    "sheet_arguments",
    "sheets_of_values",
    "write_asked_sheets",
]

_EACH = "sheets"
"""The folder of the sheets of single values, in the run folder."""


@dataclass(frozen=True, kw_only=True)
class SheetAsked:
    """What X/Y/Z plot calls grid margins, draw legend, include sub images and include sub grids."""

    margin: int | None = None  # px between pictures; None fits the text
    legend: bool = True
    pictures: bool = True  # the gallery shows each picture too
    each: str = ""  # the kind of an axis: a sheet for each of its values

    @property
    def style(self) -> SheetStyle:
        """Of every sheet. Raises ExperimentError."""
        return SheetStyle(margin=self.margin, legend=self.legend)

    def to_json(self) -> dict[str, Any]:
        """What is not as usual; `read_sheet` reads it."""
        usual = asdict(AS_USUAL)
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


AS_USUAL = SheetAsked()
"""With words, as large as the pictures need, and each picture beside."""


def read_sheet(told: object) -> SheetAsked:
    """The API's object `sheet`. Raises ExperimentError, naming what cannot be understood."""
    usual = asdict(AS_USUAL)
    if not isinstance(told, Mapping):
        raise ExperimentError(f"`sheet` must be an object, got {quoted(told)}.")
    if unknown := [name for name in told if name not in usual]:
        raise ExperimentError(f"A sheet has no {quoted(unknown[0])}; it has {', '.join(usual)}.")
    found = {**usual, **told}
    is_sound = found["margin"] is None or type(found["margin"]) is int
    if not (is_sound and type(found["legend"]) is type(found["pictures"]) is bool and isinstance(found["each"], str)):
        raise ExperimentError(
            "A sheet's margin is a whole number of px or null, legend and pictures are true or false, each is the name "
            f"of an axis; got {quoted(dict(told))}."
        )
    asked = SheetAsked(**found)
    _ = asked.style  # says what a margin may be
    return asked


def require_each(asked: SheetAsked, experiment: Experiment) -> None:
    """Raises ExperimentError where the axis that each sheet is to be of is not one of the experiment's."""
    if asked.each:
        axis_named(experiment, asked.each)


def panel_sheet(panel: Panel) -> dict[str, Any]:
    """The panel's fields as the API's object. Raises ExperimentError."""
    text = str(panel.sheet_margin).strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 5):
        raise ExperimentError(f"The margin of the sheet is a whole number of px, or empty, got {quoted(text)}.")
    return {
        "margin": int(text) if text else None,
        "legend": bool(panel.sheet_legend),
        "pictures": bool(panel.sheet_pictures),
        "each": "" if panel.sheet_each in ("", NOTHING) else panel.sheet_each,
    }


def sheet_arguments(told: object) -> dict[str, Any]:
    """The panel's fields for the API's object, the usual ones where it cannot be understood."""
    try:
        asked = read_sheet(told)
    except ExperimentError:
        asked = AS_USUAL
    titles = {kind.name: kind.title for kind in KINDS.values()}
    return {
        "sheet_margin": "" if asked.margin is None else str(asked.margin),
        "sheet_legend": asked.legend,
        "sheet_pictures": asked.pictures,
        "sheet_each": titles.get(asked.each, asked.each) or NOTHING,
    }


def write_asked_sheets(run: Run, asked: SheetAsked) -> None:
    """Write the sheets of a finished run: the whole, and in the folder `sheets` one for each value that was asked for.

    Raises ImageError, GeometryError, LedgerError where they cannot be written.
    """
    write_sheets(run, asked.style)
    folder = run.folder / _EACH
    try:
        if asked.each:
            folder.mkdir(exist_ok=True)
        elif not folder.exists():
            return
        require_inner_folder(folder)
        for old in folder.glob("sheet *.png"):
            old.unlink()
    except OSError as error:
        raise LedgerError(f"{folder} cannot be written to: {error.strerror or error}. Delete it.") from error
    if asked.each:
        by = axis_named(run.experiment, asked.each)
        write_wished(run, SheetWish(cells=arranged(run), by=(by,), style=asked.style), folder)


def sheets_of_values(folder: Path) -> list[Path]:
    """The sheets of single values of a run folder, in order."""
    return sorted((folder / _EACH).glob("sheet *.png"))
