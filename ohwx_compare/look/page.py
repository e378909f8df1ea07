"""The page: one `index.html` beside the pictures that opens from disk by double click.

Style and script are inlined, because a browser refuses modules and fetches from `file://`; pictures are linked
relatively. So that ten thousand cells open at once, the page itself holds the axes alone. What came of the cells lies
beside it in parts, and so do the infotexts. A page that is served fetches the parts as JSON, made from the ledger; one
from disk loads them as scripts by element, the one way there is: its content security policy lets the inlined script
run, and files of the disk. Served pages run the inlined script and nothing else. Prompts come from anywhere, so all
data is JSON in which no `<` is left, and the script writes text only as text.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import LedgerError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.inner import PAGE_PARTS, require_inner_folder
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.look.board import summary
from ohwx_compare.look.marking import marks_by_number
from ohwx_compare.look.page_axes import axes_data, filmstrip, prompts_of
from ohwx_compare.look.page_cells import (
    CHUNK,
    CellFacts,
    as_script,
    cell_chunk,
    cell_facts,
    plan_of,
    scores_in,
    text_chunk,
)
from ohwx_compare.look.settings_words import noted
from ohwx_compare.look.sheet import sheet_files
from ohwx_compare.look.templating import asset, filled, source_hash
from ohwx_compare.words import counted

__all__ = ["page_data", "render_page", "write_page"]

_SCRIPTS = (  # one scope: each knows those before it
    "cells.js", "arrange.js", "hash.js", "spans.js", "zoom.js", "dom.js", "store.js", "keep.js", "view.js", "thumbs.js",
    "tiles.js", "grid.js", "axes.js", "pointers.js", "viewer.js", "differ.js", "compare.js", "compare_keys.js",
    "keep_dialogs.js", "inside.js", "controls.js",
)  # fmt: skip
_STYLES = ("palette.css", "style.css")
_SAID = {Outcome.FAILED: "failed", Outcome.NO_FACE: "without a face", Outcome.NONE_KEPT: "with no face inpainted"}
_MOST_TROUBLES = 200  # cells named at the top
_GROUPED = ("prompt", "prompt s/r")  # kinds whose values stand above their rows


def write_page(run: Run, folder: Path | None = None, *, only: Collection[int] = (), note: str = "") -> Path:
    """Write `index.html` and its parts into the run folder, and return it; write the sheets before it.

    Each file is whole or not written. Works for a run that is not finished, and without any of the pictures.
    folder: another place; only: the numbers of the cells that are shown, all without any; note: a line for the head.
    Raises LedgerError where it cannot be written.
    """
    folder = folder or run.folder
    path = folder / "index.html"
    try:
        for name, text in _parts(run, only):
            _write_changed(folder / PAGE_PARTS / name, text)
        write_text(path, render_page(page_data(run, only, note)))
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be written: {error.strerror or error}. Free some space, or close the file."
        ) from error
    return path


def render_page(data: dict[str, Any], *, is_served: bool = False) -> str:
    """The page for what `page_data` gave; is_served: by us over HTTP, not from disk."""
    style = "".join(map(asset, _STYLES))
    script = "".join(['"use strict";\n', *map(asset, _SCRIPTS)])
    hashed = f"'{source_hash(script)}'"
    inlined = {
        "STYLE_HASH": source_hash(style),
        "SCRIPTS": f"{hashed}; connect-src 'self'" if is_served else f"{hashed} file:",
        "STYLE": style,
        "SCRIPT": script,
        "HOST": "served" if is_served else "file",
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),  # ASCII: lone surrogates pass too
    }
    return filled(asset("index.html"), inlined)


def page_data(run: Run, only: Collection[int] = (), note: str = "", known: CellFacts | None = None) -> dict[str, Any]:
    """What the page begins with, as JSON values; links are relative to the run folder and percent-encoded.

    only, note: as `write_page`; known: `cell_facts` of the run where they are known already.
    """
    known = known or cell_facts(run)
    experiment, axes = run.experiment, run.experiment.axes
    shown = [cell for cell in run.cells if not only or cell.cell.number in only]
    sizes = {(cell.cell.job.width, cell.cell.job.height) for cell in run.cells}
    troubles = [cell.cell.number for cell in run.cells if cell.result.outcome in _SAID]
    return {
        "folder": run.folder.resolve().name,
        "summary": f"{summary(run)}. {_chosen(only) or _progress(run)}",
        "facts": [*filter(None, [note]), *known.words, *experiment.notes],
        "troubles": {
            "words": _troubles(run),
            "cells": troubles[:_MOST_TROUBLES],
            "more": len(troubles[_MOST_TROUBLES:]),
        },
        "hasBefore": any(cell.result.after for cell in run.cells),
        "isDone": bool(only) or all(cell.result.outcome is not Outcome.PENDING for cell in run.cells),
        "axes": axes_data(run),
        "columns": experiment.column_axis or 0,
        "grouped": [i for i, axis in enumerate(axes) if axis.kind in _GROUPED and i != (experiment.column_axis or 0)],
        "prompts": prompts_of(run),
        "filmstrip": filmstrip(run),
        "seed": run.cells[0].cell.job.seed,
        "marks": marks_by_number(run.folder, shown),
        "hidden": [
            sorted({*range(len(axis.values))} - {cell.cell.coordinates[i] for cell in shown})
            for i, axis in enumerate(axes)
        ],
        "widest": max(width for width, _ in sizes),
        "tallest": max(height / width for width, height in sizes),
        "chunk": CHUNK,
        "plan": plan_of(experiment),
        "stamps": known.stamps,
        "sheets": [] if only else [_sheet_link(path) for path in sheet_files(run.folder)],
    }


def _sheet_link(path: Path) -> dict[str, str]:
    return {"name": path.stem.replace("-", " "), "href": quote(path.name)}


def _parts(run: Run, only: Collection[int]) -> Iterator[tuple[str, str]]:
    plan, scores = plan_of(run.experiment), scores_in(run.folder)
    for number, start in enumerate(range(0, len(run.cells), CHUNK)):
        cells = run.cells[start : start + CHUNK]
        yield f"cells-{number}.js", as_script("cells", number, plan, cell_chunk(cells, scores, only))
        yield f"texts-{number}.js", as_script("texts", number, plan, text_chunk(cells))


def _write_changed(path: Path, text: str) -> None:
    """A run that goes on changes few parts."""
    path.parent.mkdir(exist_ok=True)
    require_inner_folder(path.parent)
    if not (path.is_file() and not path.is_symlink() and path.read_bytes() == text.encode()):
        write_text(path, text)


def _chosen(only: Collection[int]) -> str:
    return f"{counted(len(only), 'cell')} chosen" if only else ""


def _progress(run: Run) -> str:
    left = sum(cell.result.outcome is Outcome.PENDING for cell in run.cells)
    cells = counted(len(run.cells), "cell")
    return f"{len(run.cells) - left} of {cells} done" if left else f"{cells}, all done"


def _troubles(run: Run) -> str:
    counts = Counter(cell.result.outcome for cell in run.cells)
    told = [f"{counts[outcome]:,} {words}" for outcome, words in _SAID.items() if counts[outcome]]
    if notes := noted(run.cells):
        told.append(f"{notes:,} with notes")
    return ", ".join(told)
