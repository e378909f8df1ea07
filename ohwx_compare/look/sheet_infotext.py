"""The infotext of a sheet: its first cell's, headed by the X/Y/Z plot's keys, so that a plain webui takes it up."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ohwx_compare.core.experiment.plotted import as_xyz
from ohwx_compare.core.infotext.infotext import extra, from_job
from ohwx_compare.core.infotext.pairs import Infotext, parse, render
from ohwx_compare.core.infotext.xyz import Xyz, with_xyz
from ohwx_compare.errors import InfotextError
from ohwx_compare.files.ledger.rows import Run, RunCell

__all__ = ["sheet_infotext"]


def sheet_infotext(run: Run, cells: Sequence[RunCell], *, pictures: str, page: int, pages: int) -> str:
    """The text of a page that shows `cells`, row by row; `pictures` is "after" or "before".

    X is the columns, Y and Z are the next two axes with more than one value on this page; where that is not the whole
    experiment, the rest stands under the key `ohwx`.
    """
    first = _first(cells)
    experiment = run.experiment
    shown = [
        replace(axis, values=tuple(axis.values[i] for i in sorted({cell.cell.coordinates[at] for cell in cells})))
        for at, axis in enumerate(experiment.axes)
    ]
    across = experiment.column_axis or 0
    down = [axis for i, axis in enumerate(shown) if i != across and len(axis.values) > 1]
    named = (as_xyz(axis, experiment.faces) for axis in [shown[across], *down])
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
                "columns": shown[across].kind,
            }
        }
    )
    return render(text.with_value("ohwx", json.dumps(ours, ensure_ascii=False)))


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
