"""A process for each device: real spawned processes with the real engine, asked over pipes."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawing_runs import contents
from phased_run import TWELVE

from ohwx_compare.compare.crew import Crew
from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.compare.station import DistantWorker
from ohwx_compare.core import events
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.errors import CheckpointError, HostError, WorkerGoneError
from ohwx_compare.files import arrivals
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.machines.native_station import NativeSettings
from ohwx_compare.hosts.machines.processes import processes
from ohwx_compare.hosts.native import Beside, NativeHost

SMALL = replace(TWELVE, job=replace(TWELVE.job, steps=2))


def settings(tiny, goldens):
    return NativeSettings(checkpoints=tiny, device="cpu", beside=Beside(), detectors=(goldens,))


def draw(host, tiny, goldens, out, told=None):
    return draw_run(
        SMALL, host, lambda name: find_detector(name, [goldens]), out, (told if told is not None else []).append,
        resolve=in_folder(tiny, {}), options=Options(batch=2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def alone(tiny, goldens, tmp_path_factory):
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("alone") / "out"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert draw(NativeHost([tiny], device="cpu"), tiny, goldens, out).drawn == 12
    torch.set_num_threads(threads)
    return contents(out)


@pytest.mark.slow
def test_two_processes_and_one_that_is_killed(alone, tiny, goldens, tmp_path):
    """Their pictures are one process's, errors cross as they are, and a kill costs what was in hand."""
    told, killed = [], []
    own = replace(settings(tiny, goldens), threads=1)
    with processes(own, ["cpu", "cpu"]) as crew:
        card = crew[0].about()
        assert (card.dtype, torch.__version__ in card.versions) == ("float32", True)
        with pytest.raises(CheckpointError, match="none"):
            crew[0].sha256(Checkpoint("none", tmp_path / "none.safetensors"))
        pid = crew[1]._ask.__self__._process.pid

        def listen(event):
            told.append(event)
            if isinstance(event, events.Image) and not killed:
                killed.append(os.kill(pid, signal.SIGKILL if os.name != "nt" else signal.SIGTERM))

        class Telling(list):
            def append(self, event):
                listen(event)

        assert draw(Crew(crew), tiny, goldens, tmp_path / "out", Telling()).failed == 0
        with pytest.raises(WorkerGoneError, match=r"cpu \(2\) is gone"):
            crew[1].about()
    assert contents(tmp_path / "out") == alone
    assert Counter(e.number for e in told if isinstance(e, events.Image)) == Counter(range(1, 13))
    assert sum("The others generate" in e.words for e in told if isinstance(e, events.Told)) <= 1


