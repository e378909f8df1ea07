"""A training in a process of its own, which outlives whoever started it: started detached, found again by its folder.

The process itself is never asked. The lock it holds tells whether it is alive (files/lock.py), `state.json` and
`events.jsonl` tell what it does, and files tell it what to do (train/outside/controls.py).
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ohwx_compare.errors import TrainingError
from ohwx_compare.files.atomic import is_plain_file, write_text
from ohwx_compare.files.json_file import read_object
from ohwx_compare.files.lock import is_held
from ohwx_compare.train.outside import controls
from ohwx_compare.train.recipe.recipe import Recipe, write_recipe

__all__ = ["ROOT", "environment", "is_awaited", "look", "start"]

LOG = "train.log"
OF_A_RUN = (LOG, "events.jsonl", "samples", "state")  # what is written into without being made anew
ROOT = Path(__file__).parents[3]
STARTING = 120.0  # seconds that a child may take until it holds its folder
ENDING = 10.0  # and that one may hold it after it said its end
STATUSES = ("starting", "running", "paused", "ended", "failed", "cut off")
_NUMBER = (int, float)
_KINDS: Mapping[str, Any] = MappingProxyType({
    "status": str, "pid": int, "step": int, "steps": int, "epoch": int, "loss": _NUMBER, "started": _NUMBER,
    "time": _NUMBER, "error": str, "saved": list, "name": str,
})  # fmt: skip
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
        for name in OF_A_RUN:
            if (folder / name).is_symlink():
                raise TrainingError(f"{folder / name} is a link, and this run would write through it; delete it.")
        if _is_busy(folder):
            raise TrainingError(f"Another run is writing to {folder}; wait for it, or choose another output.")
        controls.clear(folder)
        write_recipe(folder / "recipe.json", recipe)
        began = time.time()
        with (folder / LOG).open("ab") as log:
            process = _spawn(folder, device, log)
        _note(folder, {"status": "starting", "pid": process.pid, "started": began, "time": began})
    except OSError as error:
        raise TrainingError(f"No run can start in {folder} ({error.strerror or error}); choose another one.") from error
    threading.Thread(target=_see_off, args=(process, folder), daemon=True).start()
    return process.pid


def _is_busy(folder: Path) -> bool:
    """Whether a run holds `folder`; one that said its end lets go within moments, which are waited for."""
    latest = time.monotonic() + ENDING
    while is_held(folder):
        if _state_in(folder)["status"] not in ("ended", "failed") or time.monotonic() > latest:
            return True
        time.sleep(0.05)
    return False


def look(folder: Path) -> dict[str, Any]:
    """The run in `folder` as it is now: `state.json`, its `status` checked against the lock, and the end of its log.

    A status is "none", "starting", "running", "paused", "ended", "failed" or "cut off"; a killed run is "cut off".
    """
    state = _state_in(folder)
    alive = is_held(folder)
    if state["status"] in ("running", "paused") and not alive:
        state["status"] = "cut off"
    if state["status"] == "starting" and not alive and time.time() - state["time"] > STARTING:
        state["status"] = "cut off"
    return {**state, "alive": alive, "log": _tail(folder / LOG)}


def is_awaited(folder: Path) -> bool:
    """Whether this process is the one that `start` started in `folder`; on Windows a launcher may stand between."""
    state = _state_in(folder)
    return state["status"] == "starting" and state.get("pid") in (os.getpid(), os.getppid())


def _state_in(folder: Path) -> dict[str, Any]:
    """`state.json`, as far as its values are of their kinds: a folder may be damaged, or a stranger's."""
    found = read_object(folder / "state.json")
    known = {name: value for name, value in found.items() if isinstance(value, _KINDS.get(name, object))}
    known = {name: value for name, value in known.items() if not (name in _KINDS and isinstance(value, bool))}
    if known.get("status") not in STATUSES:
        known["status"] = "none"
    return {"time": 0.0, **known}


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
    """Wait for the child; if it ended before it wrote a state, write one for it."""
    status = process.wait()
    now = look(folder)
    if now["status"] == "starting" and now.get("pid") == process.pid:  # and not the next one's
        said = _tail(folder / LOG).strip().rpartition("\n")[2].removeprefix("ohwx: ")
        end = {"status": "failed", "error": said} if status else {"status": "ended"}
        _note(folder, {**end, "pid": process.pid, "time": time.time()})


def _note(folder: Path, state: Mapping[str, Any]) -> None:
    write_text(folder / "state.json", json.dumps(state, ensure_ascii=False, indent=1) + "\n")


def _tail(path: Path, size: int = 4000) -> str:
    """The last `size` bytes of a log, as text; "" without one."""
    if not is_plain_file(path):
        return ""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read(size).decode("utf-8", "replace")
    except OSError:
        return ""
