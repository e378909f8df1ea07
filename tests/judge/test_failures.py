"""What goes wrong silently is found in a run folder, and nothing is found in a run in which nothing did."""

import json
import sqlite3
from dataclasses import replace

import pytest
from PIL import Image

from ohwx_compare.cli.main import main
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import draw_run
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.control import Control
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.failures import found_in
from ohwx_compare.testing.fake_host import FakeHost, Faults

PLAIN = Experiment(
    job=Job(prompt="photo of ohwx man", seed=1, steps=4, width=64, height=64),
    axes=(Axis("checkpoint", (CheckpointRef("a"), CheckpointRef("b"))), Axis("seed", (1, 2))),
)


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models ü"
    folder.mkdir()
    for name in ("a", "b", "base"):
        (folder / f"{name}.safetensors").write_bytes(name.encode() * 99)
    return folder


def drawn(models, experiment=PLAIN, faults=None):
    out = models.parent / "run"
    host = FakeHost(models, faults=faults or Faults())
    draw_run(experiment, host, lambda name: None, out, resolve=in_folder(models, {}))
    return open_run(out)


def kinds(run):
    return {finding.kind: finding for finding in found_in(run)}


def rewritten(run, number, old, new):
    """The run with another infotext of one cell."""
    with sqlite3.connect(run.folder / "run.sqlite") as db:
        (text,) = db.execute("SELECT infotext FROM cells WHERE number = ?", (number,)).fetchone()
        assert old in text
        db.execute("UPDATE cells SET infotext = ? WHERE number = ?", (text.replace(old, new), number))
    return open_run(run.folder)


def test_nothing_is_found_where_nothing_went_wrong(models, capsys):
    control = Control.of(CheckpointRef("base"), "ohwx man")
    run = drawn(models, PLAIN.with_control(control))
    assert found_in(run) == ()
    assert main(["check", str(run.folder)]) == 0
    assert capsys.readouterr().out == "Nothing was found.\n"


def test_a_checkpoint_that_was_never_loaded(models, capsys):
    found = kinds(drawn(models, faults=Faults(sticks=True)))["same pixels"]
    assert found.cells == (1, 3, 2, 4)
    assert found.sentence.startswith("a and b drew the same pixels in 4 cells (1, 3, 2, ...)")
    assert main(["check", str(models.parent / "run"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["kind"] == "same pixels"


def test_a_checkpoint_that_equals_its_base(models):
    (models / "b.safetensors").write_bytes((models / "base.safetensors").read_bytes())
    prompts = Axis.read("prompt", ["photo of ohwx man", "photo of a man"])
    control = Control.of(CheckpointRef("base"), "ohwx man")
    found = kinds(drawn(models, replace(PLAIN, axes=(*PLAIN.axes, prompts)).with_control(control)))
    assert "equals its base" in found["same pixels"].sentence
    assert found["same file"].sentence.startswith("b and base are the same file")


def test_another_file_than_the_experiment_names(models):
    refs = (CheckpointRef("a", "0" * 10), CheckpointRef("b"))
    out = models.parent / "run"
    resolve = in_folder(models, {"0" * 10: str(models / "a.safetensors")})
    draw_run(PLAIN.with_checkpoints(refs), FakeHost(models), lambda name: None, out, resolve=resolve)
    assert kinds(open_run(out))["wrong hash"].cells == (1, 2)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("Model hash: ", "Model hash: 0", "wrong hash"),
        ("Size: ", "VAE hash: 12ab, Size: ", "drift"),
        ("Size: ", "RNG: CPU, Size: ", "drift"),
        ("Size: ", "VAE: other.safetensors, Size: ", "drift"),
        ("Size: ", "Clip skip: 2, Size: ", "drift"),
        ("Size: ", "Version: before, Size: ", "drift"),
        ("photo of ohwx man", "photo of ohwx man, {not a wildcard}", "other prompt"),
    ],
)
def test_what_one_picture_alone_was_drawn_with(models, old, new, kind):
    run = rewritten(drawn(models), 3, old, new)
    assert [(finding.kind, finding.cells) for finding in found_in(run)] == [(kind, (3,))]


def test_a_style_that_adds_nothing(models):
    styles = ((Style("film", "film", ""),), (Style("empty", "", ""),), ())
    found = kinds(drawn(models, replace(PLAIN, axes=(*PLAIN.axes, Axis("styles", styles)))))["missing style"]
    assert found.sentence == "'empty' and 'no style' ask for the same picture: one adds nothing."


def test_a_prompt_longer_than_a_chunk(models):
    prompts = Axis.read("prompt", ["photo of ohwx man", "ohwx man, " + "word " * 80, "[a:" + "ohwx " * 60 + ":2]"])
    found = kinds(drawn(models, replace(PLAIN, axes=(*PLAIN.axes[:1], prompts))))["cut prompt"]
    assert found.cells == (2, 5)


def test_pictures_of_one_colour(models):
    run = drawn(models)
    cell = run.cells[1]
    for name in (cell.result.image, cell.result.thumb):
        Image.new("RGB", (64, 64)).save(run.folder / name)
    assert kinds(run)["one colour"].cells == (2,)
