"""`ohwx experiment --ray` on a real cluster that is started for the test; skipped without Ray."""

import os
import shutil
import subprocess
import sys

import pytest
from test_demo_killed import ROOT, files

from ohwx_compare.demo.work import STUDY


@pytest.mark.slow
def test_two_actors_carry_out_the_demo(demo, tmp_path):
    """Trained side by side and compared together: weights, pictures and sheets are one process's."""
    pytest.importorskip("ray", reason="needs `pip install ray`")
    folder, here = demo[0], tmp_path / demo[0].name
    for name in ("datasets", "checkpoints", "detectors"):
        shutil.copytree(folder / name, here / name)
    shutil.copy(folder / STUDY, here)
    given = [str(here / STUDY), "--out", str(here), "--batch", "8", "--ray", "auto", "--workers", "2"]
    command = [sys.executable, "-m", "ohwx_compare", "experiment", *given]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files(here) == files(folder)
