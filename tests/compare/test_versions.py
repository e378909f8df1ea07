"""What earlier versions drew stays drawn: their folders go on, and their pictures are lent."""

from dataclasses import replace

import pytest
from drawing_runs import draw
from killed_run import EXPERIMENT
from later_version import LaterFace, LaterJob, come, grown

from ohwx_compare.compare.run import Options
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.files.ledger.reader import open_run

AS_DRAWN = replace(
    EXPERIMENT,
    job=replace(EXPERIMENT.job, width=32, height=32),
    axes=(Axis("checkpoint", (CheckpointRef("a"), CheckpointRef("b"))), Axis("seed", (1, 2))),
    faces=(replace(EXPERIMENT.faces[0], denoise=0.5),),
)
OF_VERSION = {"44c9ee7": AS_DRAWN, "schema_1": AS_DRAWN.with_checkpoints([CheckpointRef("a")])}


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*.*g")}


@pytest.mark.parametrize("version", OF_VERSION)
def test_a_run_of_an_earlier_version_goes_on_with_nothing_drawn(version, earlier):
    folder, experiment = earlier(version), OF_VERSION[version]
    before, rows = files(folder / "run"), [cell.result for cell in open_run(folder / "run").cells]
    result, opened, log, _ = draw(experiment, folder / "models", folder / "run")
    assert (result.drawn, result.reused, result.failed, log) == (0, len(rows), 0, [])
    assert [cell.result for cell in opened.cells] == rows
    assert files(folder / "run") == before


@pytest.mark.parametrize("version", OF_VERSION)
def test_it_grows_by_what_is_new_alone(version, earlier):
    folder, experiment = earlier(version), OF_VERSION[version]
    rows = {cell.result.key for cell in open_run(folder / "run").cells}
    more = replace(experiment, axes=(experiment.axes[0], Axis("seed", (3, 1, 2))))
    result, opened, log, _ = draw(more, folder / "models", folder / "run")
    new = [cell for cell in opened.cells if cell.cell.job.seed == 3]
    assert (result.drawn, result.reused) == (len(new), len(rows))
    assert {line.split()[2] for line in log if line.startswith("render")} == {"3"}
    assert rows < {cell.result.key for cell in opened.cells}


@pytest.mark.parametrize("version", OF_VERSION)
def test_its_pictures_are_lent(version, earlier, tmp_path):
    folder, experiment = earlier(version), OF_VERSION[version]
    result, _, log, _ = draw(
        experiment, folder / "models", tmp_path / "new", options=Options(batch=2, reuse=(folder / "run",))
    )
    assert (result.drawn, result.reused, result.failed, log) == (0, len(experiment.cells()), 0, [])
    assert files(tmp_path / "new") == files(folder / "run")
    assert draw(experiment, folder / "models", tmp_path / "new")[0].drawn == 0  # and once more, from its own rows


def of_later_version(experiment, **new):
    tabs = tuple(grown(LaterFace, tab, hair=new["hair"]) for tab in experiment.faces)
    return replace(experiment, job=grown(LaterJob, experiment.job, sharpness=new["sharpness"]), faces=tabs)


@pytest.mark.parametrize("place", ["the same folder", "another folder"])
def test_a_version_with_more_settings_finds_what_was_drawn_without(place, earlier, tmp_path, monkeypatch):
    folder = earlier("44c9ee7")
    come(monkeypatch)
    out = folder / "run" if place == "the same folder" else tmp_path / "new"
    reuse = {"options": Options(batch=2, reuse=() if out.name == "run" else (folder / "run",))}
    off = of_later_version(AS_DRAWN, sharpness=0.0, hair=False)
    result, opened, log, _ = draw(off, folder / "models", out, **reuse)
    assert (result.drawn, result.reused, log) == (0, 4, [])
    assert [cell.cell for cell in opened.cells] == list(off.cells())  # off, though that version starts with on
    on = of_later_version(AS_DRAWN, sharpness=0.0, hair=True)
    result, opened, log, _ = draw(on, folder / "models", tmp_path / "on", options=Options(reuse=(folder / "run",)))
    assert (result.drawn, len([line for line in log if line.startswith("render")])) == (4, 0)  # other faces alone
