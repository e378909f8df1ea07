"""Trainings seen from outside: the run folders below one folder.

A run folder holds `recipe.json`, `state.json`, `events.jsonl`, samples and checkpoints; nothing here asks the process.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ohwx_compare.errors import CheckpointError, TrainingError, sentence_of
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.checkpoint import header_length, read_header
from ohwx_compare.files.json_file import json_text, parse_json, read_object
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.numerals import whole_number
from ohwx_compare.train.outside.child import look
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.words import on_one_line, quoted

__all__ = ["SavedCheckpoint", "Trainings", "class_token_of", "folder_for"]

_ERROR, _LONGEST = 2_000, 400_000  # characters of an error and of a row: 2,000 checkpoints have 200,000
_HEADER = 4_000_000  # bytes of a checkpoint's: SDXL's has 0.3 MB
_CHUNK = 1 << 18  # bytes of events read at once
_NOTHING: Mapping[str, Any] = MappingProxyType({
    "step": 0, "steps": 0, "epoch": 0, "loss": None, "seconds_left": None, "started": 0, "checkpoints": (), "recipe": {}
})  # fmt: skip
_PACE = 1 << 14  # bytes at their end that tell how fast it goes


@dataclass(frozen=True, kw_only=True)
class SavedCheckpoint:
    """A checkpoint of a run, and how often each training picture had been shown when it was written."""

    name: str  # file name
    step: int
    exposures: float


class Trainings:
    """The run folders below one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._kept: dict[tuple[Path, int, int], SavedCheckpoint | None] = {}

    def path(self, name: str) -> Path:
        """A run's folder. Raises TrainingError where there is no run of that name."""
        found = self.folder / name
        if not is_plain_name(name) or not is_plain_file(found / "recipe.json"):
            raise TrainingError(f"There is no training named {quoted(name)}.")
        if _leads_out(found):
            raise TrainingError(f"{quoted(name)} is a link that leads out of the folder of trainings.")
        return found

    def all(self) -> list[dict[str, Any]]:
        """Every run as `one` tells it, the one started last first."""
        try:
            folders = [path for path in self.folder.iterdir() if is_plain_file(path / "recipe.json")]
        except OSError:  # no run yet
            return []
        return sorted(map(self._told_or_why, folders), key=lambda run: run["started"], reverse=True)

    def one(self, name: str) -> dict[str, Any]:
        """A run as JSON values. Raises TrainingError.

        state: "starting", "running", "paused", "stopped", "done", "failed" or "killed".
        """
        folder = self.path(name)
        with _read_as_found():
            return self._told(folder)

    def events(self, name: str, after: int) -> tuple[list[dict[str, Any]], int, bool]:
        """Events of a run from byte `after` of its file on, the byte to continue from, and whether there is more.

        Raises TrainingError.
        """
        path = self.path(name) / "events.jsonl"
        if not is_plain_file(path):
            return [], 0, False
        try:
            with path.open("rb") as file:
                file.seek(max(after, 0))
                data = file.read(_CHUNK)
        except OSError:
            return [], 0, False
        is_full = len(data) == _CHUNK
        end = data.rfind(b"\n") + 1  # a line that is being written counts the next time
        if is_full and not end:
            end = len(data)  # no event has such a line: it is passed over
        return _read(data[:end]), after + end, is_full

    def kept(self, name: str) -> list[SavedCheckpoint]:
        """The checkpoints of a run, in the order of their steps. Raises TrainingError."""
        return self._checkpoints(self.path(name))

    def _told_or_why(self, folder: Path) -> dict[str, Any]:
        """A row for every folder: one that is damaged hides no other."""
        plain = is_plain_name(folder.name)
        nothing = {**_NOTHING, "id": folder.name if plain else quoted(folder.name), "state": "failed"}
        if not plain:
            return {**nothing, "error": "This folder's name has letters that cannot be asked for; rename the folder."}
        if _leads_out(folder):
            return {**nothing, "error": "This is a link that leads out of the folder of trainings; move it here."}
        try:
            with _read_as_found():
                return self._told(folder)
        except TrainingError as error:
            return {**nothing, "error": str(error)}

    def _told(self, folder: Path) -> dict[str, Any]:
        now, recipe = look(folder), read_object(folder / "recipe.json")
        step, steps = now.get("step", 0), now.get("steps", 0)
        told = {
            "id": folder.name,
            "state": _state(now, step, steps),
            "step": step,
            "steps": steps,
            "epoch": now.get("epoch", 0),
            "loss": now.get("loss"),
            "seconds_left": _seconds_left(folder, step, steps) if now["status"] == "running" else None,
            "error": now.get("error") and on_one_line(now["error"][:_ERROR]),
            "started": now.get("started", 0),
            "checkpoints": [vars(kept) for kept in self._checkpoints(folder)],
            "recipe": {name: value for name, value in recipe.items() if name != "output"},
        }
        if len(json_text(told)) > _LONGEST:
            raise TrainingError("This training says more of itself than a list can show. Delete its folder.")
        return told

    def _checkpoints(self, folder: Path) -> list[SavedCheckpoint]:
        found = [self._read_kept(path) for path in folder.glob("*.safetensors") if is_plain_file(path)]
        return sorted(filter(None, found), key=lambda kept: (kept.step, kept.name))

    def _read_kept(self, path: Path) -> SavedCheckpoint | None:
        """None for a file that is not a checkpoint of ours, or disappears meanwhile."""
        try:
            stat = path.stat()
            key = (path, stat.st_size, stat.st_mtime_ns)
            if key not in self._kept:
                self._kept[key] = None
                if is_plain_name(path.name) and header_length(path) <= _HEADER:
                    record = parse_json(read_header(path).metadata["ohwx.training"])
                    step, exposures = whole_number(str(record["step"])), float(record["exposures"])
                    self._kept[key] = SavedCheckpoint(name=path.name, step=step, exposures=exposures)
            return self._kept[key]
        except (OSError, CheckpointError, KeyError, TypeError, ValueError, OverflowError):
            return None


