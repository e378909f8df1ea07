"""Whole experiments of the training tab: `ohwx experiment` in a process of its own, found again by its folder.

The process outlives the webui, as a training does. What it does is read from its folder, below
`outputs/ohwx/experiments`; a page of a comparison, or of the answer, is made anew from the comparison's ledger.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ohwx_compare.errors import ExperimentError, Interrupted, NotHereError
from ohwx_compare.files.atomic import is_plain_file, write_text
from ohwx_compare.files.inner import inside
from ohwx_compare.files.json_file import json_text, parse_json, read_object
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.hosts.webui.folders import checkpoint_folders, detector_folders, experiments_folder
from ohwx_compare.hosts.webui.tab.experiment_file import read_asked, with_whole_paths
from ohwx_compare.hosts.webui.tab.http import HttpRequest, Turn
from ohwx_compare.hosts.webui.tab.room import make_room
from ohwx_compare.hosts.webui.tab.run_list import read_as_found
from ohwx_compare.hosts.webui.tab.run_pages import RunPages
from ohwx_compare.train.outside import child, controls
from ohwx_compare.words import on_one_line, quoted

__all__ = ["ExperimentJobs"]

_FILE = "experiment.json"
_LONGEST_NAME = 80
_SENTENCE, _SENTENCES, _COMPARISONS = 2_000, 20, 50  # at most: characters of one, and how many
_STATES = {"ended": "stopped", "none": "stopped", "cut off": "killed"}  # of a status; the others are their own


class ExperimentJobs:
    """What the tab asks for. Every method takes and gives JSON values and raises OhwxError with a sentence."""

    def __init__(self) -> None:
        self._planning, self._judging = Turn(), Turn()
        self._answers: dict[str, tuple[str, str]] = {}  # of an experiment: the comparison and its page, the last one
        self.pages = RunPages(_comparison, lambda: next(iter(checkpoint_folders()), None))

    def all(self) -> dict[str, Any]:
        """`{"experiments": [...]}`, each as `one` tells it, the one started last first."""
        try:
            names = [path.name for path in experiments_folder().iterdir()]
        except OSError:  # none yet
            names = []
        told = [self._told(_folder(name)) for name in names if _is_experiment(name)]
        return {"experiments": sorted(told, key=lambda one: one["started"], reverse=True)}

    def one(self, name: str) -> dict[str, Any]:
        """An experiment: how far it is; at the end what it found and where. Raises NotHereError."""
        return self._told(_folder(name))

    def plan(self, text: str, name: str, check: Callable[[], None]) -> dict[str, Any]:
        """What `ohwx experiment --plan` says: `{"name", "lines", "problems"}`; name: of its folder.

        check: called while it is at work; what it raises ends it. Raises ExperimentError.
        """
        folder, data = _asked(text, name)
        told = self._plan(folder, data, check)
        return {"name": folder.name, "lines": told["lines"], "problems": told["problems"]}

    def start(self, text: str, name: str, check: Callable[[], None]) -> dict[str, Any]:
        """Start an experiment, or resume the same one; where the GPU is too full, the webui's model is unloaded."""
        return self._start(*_asked(text, name), check)

    def resume(self, name: str, check: Callable[[], None]) -> dict[str, Any]:
        """Start one again as it stands in its folder. Raises NotHereError, ExperimentError."""
        folder = _folder(name)
        return self._start(folder, with_whole_paths(read_object(folder / _FILE), folder), check)

    def stop(self, name: str) -> dict[str, Any]:
        """Ask one to stop; it obeys after its current step or pictures. Raises NotHereError, ExperimentError."""
        folder = _folder(name)
        try:
            controls.ask(folder, "stop")
        except OSError as error:
            raise ExperimentError(f"{name} cannot be asked: {error.strerror or error}.") from error
        return self._told(folder)

    def page(self, method: str, ask: HttpRequest) -> Any:
        """What the page of a comparison gets. Raises NotHereError and what the route raises."""
        name, run = ask.path["experiment"], ask.path["run"]
        path = {"run": f"{name}/{run}", "path": ask.path["path"]}
        return self.pages.answer(method, HttpRequest(path, ask.query, ask.headers, ask.body, ask.check))

    def answer(self, name: str) -> dict[str, Any]:
        """Make the page of its answer, by what was measured; see `one`. Raises NotHereError, OhwxError."""
        folder = _folder(name)
        run = self._told(folder)["judged"]
        if not run:
            raise NotHereError(f"{name} has no answer yet; press Resume.")
        data, comparison = with_whole_paths(read_object(folder / _FILE), folder), _comparison(f"{name}/{run}")
        with self._judging.taken(lambda: None), read_as_found(comparison):
            page = _page(data.get("judge") or {}, comparison, Path(data["recipe"]["base"]))
        self._answers = {folder.name: (run, page)}
        return self._told(folder)

    def report(self, name: str, run: str) -> str:
        """The page as it was made here: a folder's own files are never served. Raises NotHereError."""
        made, page = self._answers.get(name, ("", ""))
        if made != run or not page:
            raise NotHereError(f"The page of {name}'s answer was not made since the webui started; press The answer.")
        return page

    def _told(self, folder: Path) -> dict[str, Any]:
        told = _told(folder)
        made = self._answers.get(folder.name, ("", ""))[0]
        at = f"ohwx/experiments/{quote(folder.name, safe='')}/{quote(made, safe='')}/judge.html"
        return {**told, "answer": at if made and made == told["judged"] else None}

    def _start(self, folder: Path, data: Mapping[str, Any], check: Callable[[], None]) -> dict[str, Any]:
        if child.look(folder)["status"] in ("starting", "running"):
            raise ExperimentError(f"{folder.name} is at work already; stop it first, or wait for it.")
        told = self._plan(folder, data, check)
        if told["problems"]:
            raise ExperimentError(told["problems"][0])
        make_room(max(plan["memory_bytes"]["total"] for plan in told["trainings"].values()))
        file = folder / _FILE
        child.begin(folder, _command(file, folder), lambda: write_text(file, json_text(data, indent=2) + "\n"))
        return self._told(folder)

    def _plan(self, folder: Path, data: Mapping[str, Any], check: Callable[[], None]) -> dict[str, Any]:
        with self._planning.taken(check), tempfile.TemporaryDirectory() as place:
            file = Path(place) / _FILE
            write_text(file, json_text(data))
            out, said = _output([*_command(file, folder), "--plan", "--json"], check)
        problems = [line.removeprefix("ohwx: ") for line in said.splitlines() if line.strip()]
        if not out.strip():
            raise ExperimentError((problems or ["It ended without a word."])[-1].replace(str(file), "The file"))
        return {**parse_json(out), "problems": problems}


