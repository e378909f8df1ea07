"""A disk that fails, fills or loses its process at any operation: what was made stays, and the next run ends the same.

`ohwx_compare.testing.faults` counts the operations; the host draws mosaics, all else is real.
"""

import errno
import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from drawing_runs import contents
from fault_runs import Faulty, files
from killed_run import EXPERIMENT, Detector

from ohwx_compare.cli import drawing, face, replay
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.infotext.infotext import from_job, render
from ohwx_compare.engine import detect
from ohwx_compare.files.images import write_png
from ohwx_compare.testing.fake_host import FakeHost

BOTH = (Axis("checkpoint", (CheckpointRef("a"), CheckpointRef("b"))), Axis("seed", (1, 2)))
FORKS = pytest.mark.skipif(os.name == "nt", reason="Windows cannot fork")
KILL = pytest.param(None, marks=FORKS)
ERRORS = [errno.ENOSPC, errno.EIO]
ALL = [(errno.ENOSPC, 1, 4), (errno.EIO, 3, 4), pytest.param(None, 2, 2, marks=FORKS)]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`command("compare")`: four cells with faces, or the face pass or replay of two pictures."""
    models, pictures = tmp_path / "models", tmp_path / "pictures"
    models.mkdir()
    pictures.mkdir()
    for name in "ab":
        (models / f"{name}.safetensors").write_bytes(name.encode() * 40)

    def host(*args):
        made = FakeHost(models)
        made.device = SimpleNamespace(type="cpu")
        return made

    for module in (drawing, face, replay):
        monkeypatch.setattr(module, "native_host", host)
    monkeypatch.setattr(detect, "find_detector", lambda *args, **kwargs: Detector())
    experiment = replace(EXPERIMENT, axes=BOTH)
    (tmp_path / "e.json").write_text(json.dumps(experiment.to_dict()), encoding="utf-8")
    own = host()
    own.use(own.checkpoints()[0])
    for seed in (1, 2):
        job = replace(experiment.job, seed=seed)
        text = render(from_job(job, model="a", model_hash="", faces=experiment.faces))
        write_png(pictures / f"{seed}.png", next(iter(own.render([job]))).image, text)
    given = {
        "compare": [str(tmp_path / "e.json"), "--batch", "2"],
        "face": [str(pictures)],
        "replay": [str(pictures / "1.png"), str(pictures / "2.png")],
    }

    def made(name):
        line = [name, *given[name], "--checkpoints", str(models), "--out"]
        return Faulty(lambda out: [*line, str(out)], contents if name == "compare" else files, tmp_path)

    return made


@pytest.mark.parametrize("name", ["face", "replay"])
@pytest.mark.parametrize("error", [*ERRORS, KILL])
def test_pictures(command, name, error):
    assert command(name).sweep(error=error) >= 6


@pytest.mark.parametrize(("error", "first"), [(errno.ENOSPC, 1), (errno.EIO, 10), pytest.param(None, 19, marks=FORKS)])
def test_a_run_at_some(command, error, first):
    assert command("compare").sweep(error=error, first=first, every=29) >= 3


def test_a_disk_that_stays_full(command):
    assert command("compare").sweep(error=errno.ENOSPC, every=41, stays=True) >= 2


@FORKS
@pytest.mark.parametrize("kills", [False, True])
def test_a_write_that_breaks_off(command, kills):
    """SQLite's own as well: of the ledger's last page, and of the run's page, which is the largest file."""
    run = command("compare")
    run.expected()
    ledger, page = ((run.folder / "whole" / "out" / name).stat().st_size for name in ("run.sqlite", "index.html"))
    assert run.sweep_sizes([700, ledger - 1, page - 9], kills=kills) == 3


@FORKS
@pytest.mark.parametrize("kills", [False, True])
def test_a_picture_that_breaks_off(command, kills):
    """In a run the ledger grows larger first: here there is none."""
    run = command("face")
    size = max(len(data) for data in run.expected().values())
    assert run.sweep_sizes([size // 2, size - 9], kills=kills) == 2


@pytest.mark.slow
def test_sqlite_finds_the_disk_full_within_a_transaction(command, monkeypatch):
    """Not at its COMMIT: a row that needs a page more is refused at once."""
    said = []
    check = Faulty.check
    monkeypatch.setattr(Faulty, "check", lambda self, *told: said.append(told[2]) or check(self, *told))
    assert command("compare").sweep(error=errno.ENOSPC, operations=("grow",), every=2) >= 3
    assert any("database or disk is full" in text for text in said)


@pytest.mark.slow(first=True)
@FORKS
@pytest.mark.parametrize("kills", [False, True])
def test_a_write_that_breaks_off_anywhere(command, kills):
    run = command("compare")
    run.expected()
    sizes = [path.stat().st_size for path in (run.folder / "whole" / "out").rglob("*.*") if path.is_file()]
    pages = range(4096, (run.folder / "whole" / "out" / "run.sqlite").stat().st_size + 1, 4096)
    tried = {
        *(page - kills for page in pages),  # whole pages, or a byte less
        *(max(size - 9, 1) for size in sizes),
        *(size // 2 for size in sizes),
    }
    assert run.sweep_sizes(sorted(tried), kills=kills) >= 15


@pytest.mark.slow(first=True)
@pytest.mark.parametrize(("error", "first", "every"), ALL)
def test_a_run_at_every(command, error, first, every):
    """Half of the operations end in a kill, the other half in one of the two errors, which they take by turns."""
    assert command("compare").sweep(error=error, first=first, every=every) >= 80 // every