@pytest.mark.slow
def test_a_checkpoint_that_is_not_there_is_sent(tiny, goldens, tmp_path, monkeypatch):
    """A process that looks elsewhere (a relative path means another folder to it) gets the bytes, once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setattr(arrivals, "SENT_BLOCK", 100_000)
    with processes(settings(tiny, goldens), ["cpu"]) as (there,):
        monkeypatch.chdir(tiny)
        wanted = Checkpoint("tiny_base.safetensors", Path("tiny_base.safetensors"))
        with pytest.raises((CheckpointError, HostError), match="tiny_base"):
            there.use(wanted)
        asked = []

        def ask(what, *given):
            asked.append(what)
            return there._ask(what, *given)

        sending = DistantWorker("far", ask, there.close, sends=True)
        loaded = sending.use(wanted)
        assert loaded.sha256 == hashlib.sha256(wanted.path.read_bytes()).hexdigest()
        assert loaded.checkpoint == wanted
        assert asked.count("receive") > 1
        again = DistantWorker("again", ask, there.close, sends=True)
        asked.clear()
        assert again.use(wanted) == loaded
        assert "receive" not in asked


@pytest.mark.slow
def test_from_the_command_line(tiny, goldens, tmp_path):
    (tmp_path / "e.json").write_text(json.dumps(SMALL.to_dict()), encoding="utf-8")
    command = [sys.executable, "-m", "ohwx_compare", "compare", str(tmp_path / "e.json"), "--device", "cpu,cpu",
               "--checkpoints", str(tiny), "--detectors", str(goldens), "--batch", "2", "--linear", "torch",
               "--out", str(tmp_path / "out")]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "12 generated, 0 reused, 0 failed, 0 skipped" in done.stdout


def committed(out: Path) -> set[int]:
    try:
        return {c.cell.number for c in open_run(out).cells if c.result.outcome is not Outcome.PENDING}
    except Exception:  # noqa: BLE001  not begun
        return set()


def children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in told.read_text().split()] if told.exists() else []


def spawned(pid: int) -> list[int]:
    """Its workers; beside them it has a process that tracks resources."""
    return [child for child in children(pid) if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


@pytest.mark.slow(first=True)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc for the processes' children")
def test_killed_at_random_moments(alone, tiny, goldens, tmp_path, capsys):
    """Three runs, in each SIGKILL of a worker, then of the head: the end is an undisturbed run's, no cell twice."""
    script = Path(__file__).with_name("shared_run.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    chance, table = random.Random("killed"), []
    for number in range(3):
        out = tmp_path / str(number) / "out"
        command = [sys.executable, str(script), str(tiny), str(goldens), str(out)]
        running, seen = subprocess.Popen(command, env=environment), []
        for _ in range(2):
            reached = seen[-1] if seen else 0
            while running.poll() is None and len(committed(out)) <= reached:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 1))
            workers = spawned(running.pid)
            seen.append(len(committed(out)))
            if running.poll() is None:
                os.kill(running.pid if len(seen) == 2 else chance.choice(workers), signal.SIGKILL)
        before, log = committed(out), out.with_suffix(".log")
        running.wait(300)
        drawn = len(log.read_text().splitlines())
        assert subprocess.run(command, env=environment, check=False, timeout=600).returncode == 0
        told = [int(line) for line in log.read_text().splitlines()]
        assert not set(told[drawn:]) & before
        assert contents(out) == alone
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)  # nobody is left behind
        assert max(Counter(told).values()) == 1
        table.append(tuple(seen))
    with capsys.disabled():
        print(f"\ncells committed when a worker, then the head was killed: {table}")  # noqa: T201


@pytest.mark.slow(first=True)
@pytest.mark.skipif(os.name == "nt", reason="a process there gets Ctrl-C with its whole console")
def test_ctrl_c_lets_each_finish_and_a_second_one_stops(alone, tiny, goldens, tmp_path):
    """Both leave what the same command ends as an undisturbed run ends; no process stays."""
    (tmp_path / "e.json").write_text(json.dumps(SMALL.to_dict()), encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for times in (1, 2):
        out = tmp_path / str(times) / "out"
        command = [sys.executable, "-m", "ohwx_compare", "compare", str(tmp_path / "e.json"), "--device", "cpu,cpu",
                   "--checkpoints", str(tiny), "--detectors", str(goldens), "--batch", "2", "--linear", "torch",
                   "--out", str(out)]  # fmt: skip
        running = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while running.poll() is None and not committed(out):
            time.sleep(0.02)
        workers = spawned(running.pid)
        for _ in range(times):
            running.send_signal(signal.SIGINT)
            time.sleep(0.2)
        said = running.communicate(timeout=300)[1]
        assert running.returncode == 130
        assert "Finishing the current batch of pictures" in said
        assert "Traceback" not in said
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
        assert 0 < len(committed(out)) < 12
        assert subprocess.run(command, env=environment, capture_output=True, check=False, timeout=600).returncode == 0
        ours, (files, _, cells, _) = contents(out), alone
        pictures = {name: file for name, file in ours[0].items() if name.startswith("images/")}
        assert pictures == {name: file for name, file in files.items() if name.startswith("images/")}
        assert ours[2] == cells
