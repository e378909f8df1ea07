"""What a run folder was asked for: `request.json`, written before its first cell, and again when an error ends it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.errors import ExperimentError, LedgerError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.json_file import json_text, read_object
from ohwx_compare.hosts.webui.request.request import Request
from ohwx_compare.hosts.webui.request.sheets import AS_USUAL, SheetAsked, read_sheet

__all__ = ["SavedRequest", "read_saved_request", "request_json", "shown_of", "write_request"]

REQUEST_FILE = "request.json"


@dataclass(frozen=True, kw_only=True)
class SavedRequest:
    """Who asked for a run, when and for what; `error` is the sentence that ended it, None while nothing did."""

    request: dict[str, Any]  # as the API's JSON argument
    by: str  # "tab" or "script"
    when: str  # ISO 8601, local time
    besides: str = ""  # what it is drawn with that no request says: "hires fix"
    error: str | None = None

    @classmethod
    def now(cls, request: Request, folder: Path, by: str, besides: str = "") -> "SavedRequest":
        """A request made at this moment, which names its folder; who asked for that first, and when, is kept."""
        asked = request_json(request.experiment, folder.name, keep_before=request.keep_before, sheet=request.sheet)
        if first := read_saved_request(folder):
            return cls(request=asked, by=first.by, when=first.when, besides=besides)
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(request=asked, by=by, when=when, besides=besides)


def request_json(
    experiment: Experiment, name: str, *, keep_before: bool = True, sheet: SheetAsked = AS_USUAL
) -> dict[str, Any]:
    """An experiment as the JSON that `read_request` takes."""
    data = experiment.to_dict()
    axes = [axis for axis in data["axes"] if axis["kind"] != "checkpoint"]
    return {
        "job": data["job"],
        "checkpoints": [str(ref) for ref in experiment.checkpoints],
        "axes": axes,
        "faces": data["faces"],
        "columns": data["columns"],
        **{name: data[name] for name in ("styles", "control") if name in data},
        "keep_before": keep_before,
        **({"sheet": sheet.to_json()} if sheet.to_json() else {}),
        "name": name,
    }


def shown_of(asked: SavedRequest | None) -> dict[str, Any]:
    """What shall be shown of a run, as arguments of `Request` and `request_json`; the usual where nobody said."""
    told = asked.request if asked else {}
    try:
        sheet = read_sheet(told.get("sheet") or {})
    except ExperimentError:
        sheet = AS_USUAL
    return {"keep_before": told.get("keep_before") is not False, "sheet": sheet}


def read_saved_request(folder: Path) -> SavedRequest | None:
    """What `write_request` wrote; None where nothing can be read, or something else is there."""
    found = read_object(folder / REQUEST_FILE)
    try:
        asked = SavedRequest(**found)
    except TypeError:
        return None
    texts = (asked.by, asked.when, asked.besides, asked.error or "")
    is_ours = isinstance(asked.request, dict) and all(isinstance(text, str) for text in texts)
    return asked if is_ours else None


def write_request(folder: Path, asked: SavedRequest) -> None:
    """Write it, whole or not at all; the folder is made. Raises LedgerError where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / REQUEST_FILE, json_text(asdict(asked), indent=1))
    except OSError as error:
        raise LedgerError(f"{folder} cannot be used: {error.strerror or error}. Free some space.") from error
