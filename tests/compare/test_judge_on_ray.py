"""`ohwx judge --ray` on a real cluster that is started for the test; skipped without Ray."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch
from test_on_ray import actors_of

from ohwx_compare.cli.main import main
from ohwx_compare.files.ledger.measures import MeasureLedger
from ohwx_compare.files.ledger.reader import open_run

sys.path.append(str(Path(__file__).parents[1] / "judge"))

from planted_run import STYLES, planted_run

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


def scores(run):
    with MeasureLedger(run) as ledger:
        return {one.key: ledger.scores(one.key) for one in ledger.measures()}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc for the actors")
def test_one_of_two_actors_is_killed(mini, tmp_path, monkeypatch, capsys):
    """Style kept, diversity and seams: numbers and report are one process's, nothing is scored twice."""
    pytest.importorskip("ray", reason="needs `pip install ray`")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("OHWX_RUN", "judge")
    here = tmp_path / "here"
    (here / "models").mkdir(parents=True)
    shutil.copy(mini, here / "models" / "base.safetensors")
    run, threads = planted_run(here, styles=STYLES[:4], seeds=(1, 2, 3, 4), has_face_pass=True), torch.get_num_threads()
    shutil.copytree(run, tmp_path / "before")
    torch.set_num_threads(1)
    assert main(["judge", str(run)]) == 0
    torch.set_num_threads(threads)
    alone, report = scores(run), (run / "judge.md").read_text(encoding="utf-8")
    shutil.rmtree(run)
    shutil.copytree(tmp_path / "before", run)
    add, added = MeasureLedger.add, []

    def adding(ledger, key, rows):
        if not added:
            os.kill(actors_of("judge")[0], signal.SIGKILL)
        added.extend((key, row.picture, row.control) for row in rows)
        add(ledger, key, rows)

    monkeypatch.setattr(MeasureLedger, "add", adding)
    assert main(["judge", str(run), "--ray", "auto", "--workers", "2", "--adopt"]) == 0
    assert len(set(added)) == len(added)
    assert "is gone" in capsys.readouterr().err
    assert scores(run) == alone
    assert (run / "judge.md").read_text(encoding="utf-8") == report
    assert open_run(run).cells