def _asked(text: str, name: str) -> tuple[Path, dict[str, Any]]:
    """Folder and content: the same folder again for the same experiment, a number behind the name for another."""
    called, data = read_asked(text)
    name = name.strip() or called
    if not is_plain_name(name) or len(name) > _LONGEST_NAME:
        raise ExperimentError(
            f"{quoted(name)} becomes a folder; give it a plain name of at most {_LONGEST_NAME} letters."
        )
    data = parse_json(json_text(data))  # as it is read again
    folder, number = experiments_folder() / name, 1
    while is_plain_file(folder / _FILE) and read_object(folder / _FILE) != data:
        number += 1
        folder = experiments_folder() / f"{name} {number}"
    if folder.is_symlink():
        raise ExperimentError(f"{quoted(folder.name)} is a link; give the experiment another name.")
    return folder, data


def _is_experiment(name: str) -> bool:
    try:
        return bool(_folder(name))
    except NotHereError:
        return False


def _folder(name: str) -> Path:
    """Raises NotHereError, for a link that leads out too."""
    found = inside(experiments_folder(), name) if "/" not in name else None
    if found is None or not is_plain_file(found / _FILE):
        raise NotHereError(f"There is no experiment {quoted(name)}.")
    return found


def _comparison(name: str) -> Path:
    """The run folder of "experiment/comparison". Raises NotHereError."""
    experiment, _, run = name.partition("/")
    found = inside(_folder(experiment), run)
    if "/" in run or not is_plain_file(found / LEDGER_FILE):
        raise NotHereError(f"There is no comparison {quoted(run)}.")
    return found


def _told(folder: Path) -> dict[str, Any]:
    now, data = child.look(folder), read_object(folder / _FILE)
    said = [on_one_line(str(one))[:_SENTENCE] for one in now.get("said", [])[:_SENTENCES]]
    is_whole = now["status"] == "ended" and "said" in now
    named = data.get("comparisons")
    names = [name for name in named if is_plain_name(name)][:_COMPARISONS] if isinstance(named, dict) else []
    at = f"ohwx/experiments/{quote(folder.name, safe='')}"
    there = [name for name in names if is_plain_file(folder / name / LEDGER_FILE)]
    judged = now.get("judged") if is_whole and now.get("judged") in there else None
    return {
        "id": folder.name,
        "state": "done" if is_whole else _STATES.get(now["status"], now["status"]),
        "doing": on_one_line(now.get("doing", ""))[:_SENTENCE],
        **{name: now.get(name, 0) for name in ("part", "parts", "step", "steps", "started")},
        "error": now.get("error") and on_one_line(now["error"])[:_SENTENCE],
        "said": said if is_whole else [],
        "judged": judged,
        "comparisons": [{"name": name, "page": f"{at}/{quote(name, safe='')}/index.html"} for name in there],
        "folder": f"outputs/ohwx/experiments/{folder.name}",
    }


def _command(file: Path, folder: Path) -> list[str]:
    """`ohwx experiment`, as anybody may call it."""
    detectors = [text for place in detector_folders() if place.is_dir() for text in ("--detectors", str(place))]
    return ["experiment", str(file), "--out", str(folder), *detectors]


def _output(command: list[str], check: Callable[[], None]) -> tuple[str, str]:
    """What one of our commands writes, to its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ohwx_compare", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=child.ROOT,
        env=child.environment(os.environ),
        encoding="utf-8",
        errors="replace",
    )
    with process:
        while True:
            try:
                return process.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                try:
                    check()
                except BaseException:
                    process.kill()
                    raise


def _page(judge: Mapping[str, str], comparison: Path, base: Path) -> str:
    """The answer's page; what the ledger lacks is not measured here."""
    from ohwx_compare.judge.run.asked import judge_asked
    from ohwx_compare.judge.run.judging import judge_folder
    from ohwx_compare.look.report.page import render_judgement

    detectors = [place for place in detector_folders() if place.is_dir()]
    request = judge_asked(judge, comparison, base, detectors, "cpu", adopt=False)
    try:
        return render_judgement(judge_folder(request, is_stopping=lambda: True))
    except Interrupted as error:
        raise NotHereError("Not all of this comparison is measured; press Resume.") from error
