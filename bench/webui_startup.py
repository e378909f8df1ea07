"""What our extension adds to a webui's start: in the webui's own phases, and in CPU time.

usage: python bench/webui_startup.py --start "python launch.py --api ..." --data-dir FOLDER [--turns 3] [--json]

Run it by the webui's own interpreter. FOLDER is a data folder of that webui, with checkpoints and other extensions and
without ours; no other webui may use it meanwhile. The webui starts without ours and with a copy of this working tree,
whose bytecode is written before, in turns; start it once beforehand for its own. Printed are medians, in seconds:

- wall: the phases of the webui's line "Startup time: ...", unrounded; other programs on the machine lengthen them;
- CPU: the same phases in CPU time of the starting thread (scripts: of the process, for ours registers in a thread), and
  that of the whole process: beside other programs everything takes more CPU time, and the share says by how much;
- ours: CPU time in which our files ran: their import, our `ui` and our callbacks. What the webui does later with the
  components that we add is not in it, but in the difference of the phases, which has the noise of all else too.

A small extension in FOLDER, taken away at the end, counts CPU time: it wraps functions of the webui.
"""

import argparse
import compileall
import json
import shlex
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OURS, PROBE = "sd-webui-ohwx-compare", "00-startup-probe"  # extensions are loaded by name
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", "tests", "docs", ".*_cache")
PHASES = ("load scripts", "create ui", "app_started_callback")  # where an extension's time goes
TOLD = "Startup probe: "
COUNTING = f"""
import json, time
from collections import Counter
from dataclasses import is_dataclass, replace
from modules import script_loading, timer

cpu, ours, depth = Counter(), Counter(), [0]
last = [time.thread_time(), time.process_time()]


def counted(name, function, clock=time.thread_time):
    def call(*given, **named):
        if depth[0]:
            return function(*given, **named)
        depth[0] = 1
        began = clock()
        try:
            return function(*given, **named)
        finally:
            ours[name] += clock() - began
            depth[0] = 0
    return call


def load(path, of_the_webui=script_loading.load_module):
    if {OURS!r} not in str(path):
        return of_the_webui(path)
    module = counted("import", of_the_webui, time.process_time)(path)
    if str(path).endswith("preload.py"):
        return module
    for entry in list(vars(module).values()):
        for name in ("__init__", "ui", "show", "title", "_see", "_tell"):
            if isinstance(entry, type) and name in vars(entry):
                setattr(entry, name, counted(name, vars(entry)[name]))
    from modules.script_callbacks import callback_map
    for listed in callback_map.values():
        for number, one in enumerate(listed):
            if one.callback.__module__.startswith("ohwx_compare"):
                changed = {{"callback": counted(one.callback.__name__, one.callback)}}
                listed[number] = replace(one, **changed) if is_dataclass(one) else one._replace(**changed)
    return module


def record(self, category, *given, of_the_webui=timer.Timer.record, **named):
    if self is timer.startup_timer:
        now = [time.thread_time(), time.process_time()]
        phase = (self.base_category + category).partition("/")[0]
        which = phase == "load scripts"
        cpu[phase] += now[which] - last[which]
        last[:] = now
    return of_the_webui(self, category, *given, **named)


def summary(self, of_the_webui=timer.Timer.summary):
    if self is timer.startup_timer:
        told = {{"wall total": self.total, "CPU total": time.process_time(), "ours": sum(ours.values())}}
        told |= {{"ours: " + name: seconds for name, seconds in ours.items()}}
        for phase in {PHASES!r}:
            told |= {{"wall " + phase: self.records.get(phase, 0.0), "CPU " + phase: cpu[phase]}}
        print({TOLD!r} + json.dumps(told), flush=True)
    return of_the_webui(self)


script_loading.load_module = load
timer.Timer.record, timer.Timer.summary = record, summary
"""


def started(command: Sequence[str], data: Path, seconds: float) -> dict[str, float]:
    """One start, ended once it has told its times.

    Raises SystemExit with the end of its log where it ends before or takes longer than `seconds`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = data / "startup-log.txt"
    with log.open("wb") as file:
        flags = ["--port", str(port), "--data-dir", str(data)]
        process = subprocess.Popen([*command, *flags], stdout=file, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until and process.poll() is None:
            text = log.read_text(encoding="utf-8", errors="replace")
            if "Startup time: " in text and TOLD in text:
                return json.loads(text.split(TOLD)[1].splitlines()[0])
            time.sleep(0.5)
    finally:
        process.kill()
        process.wait()
    raise SystemExit(f"the webui has not started; the end of its log:\n{text[-2000:]}")


def measure(command: Sequence[str], data: Path, turns: int, seconds: float) -> dict[str, Any]:
    """What the starts took, without ours and with it, in turns."""
    extensions = data / "extensions"
    ours, probe, aside = extensions / OURS, extensions / PROBE, data / "without"
    if ours.exists():
        raise SystemExit(f"{ours} is there; give a data folder without our extension")
    taken: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    probe.mkdir()
    try:
        (probe / "preload.py").write_text(COUNTING, encoding="utf-8")
        shutil.copytree(ROOT, aside, ignore=LEFT_OUT)
        compileall.compile_dir(aside, quiet=1)
        for _ in range(turns):
            taken["without"].append(started(command, data, seconds))
            aside.rename(ours)
            taken["with"].append(started(command, data, seconds))
            ours.rename(aside)
    finally:
        for folder in (probe, ours, aside):
            shutil.rmtree(folder, ignore_errors=True)
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", required=True, help="command that starts a webui in the foreground")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=900, help="until a start is given up")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    starts = measure(shlex.split(given.start), given.data_dir.resolve(), given.turns, given.seconds)
    if given.json:
        print(json.dumps(starts))
        return
    names = ["wall total", "CPU total", *(f"{kind} {phase}" for phase in PHASES for kind in ("wall", "CPU")), "ours"]
    print(f"{'medians of ' + str(given.turns):<28}{'without':>10}{'with':>10}{'added':>10}")
    names += sorted({name for one in starts["with"] for name in one if name.startswith("ours: ")})
    for name in names:
        without, added = (statistics.median(one.get(name, 0.0) for one in starts[way]) for way in ("without", "with"))
        print(f"{name:<28}{without:>9.3f}s{added:>9.3f}s{added - without:>9.3f}s")


if __name__ == "__main__":
    main()