def class_token_of(path: Path) -> str | None:
    """Token and class ("ohwx man") that a checkpoint of ours learned as the caption of every picture.

    None for captions that differ or have one word, and for other files.
    """
    try:
        captions = parse_json(read_header(path).metadata["ohwx.training"])["captions"]
        (only,) = captions
        return str(only) if len(str(only).split()) > 1 else None
    except (OSError, CheckpointError, KeyError, TypeError, ValueError):
        return None


def folder_for(recipe: Mapping[str, Any], below: Path) -> Path:
    """Where a recipe without an output is trained: a folder of its name, the same again for the same recipe.

    Another recipe of that name gets a number behind it.
    """
    wanted = str(recipe.get("name") or "ohwx")
    name, number = wanted, 1
    while (below / name / "recipe.json").exists() and not _is_same(recipe, below / name):
        number += 1
        name = f"{wanted} {number}"
    return below / name


@contextmanager
def _read_as_found() -> Iterator[None]:
    """The boundary of a look at a training: whatever its folder makes of our reading is raised as a TrainingError."""
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:
        why = on_one_line(sentence_of(error))[:200]
        raise TrainingError(f"This training's folder is damaged ({why}). Repair or delete it.") from error


def _leads_out(folder: Path) -> bool:
    return folder.is_symlink() and folder.resolve().parent != folder.parent.resolve()


def _is_same(recipe: Mapping[str, Any], folder: Path) -> bool:
    there = read_object(folder / "recipe.json")
    wanted = Recipe.from_dict({**recipe, "output": str(folder)}).to_dict()
    return all(there.get(key) == value for key, value in wanted.items() if key not in ("output", "preset"))


def _state(now: Mapping[str, Any], step: int, steps: int) -> str:
    if now["status"] in ("ended", "none"):
        return "done" if steps and step == steps else "stopped"
    return "killed" if now["status"] == "cut off" else now["status"]


def _seconds_left(folder: Path, step: int, steps: int) -> float | None:
    """Estimated from the pace of the last steps; None before there is one."""
    if not is_plain_file(folder / "events.jsonl"):
        return None
    try:
        with (folder / "events.jsonl").open("rb") as file:
            file.seek(max((folder / "events.jsonl").stat().st_size - _PACE, 0))
            lines = file.read().split(b"\n", 1)[-1]
    except OSError:
        return None
    learned = [event for event in _read(lines) if _is_learned(event)]
    gained = learned[-1]["step"] - learned[0]["step"] if learned else 0
    if gained <= 0:
        return None
    return round((learned[-1]["time"] - learned[0]["time"]) / gained * (steps - step), 1)


def _read(lines: bytes) -> list[dict[str, Any]]:
    """Whole lines as events; a line that a kill cut short is left out."""
    found = []
    for line in lines.splitlines():
        try:
            found.append(parse_json(line))
        except ValueError:
            continue
    return [event for event in found if isinstance(event, dict)]


def _is_learned(event: Mapping[str, Any]) -> bool:
    numbers = (event.get("step"), event.get("time"))
    return event.get("event") == "Learned" and all(isinstance(number, int | float) for number in numbers)
