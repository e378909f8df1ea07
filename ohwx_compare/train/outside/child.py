"""A training in a process of its own, which outlives whoever started it: started detached, found again by its folder.

Nothing is asked of the process itself. Whether it lives says the lock it holds (files/lock.py); what it does say
`state.json` and `events.jsonl`; what it should do is told by files (train/outside/controls.py).
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohwx_compare.errors import TrainingError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.lock import is_held
from ohwx_compare.train.recipe.recipe import Recipe, write_recipe

__all__ = ["environment", "look", "start"]

LOG = "train.log"
ROOT = Path(__file__).parents[3]
STARTING = 120.0  # seconds that a child may take until it holds its folder
# what a webui or a launcher sets for itself and a child must not inherit
OWN = (
    "LD_PRELOAD", "COMMANDLINE_ARGS", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "RANK", "LOCAL_RANK",
    "WORLD_SIZE",
)  # fmt: skip


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """A child's environment: `inherited` without the webui's own settings, this package found, UTF-8 everywhere."""
    kept = {name: value for name, value in inherited.items() if name not in OWN}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def start(recipe: Recipe, device: str | None = None) -> int:
    """Start `recipe` in a process of its own; returns its id.

    Raises TrainingError where a run is in that folder, or the folder cannot be used.
    """
    folder = Path(recipe.output).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if is_held(folder):
            raise TrainingError(f"Another run is writing into {folder}; wait for it or choose another output.")
        write_recipe(folder / "recipe.json", recipe)
        began = time.time()
        with (folder / LOG).open("ab") as log:
            process = _spawn(folder, device, log)
        _note(folder, {"status": "starting", "pid": process.pid, "started": began, "time": began})
    except OSError as error:
        raise TrainingError(f"No run can be started in {folder}: {error.strerror or error}.") from error
    threading.Thread(target=_see_off, args=(process, folder), daemon=True).start()
    return process.pid


def look(folder: Path) -> dict[str, Any]:
    """The run in `folder` as it is now: `state.json`, its `status` held against the lock, and the end of its log.

    A status is "none", "starting", "running", "paused", "ended", "failed" or "cut off"; a killed run is "cut off".
    """
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        state = {"status": "none"}
    alive = is_held(folder)
    if state["status"] in ("running", "paused") and not alive:
        state["status"] = "cut off"
    if state["status"] == "starting" and not alive and time.time() - state["time"] > STARTING:
        state["status"] = "cut off"
    return {**state, "alive": alive, "log": _tail(folder / LOG)}


def _spawn(folder: Path, device: str | None, log: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ohwx_compare", "train", str(folder / "recipe.json")]
    flags = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")  # Windows'
    return subprocess.Popen(
        [*command, *(["--device", device] if device else [])],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env=environment(os.environ),
        start_new_session=True,
        creationflags=sum(getattr(subprocess, name, 0) for name in flags),
    )


def _see_off(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for the child; where it never came to tell its state, tell it in its stead."""
    status = process.wait()
    now = look(folder)
    if now["status"] == "starting" and now["pid"] == process.pid:  # and not the next one's
        said = _tail(folder / LOG).strip().rpartition("\n")[2].removeprefix("ohwx: ")
        end = {"status": "failed", "error": said} if status else {"status": "ended"}
        _note(folder, {**end, "pid": process.pid, "time": time.time()})


def _note(folder: Path, state: Mapping[str, Any]) -> None:
    write_text(folder / "state.json", json.dumps(state, ensure_ascii=False, indent=1) + "\n")


def _tail(path: Path, size: int = 4000) -> str:
    """The last `size` bytes of a log, as text; "" without one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
