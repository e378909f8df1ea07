"""What a run's page knows of its cells, in parts: it reads those that it shows, and infotexts when asked for them."""

import hashlib
import json
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.files.ledger.measures import read_scores
from ohwx_compare.files.ledger.rows import Run, RunCell
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.ledger.votes_kept import read_votes
from ohwx_compare.look.board import face_caption, in_words
from ohwx_compare.look.settings_words import settings_words

__all__ = [
    "CHUNK",
    "CellFacts",
    "Scores",
    "as_script",
    "cell_chunk",
    "cell_facts",
    "plan_of",
    "scores_in",
    "text_chunk",
]

CHUNK = 100  # cells of one part
_TONES = {
    Outcome.FAILED: "bad",
    Outcome.NO_FACE: "warn",
    Outcome.NONE_KEPT: "warn",
    Outcome.PENDING: "idle",
}
_TITLES = {Outcome.FAILED: "Failed", Outcome.PENDING: "Not generated yet"}
Scores = Mapping[str, Mapping[str, float]]  # by the picture's key, then by the measure's name


def plan_of(experiment: Experiment) -> str:
    """Digits that are others when other cells stand behind the numbers."""
    planned = [axis.to_json() for axis in experiment.axes]
    return hashlib.sha256(json.dumps(planned).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def cell_chunk(cells: Iterable[RunCell], scores: Scores, only: Collection[int] = ()) -> list[dict[str, Any]]:
    """The cells as JSON values; links are relative to the run folder and percent-encoded.

    only: the numbers of those that are there, where others are not shown.
    """
    absent = {"title": "Not chosen", "words": "Not among the chosen", "why": ""}
    return [{**_cell(cell, scores), **(absent if only and cell.cell.number not in only else {})} for cell in cells]


def text_chunk(cells: Iterable[RunCell]) -> list[str]:
    """Their infotexts."""
    return [cell.result.infotext for cell in cells]


@dataclass(frozen=True)
class CellFacts:
    """What takes long to tell of many cells."""

    scores: Scores
    stamps: Sequence[int]  # a number for each chunk that changes with what it holds
    words: Sequence[str]  # `settings_words`


def cell_facts(run: Run) -> CellFacts:
    """Those of a run as it was read."""
    scores = scores_in(run.folder)
    return CellFacts(scores, _stamps_of(run.cells, scores), settings_words(run.cells))


def _stamps_of(cells: Sequence[RunCell], scores: Scores) -> list[int]:
    return [
        zlib.crc32(repr([_state(cell, scores) for cell in cells[start : start + CHUNK]]).encode("utf-8", "replace"))
        for start in range(0, len(cells), CHUNK)
    ]


def _state(cell: RunCell, scores: Scores) -> object:
    result = cell.result
    keys = result.key, result.before_key
    return (
        result.outcome.value,
        keys,
        result.image,
        result.error,
        result.seconds,
        [scores.get(key or "") for key in keys],
    )


def _cell(cell: RunCell, scores: Scores) -> dict[str, Any]:
    result, job = cell.result, cell.cell.job
    failed = result.outcome is Outcome.FAILED  # what there is of it was not meant to be last
    paired = failed or result.after is not None
    return {
        "number": cell.cell.number,
        "tone": _TONES.get(result.outcome, "fine"),
        "title": _TITLES.get(result.outcome, "No picture"),
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
        "seconds": result.seconds,
        "notes": list(result.notes),
        "scores": dict(scores.get(result.key or result.before_key or "", {})),
    }


def _link(name: str | None) -> str | None:
    return None if name is None else quote(name)


def scores_in(folder: Path) -> dict[str, dict[str, float]]:
    """What was measured of a run's pictures, and how votes came out: preferred less not preferred. {} without a ledger.

    Raises LedgerError.
    """
    if not (folder / LEDGER_FILE).is_file():
        return {}
    found = read_scores(folder)
    for vote in read_votes(folder):
        if vote.best is None or vote.is_repeat:
            continue
        lost = {vote.worst} if len(vote.shown) > 2 else {0, 1} - {vote.best}
        for place, key in enumerate(vote.shown):
            by = (place == vote.best) - (place in lost)
            told = found.setdefault(key, {})
            told["votes"] = told.get("votes", 0.0) + by
    return found


def as_script(kind: str, number: int, plan: str, part: Sequence[Any]) -> str:
    """A part as the script that a page from disk loads: a call of the page's own function with JSON values."""
    return f"received({json.dumps(kind)},{number},{json.dumps(plan)},{json.dumps(part, separators=(',', ':'))});\n"
