"""A set of pictures looked at for the training tab: `ohwx dataset` in a process of its own, followed by what it says.

A report lies in a folder of its own below `outputs/ohwx/datasets`, the same one each time, so a look that was stopped
is resumed. Crops go into a new folder there. Nothing is written among the pictures.
"""

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from modules import paths

from ohwx_compare.doctor.contact import sheet_name
from ohwx_compare.doctor.findings import PROBLEMS
from ohwx_compare.errors import ExperimentError, NotHereError
from ohwx_compare.files.json_file import read_object
from ohwx_compare.files.named_folder import require_named
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.hosts.webui.folders import detector_folders, detector_names, require_shown
from ohwx_compare.train.outside.child import ROOT, environment
from ohwx_compare.train.recipe.recipe import Recipe, write_recipe
from ohwx_compare.words import quoted

__all__ = ["DatasetJobs"]

_LOOKED = re.compile(r"([0-9]{1,9}) of ([0-9]{1,9}) pictures? looked at")
_SHOWN = 60  # files of one problem


@dataclass
class _Look:
    name: str
    report: Path
    crops: Path | None
    state: str = "drawing"  # drawing, stopped, done, failed
    done: int = 0
    total: int = 0
    said: str = ""  # its last line that counts no pictures
    found: dict[str, Any] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None


class DatasetJobs:
    """The looks of this start of the webui, one at a time; their reports stay."""

    def __init__(self) -> None:
        self._looks: dict[str, _Look] = {}
        self._guard = threading.Lock()

    def add(self, folder: Path, recipe: Mapping[str, Any], detector: str, *, crops: bool) -> dict[str, Any]:
        """Look at the pictures below `folder`, as sorted by `recipe`, and write crops if asked; see `job`.

        Raises ExperimentError for a folder, a recipe or a detector that cannot be used, and while another look is at
        work.
        """
        require_named(folder, require_shown)
        if detector and detector not in detector_names():
            raise ExperimentError(f"There is no detector {quoted(detector)} in the webui's folders; select another.")
        sorted_by = Recipe.from_dict({**recipe, "base": recipe.get("base") or "-", "output": "-"})
        report = _report_of(folder)
        with self._guard:
            busy = next((look for look in self._looks.values() if look.state == "drawing"), None)
            if busy and busy.name != report.name:
                raise ExperimentError(f"{busy.name} is being looked at; wait for it, or stop it.")
            if not busy:
                made = report / f"crops {datetime.now():%Y-%m-%d %H-%M-%S}" if crops else None
                self._looks[report.name] = look = _Look(report.name, report, made)
                _begin(look, folder, sorted_by, detector)
        return self.job(report.name)

    def job(self, name: str) -> dict[str, Any]:
        """`{"job", "state", "done", "total", "error", "report", "crops"}`, and what was found. Raises NotHereError."""
        look = self._known(name)
        error = look.said if look.state == "failed" else None
        told = {"job": name, "state": look.state, "done": look.done, "total": look.total, "error": error}
        crops = _from_data(look.crops) if look.crops and look.state == "done" else None
        return {**told, "report": _from_data(look.report), "crops": crops, "found": _told(look)}

    def stop(self, name: str) -> dict[str, Any]:
        """End it; what was looked at stays known. Raises NotHereError."""
        look = self._known(name)
        with self._guard:
            _end(look)
        return self.job(name)

    def sheet(self, name: str, path: str) -> Path:
        """A contact sheet of a look. Raises NotHereError."""
        look = self._known(name)
        if path not in map(sheet_name, PROBLEMS):
            raise NotHereError(f"There is no contact sheet {quoted(path)}.")
        return look.report / path

    def close(self) -> None:
        """End what is at work: the webui reloads its scripts."""
        with self._guard:
            for look in self._looks.values():
                _end(look)

    def _known(self, name: str) -> _Look:
        if name not in self._looks:
            raise NotHereError(f"{quoted(name)} was not looked at since the webui started; press the button again.")
        return self._looks[name]


def _begin(look: _Look, folder: Path, recipe: Recipe, detector: str) -> None:
    try:
        look.report.mkdir(parents=True, exist_ok=True)
        (look.report / "report.json").unlink(missing_ok=True)
        write_recipe(look.report / "recipe.json", recipe)
        look.process = subprocess.Popen(
            [*_command(look, folder), *(["--detector", detector] if detector else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment(os.environ),
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        look.state = "failed"
        raise ExperimentError(f"The pictures cannot be looked at: {error.strerror or error}.") from error
    threading.Thread(target=_follow, args=(look, look.process), name="ohwx dataset", daemon=True).start()


def _command(look: _Look, folder: Path) -> list[str]:
    """`ohwx dataset`, as anybody may call it."""
    folders = [text for place in detector_folders() if place.is_dir() for text in ("--detectors", str(place))]
    crops = ["--crops", str(look.crops)] if look.crops else []
    report = ["--report", str(look.report), "--recipe", str(look.report / "recipe.json")]
    return [sys.executable, "-m", "ohwx_compare", "dataset", str(folder), *report, *folders, *crops]


def _follow(look: _Look, process: "subprocess.Popen[str]") -> None:
    lines: IO[str] = process.stderr  # type: ignore[assignment]  # a pipe was asked for
    with lines:
        for line in map(str.strip, lines):
            if found := _LOOKED.fullmatch(line):
                look.done, look.total = int(found[1]), int(found[2])
            elif line:
                look.said = line.removeprefix("ohwx: ")
    status = process.wait()
    if look.state != "drawing":
        return
    look.found = read_object(look.report / "report.json") if status in (0, 1) else {}
    look.said = look.said or f"The look ended with status {status}."
    look.state = "done" if look.found else "failed"


def _end(look: _Look) -> None:
    if look.state == "drawing":
        look.state = "stopped"
        if look.process:
            look.process.terminate()


def _told(look: _Look) -> dict[str, Any] | None:
    """What the tab shows of the report that the process just wrote: of each problem its first files."""
    if look.state != "done":
        return None
    found = look.found
    files = [picture["file"] for picture in found["pictures"]]
    at = f"ohwx/datasets/{quote(look.name)}"
    problems = [
        {
            "name": name, "meaning": PROBLEMS[name], "count": len(places), "sheet": f"{at}/{quote(sheet_name(name))}",
            "files": [files[place] for place in places[:_SHOWN]],
        }
        for name, places in found["problems"].items()
    ]  # fmt: skip
    told = {name: found[name] for name in ("shots", "set", "detector")}
    return {**told, "pictures": len(files), "problems": problems}


def _report_of(folder: Path) -> Path:
    """Under the folder's own name, and a few digits of its whole path."""
    digits = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    name = folder.name if is_plain_name(folder.name) and len(folder.name) < 80 else "pictures"
    return _all_reports() / f"{name} {digits}"


def _all_reports() -> Path:
    return Path(paths.data_path) / "outputs" / "ohwx" / "datasets"


def _from_data(path: Path) -> str:
    """As the tab's fields name a folder: from the webui's data on."""
    return path.relative_to(paths.data_path).as_posix()
