"""The routes that keep what a person decides on a run's page: marks, exports, sheets, the winner."""

from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError, LedgerError, NotHereError
from ohwx_compare.files.inner import inside
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.look.export import EXPORTS, export_chosen, new_export, zipped
from ohwx_compare.look.marking import asked_cells, take_marks
from ohwx_compare.look.routes import Handled, PageAnswer, PageRequest, PageRoute
from ohwx_compare.look.sheet_export import read_wish, write_wished
from ohwx_compare.look.winner import crown
from ohwx_compare.words import quoted

__all__ = ["KEEP_ROUTES"]

_MOST = 50_000  # cells


def _marks(asked: PageRequest) -> Handled:
    with asked.lock:  # one writer at a time: the ledger is held for each
        return take_marks(asked.folder, asked.json())


def _export(asked: PageRequest) -> Handled:
    told = asked.json()
    numbers, parts = _list(told, "cells", int), _list(told, "parts", str)
    cells = asked_cells(asked.folder, told.get("plan"), numbers)
    with asked.lock:
        run = open_run(asked.folder)
        return _done(export_chosen(run, [cell.cell.number for cell in cells], parts), told)


def _sheet(asked: PageRequest) -> Handled:
    told = asked.json()
    asked_cells(asked.folder, told.get("plan"), [])
    with asked.lock:
        run = open_run(asked.folder)
        wish = read_wish(run, told)
        folder = new_export(asked.folder)
        write_wished(run, wish, folder)
        return _done(folder, told)


def _done(folder: Path, told: dict[str, Any]) -> dict[str, Any]:
    """What is said of a finished export, which is packed where that was asked for."""
    if told.get("as") != "zip":
        return {"said": f"Exported into {EXPORTS}/{folder.name} in the run's folder."}
    try:
        packed = zipped(folder)
    except OSError as error:
        raise LedgerError(f"{folder} cannot be packed: {error.strerror or error}. Free some space.") from error
    return {"said": f"Packed as {EXPORTS}/{packed.name} in the run's folder.", "href": f"{EXPORTS}/{packed.name}"}


def _zip(asked: PageRequest) -> PageAnswer:
    path = inside(asked.folder, f"{EXPORTS}/{asked.path['name']}.zip")
    if not path.is_file():
        raise NotHereError("There is no such export.")
    return PageAnswer(path, "application/zip", {"Content-Disposition": "attachment"})


def _winner(asked: PageRequest) -> Handled:
    told = asked.json()
    place = told.get("place")
    if type(place) is not int:
        raise ExperimentError("The place of a checkpoint in its axis is needed.")
    with asked.lock:
        file, card = crown(open_run(asked.folder), place, asked.models, is_link=told.get("how") == "link")
    return {"said": f"{file.name} lies among the webui's checkpoints, with {card.name} beside it."}


def _list(told: dict[str, Any], name: str, kind: type) -> list[Any]:
    values = told.get(name)
    if not (isinstance(values, list) and len(values) <= _MOST and all(type(value) is kind for value in values)):
        raise ExperimentError(f"`{name}` of an export must be a list, got {quoted(values)}.")
    return values


KEEP_ROUTES = (
    PageRoute("POST", "marks", _marks),
    PageRoute("POST", "export", _export, is_heavy=True),
    PageRoute("POST", "sheet", _sheet, is_heavy=True),
    PageRoute("GET", "exports/{name}.zip", _zip),
    PageRoute("POST", "winner", _winner, is_heavy=True),
)
