"""Killed five times at random moments, `ohwx experiment` ends with the files of the demo that was left alone."""

import os
import random
import shutil
import subprocess
import sys
import time

import pytest
from test_demo_killed import ROOT, files

from ohwx_compare.demo.work import STUDY
from ohwx_compare.files.ledger.reader import open_run

MADE = "no-reg/*.safetensors", "reg/*.safetensors", "*/images/*.png"


def made(folder):
    return sum(len(list(folder.glob(pattern))) for pattern in MADE)


def command(folder):
    return [sys.executable, "-m", "ohwx_compare", "experiment", str(folder / STUDY), "--out", str(folder),
            "--batch", "8", "--device", "cpu"]  # fmt: skip


@pytest.mark.slow(first=True)
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_killed_five_times(demo, tmp_path, capsys):
    """Twice while it trains, three times while it compares; each result is committed once."""
    folder, here, chance = demo[0], tmp_path / demo[0].name, random.Random(5)
    for name in ("datasets", "checkpoints", "detectors"):
        shutil.copytree(folder / name, here / name)
    shutil.copy(folder / STUDY, here)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    checkpoints, whole = sum(len(list(folder.glob(one))) for one in MADE[:2]), made(folder)
    moments = sorted([*chance.sample(range(checkpoints), 2), *chance.sample(range(checkpoints, whole - 1), 3)])
    told = []
    for moment in moments:
        running = subprocess.Popen(command(here), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        while made(here) <= moment and running.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.2))
        running.kill()
        running.wait()
        told.append((moment, made(here)))
    done = subprocess.run(command(here), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files(here) == files(folder)
    for name in ("comparison", "class", "faces"):
        ours, theirs = ([(c.cell, c.result.outcome, c.result.key) for c in open_run(at / name).cells]
                        for at in (here, folder))  # fmt: skip
        assert ours == theirs
    assert not list(here.rglob("*.unfinished"))
    with capsys.disabled():
        print(f"\nkilled at (files made, files made then) {told} of {whole}")  # noqa: T201
