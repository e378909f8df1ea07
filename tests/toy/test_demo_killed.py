"""Killed five times, a demo ends with the answer and the files of one that was left alone."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOMENTS = {  # files of which so many are there
    "datasets/*/*/*.png": 4,
    "no-reg/no-reg-000001.safetensors": 1,
    "reg/state/*.state": 1,
    "comparison/thumbs/*.jpg": 5,
    "faces/thumbs/*.jpg": 1,
}


def start(folder: Path, base: Path) -> subprocess.Popen:
    command = [sys.executable, Path(__file__).with_name("drawn_demo.py"), folder, base]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder.parent / "cache")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


def finished(folder: Path, base: Path):
    process = start(folder, base)
    told, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    return pickle.loads(told)


def files(folder: Path) -> dict[str, bytes]:
    found = [*folder.rglob("*.safetensors"), *folder.rglob("images/*.png"), *folder.rglob("sheet*.png")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.slow(first=True)
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_killed_five_times(mini, tmp_path):
    killed, quiet = tmp_path / "killed", tmp_path / "quiet"
    for pattern, count in MOMENTS.items():
        process = start(killed, mini)
        while len(list(killed.glob(pattern))) < count:
            assert process.poll() is None, f"it was over before there were {count} {pattern}"
            time.sleep(0.01)
        process.kill()
        process.communicate()
    assert finished(killed, mini) == finished(quiet, mini)
    assert files(killed) == files(quiet)
    assert not list(killed.rglob("*.unfinished"))
