"""Killed ten times at random moments, a run ends with the same file, byte for byte."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ohwx_compare.files.checkpoint import sha256

SCRIPT = Path(__file__).with_name("killed_training.py")
KILLS = 10


def start(recipe: Path) -> subprocess.Popen:
    paths = os.pathsep.join([str(SCRIPT.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(SCRIPT), str(recipe)], env=environment)


def phase(folder: Path) -> str:
    """What a killed run was doing, by what it left."""
    if list(folder.glob("*.safetensors.*.unfinished")):
        return "saving a checkpoint"
    if list((folder / "state").glob("*.unfinished")):
        return "saving the state"
    events = folder / "events.jsonl"
    lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
    return "stepping" if lines and json.loads(lines[-1])["event"] != "Started" else "starting"


@pytest.mark.slow(first=True)
def test_killed_ten_times(small, tmp_path):
    values = {
        **small, "epochs": None, "steps": 8, "save_every_epochs": None, "save_every_steps": 1, "state_every": 1,
        "precision": "bf16-stochastic", "optimizer": "adamw", "optimizer_args": {}, "ema": 0.7, "lr_te1": 1e-4,
    }  # fmt: skip

    def recipe(name: str) -> tuple[Path, Path]:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({**values, "output": str(tmp_path / name)}), encoding="utf-8")
        return path, tmp_path / name

    path, whole = recipe("whole")
    began = time.monotonic()
    assert start(path).wait() == 0
    seconds = time.monotonic() - began
    expected = sha256(whole / "me.safetensors")

    chance, phases, runs = random.Random(0), [], 0
    path, folder = recipe("run 0")
    while len(phases) < KILLS or not any(one.startswith("saving") for one in phases):
        assert len(phases) < 5 * KILLS, f"no save was hit: {phases}"
        process = start(path)
        try:
            process.wait(chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            phases.append(phase(folder))
            continue
        assert process.returncode == 0  # done before its hour came: another run
        assert sha256(folder / "me.safetensors") == expected
        runs += 1
        path, folder = recipe(f"run {runs}")
    assert start(path).wait() == 0
    assert sha256(folder / "me.safetensors") == expected
    left = [name.name for name in folder.rglob("*.unfinished")]
    assert not left
    print(f"{len(phases)} kills over {runs + 1} runs: " + ", ".join(phases))  # noqa: T201
