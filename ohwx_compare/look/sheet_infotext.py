"""The infotext of a sheet: its first cell's, headed by the X/Y/Z plot's keys, so that a plain webui takes it up."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.plotted import as_xyz
from ohwx_compare.core.infotext.infotext import extra, from_job
from ohwx_compare.core.infotext.pairs import Infotext, parse, render
from ohwx_compare.core.infotext.xyz import Xyz, with_xyz
from ohwx_compare.errors import ExperimentError, InfotextError
from ohwx_compare.files.ledger.rows import Run, RunCell
from ohwx_compare.look.arrangement import Arrangement

__all__ = ["sheet_infotext"]


def sheet_infotext(
    run: Run, cells: Sequence[RunCell], *, pictures: str, page: int, pages: int, chosen: Arrangement | None = None
) -> str:
    """The text of a page that shows `cells`, row by row; `pictures` is "after" or "before".

    X is the columns, Y and Z are the next two axes with more than one value on this page. Where that is not the whole
    experiment, the rest stands under the key `ohwx`; of cells that were chosen, the whole is what was chosen.
    """
    first = _first(cells)
    across, down = _placed(run.experiment, chosen)
    experiment = _narrowed(run, chosen) if chosen else run.experiment
    shown = _used(run.experiment, [cell.cell for cell in cells])
    order = [*across, *(i for i in down if len(shown[i].values) > 1)]
    named = (as_xyz(shown[i], experiment.faces) for i in order)
    text = with_xyz(first, Xyz(*[axis for axis in named if axis][:3]))
    beside = experiment.kept_beside(text)
    ours = (
        _extra(first)
        | ({"experiment": beside} if beside else {})
        | {
            "sheet": {
                "pictures": pictures,
                "page": page,
                "pages": pages,
                "axes": [axis.to_json() for axis in shown],
                "columns": shown[across[0]].kind,
            }
        }
    )
    return render(text.with_value("ohwx", json.dumps(ours, ensure_ascii=False)))


def _placed(experiment: Experiment, chosen: Arrangement | None) -> tuple[Sequence[int], Sequence[int]]:
    """The axes of columns and of rows."""
    if chosen:
        return chosen.columns, chosen.rows
    across = experiment.column_axis or 0
    return (across,), [i for i in range(len(experiment.axes)) if i != across]


def _used(experiment: Experiment, cells: Iterable[Cell]) -> list[Axis]:
    """The axes with the values that these cells have."""
    places = [set(values) for values in zip(*(cell.coordinates for cell in cells), strict=True)]
    return [
        replace(axis, values=tuple(axis.values[i] for i in sorted(used)))
        for axis, used in zip(experiment.axes, places, strict=True)
    ]


def _narrowed(run: Run, chosen: Arrangement) -> Experiment:
    """The experiment that asks for the chosen cells alone; the whole where no other one does.

    A prompt S/R without its first value would replace something else, for example.
    """
    whole = replace(run.experiment, columns=run.experiment.axes[chosen.columns[0]].kind)
    cells = [run.cells[number - 1].cell for number in chosen.numbers]
    try:
        part = replace(whole, axes=tuple(_used(whole, cells)))
        asked = part.cells()
    except ExperimentError:
        return whole
    is_same = {(c.checkpoint, c.job, c.faces) for c in asked} == {(c.checkpoint, c.job, c.faces) for c in cells}
    return part if is_same and len(asked) == len(cells) else whole


def _first(cells: Iterable[RunCell]) -> Infotext:
    """The first cell's own text; where it was not generated, the text that its job would have."""
    cell = next(iter(cells))
    if cell.result.infotext:
        return parse(cell.result.infotext)
    ref = cell.cell.checkpoint
    known = cell.checkpoint.sha256 if cell.checkpoint else ref.short_hash
    return from_job(cell.cell.job, model=ref.stem, model_hash=known, faces=cell.cell.faces)


def _extra(infotext: Infotext) -> dict[str, object]:
    try:
        return extra(infotext)
    except InfotextError:  # somebody else's text under our key: kept out of ours
        return {}
