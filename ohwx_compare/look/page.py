"""The page: one `index.html` beside the pictures that opens from disk by double click.

Style, script and data are inlined, because a browser refuses modules and fetches from `file://`; pictures are linked
relatively. Prompts come from anywhere, so the data is JSON in which no `<` is left, the script writes text only as text
and a content security policy lets the two inlined parts run and nothing else.
"""

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import LedgerError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.ledger.rows import Run, RunCell
from ohwx_compare.look.board import Board, board_of, face_caption, in_words, summary
from ohwx_compare.look.settings_words import noted, settings_words
from ohwx_compare.look.sheet import sheet_files
from ohwx_compare.look.templating import filled, source_hash
from ohwx_compare.words import counted

__all__ = ["page_data", "render_page", "write_page"]

_SCRIPTS = ("cells.js", "zoom.js", "grid.js", "viewer.js", "controls.js")  # one scope: each knows those before it
_TONES = {
    Outcome.FAILED: "bad",
    Outcome.NO_FACE: "warn",
    Outcome.NONE_KEPT: "warn",
    Outcome.PENDING: "idle",
}


def write_page(run: Run) -> Path:
    """Write `index.html` into the run folder, whole or not at all, and return it; write the sheets before it.

    Works for a run that is not finished, and without any of the pictures. Raises LedgerError where it cannot be
    written.
    """
    path = run.folder / "index.html"
    try:
        write_text(path, render_page(page_data(run)))
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be written: {error.strerror or error}. Free some space, or close the file."
        ) from error
    return path


def render_page(data: dict[str, Any]) -> str:
    """The page for what `page_data` gave."""
    style = _part("style.css")
    script = "".join(['"use strict";\n', *map(_part, _SCRIPTS)])
    inlined = {
        "STYLE_HASH": source_hash(style),
        "SCRIPT_HASH": source_hash(script),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),  # ASCII: lone surrogates pass too
    }
    return filled(_part("index.html"), inlined)


def page_data(run: Run) -> dict[str, Any]:
    """All that the page shows, as JSON values; links are relative to the run folder and percent-encoded."""
    board = board_of(run)
    experiment = run.experiment
    return {
        "folder": run.folder.resolve().name,
        "summary": f"{summary(board)}. {_progress(run)}",
        "facts": [*settings_words(run.cells), *experiment.notes],
        "troubles": _troubles(run),
        "hasBefore": board.has_face_pass,
        "columns": [{"label": column.label, "hash": column.hash} for column in board.columns],
        "groups": _groups(board),
        "sheets": [{"name": path.stem.replace("-", " "), "href": quote(path.name)} for path in sheet_files(run.folder)],
    }


def _groups(board: Board) -> list[dict[str, Any]]:
    return [
        {
            "prompt": group.prompt,
            "negative": group.negative,
            "rows": [{"label": row.label, "cells": [_cell(cell) for cell in row.cells]} for row in group.rows],
        }
        for group in board.groups
    ]


def _cell(cell: RunCell) -> dict[str, Any]:
    result, job, ref = cell.result, cell.cell.job, cell.cell.checkpoint
    failed = result.outcome is Outcome.FAILED  # what there is of it was not meant to be last
    paired = failed or result.after is not None
    return {
        "number": cell.cell.number,
        "prompt": job.prompt,
        "tone": _TONES.get(result.outcome, "fine"),
        "title": {Outcome.FAILED: "Failed", Outcome.PENDING: "Not generated yet"}.get(result.outcome, "No picture"),
        "words": in_words(result),
        "why": result.error or "",
        "caption": face_caption(result),
        "width": job.width,
        "height": job.height,
        "image": None if failed else _link(result.image),
        "thumb": None if failed else _link(result.thumb),
        "before": _link(result.before) if paired else None,
        "beforeThumb": _link(result.before_thumb) if paired else None,
        "faces": [{"box": list(face.box), "confidence": face.confidence} for face in result.faces],
        "infotext": result.infotext,
        "checkpoint": ref.name,
        "hash": cell.checkpoint.sha256 if cell.checkpoint else ref.short_hash,
        "seconds": result.seconds,
        "notes": list(result.notes),
    }


def _progress(run: Run) -> str:
    left = sum(cell.result.outcome is Outcome.PENDING for cell in run.cells)
    cells = counted(len(run.cells), "cell")
    return f"{len(run.cells) - left} of {cells} done" if left else f"{cells}, all done"


def _troubles(run: Run) -> str:
    counts = Counter(cell.result.outcome for cell in run.cells)
    said = {Outcome.FAILED: "failed", Outcome.NO_FACE: "without a face", Outcome.NONE_KEPT: "with no face inpainted"}
    told = [f"{counts[outcome]:,} {words}" for outcome, words in said.items() if counts[outcome]]
    if notes := noted(run.cells):
        told.append(f"{notes:,} with notes")
    return ", ".join(told)


def _link(name: str | None) -> str | None:
    return None if name is None else quote(name)


def _part(name: str) -> str:
    return (files("ohwx_compare.look") / "assets" / name).read_text(encoding="utf-8")
