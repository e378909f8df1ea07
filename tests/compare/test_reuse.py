"""Reuse: what another run folder holds under the same key is taken, and only the rest is drawn."""

import os
import shutil
from dataclasses import replace

import pytest
from drawing_runs import PLAIN, contents, draw
from killed_run import EXPERIMENT

from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.experiment import keys
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import LedgerError
from ohwx_compare.files import atomic
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.infotexts import read_record
from ohwx_compare.hosts.native import NativeHost


def done(log):
    """How often each thing was done."""
    return {what: sum(line.startswith(what) for line in log) for what in ("use", "render", "inpaint")}


def lending(*folders):
    return {"options": Options(batch=2, reuse=folders)}


GROWN = {
    "a checkpoint": (replace(PLAIN.axes[0], values=(*PLAIN.axes[0].values, CheckpointRef("c"))), 1, 3),
    "a seed": (replace(PLAIN.axes[1], values=(1, 2, 3, 4)), 2, 2),
    "a seed in front": (replace(PLAIN.axes[1], values=(0, 1, 2, 3)), 2, 2),
}


@pytest.mark.parametrize("axis", GROWN)
@pytest.mark.parametrize("place", ["the same folder", "another folder"])
def test_only_the_new_is_drawn(axis, place, models, tmp_path):
    draw(PLAIN, models, tmp_path / "first")
    axis, uses, renders = GROWN[axis]
    more = replace(PLAIN, axes=tuple(axis if axis.kind == old.kind else old for old in PLAIN.axes))
    out, options = (tmp_path / "first", {}) if place == "the same folder" else (tmp_path / "b", lending(tmp_path))
    result, opened, log, _ = draw(more, models, out, **options)
    assert done(log) == {"use": uses, "render": renders, "inpaint": 0}
    assert (result.drawn, result.reused, result.failed) == (renders, 6, 0)
    draw(more, models, tmp_path / "whole" / "b")
    for c, undisturbed in zip(opened.cells, contents(tmp_path / "whole" / "b")[2], strict=True):
        assert (c.result.key, c.result.outcome) == (undisturbed.result.key, undisturbed.result.outcome)
        assert read_record(opened.folder / c.result.image)[1]["key"] == c.result.key


@pytest.mark.parametrize("place", ["the same folder", "another folder"])
def test_another_denoise_keeps_the_pictures_before(place, models, tmp_path):
    draw(EXPERIMENT, models, tmp_path / "first")
    denoise = Axis("face denoise", (0.3, 0.5, 0.7))
    more = replace(EXPERIMENT, axes=(*EXPERIMENT.axes[:2], denoise))
    out, options = (tmp_path / "first", {}) if place == "the same folder" else (tmp_path / "b", lending(tmp_path))
    result, opened, log, _ = draw(more, models, out, **options)
    faces = [c for c in opened.cells if c.result.outcome is Outcome.FACES and c.cell.faces[0].denoise == 0.7]
    assert done(log) == {"use": 2, "render": 0, "inpaint": 2 * len(faces)}
    assert (result.drawn, result.reused) == (6, 12)


def test_what_is_lent_whole_is_not_even_loaded(models, tmp_path):
    draw(EXPERIMENT, models, tmp_path / "first")
    before = contents(tmp_path / "first")
    result, opened, log, told = draw(EXPERIMENT, models, tmp_path / "b" / "first", **lending(tmp_path / "first"))
    assert log == []
    assert (result.drawn, result.reused) == (0, 12)
    assert next(e for e in told if hasattr(e, "cost")).cost == 0
    assert contents(tmp_path / "first") == before
    copied = contents(tmp_path / "b" / "first")
    assert copied[:2] == before[:2]
    assert [c.result for c in copied[2]] == [c.result for c in before[2]]
    assert {c.checkpoint.sha256 for c in opened.cells} == {row.sha256 for row in opened.checkpoints}


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_lent_picture_is_the_lenders_own_bytes(is_linked, models, tmp_path, monkeypatch):
    draw(PLAIN, models, tmp_path / "first")

    def refuse(source, path):
        raise OSError("no links here")

    if not is_linked:
        monkeypatch.setattr(atomic.os, "link", refuse)
    _, opened, _, _ = draw(PLAIN, models, tmp_path / "b", **lending(tmp_path / "first"))
    for c in opened.cells:
        lent, taken = (tmp_path / folder / c.result.image for folder in ("first", "b"))
        assert lent.read_bytes() == taken.read_bytes()
        assert lent.samefile(taken) == is_linked
    assert not list(opened.folder.rglob("*" + atomic.UNFINISHED))
    shutil.rmtree(tmp_path / "first")
    assert draw(PLAIN, models, tmp_path / "b")[0].reused == 6


def test_a_damaged_picture_is_not_taken(models, tmp_path):
    _, opened, _, _ = draw(PLAIN, models, tmp_path / "first")
    path = opened.folder / opened.cells[1].result.image
    path.write_bytes(path.read_bytes()[:-40])
    result, again, log, _ = draw(PLAIN, models, tmp_path / "b", **lending(tmp_path / "first"))
    assert done(log) == {"use": 1, "render": 1, "inpaint": 0}
    assert (result.drawn, result.reused, result.failed) == (1, 5, 0)
    draw(PLAIN, models, tmp_path / "whole")
    for c in again.cells:
        taken, whole = (load_rgb(folder / c.result.image) for folder in (again.folder, tmp_path / "whole"))
        assert taken.tobytes() == whole.tobytes()


@pytest.mark.parametrize("what", ["checkpoint", "pixels", "detector"])
def test_other_keys_are_drawn(what, models, tmp_path, monkeypatch):
    draw(EXPERIMENT, models, tmp_path / "first")
    if what == "checkpoint":
        (models / "b.safetensors").write_bytes(b"trained further")
    elif what == "pixels":
        monkeypatch.setattr(keys, "PIXELS", keys.PIXELS + 1)
    else:
        monkeypatch.setattr("killed_run.Detector.sha256", "01")
    result, _, log, _ = draw(EXPERIMENT, models, tmp_path / "b", **lending(tmp_path / "first"))
    assert (result.drawn, done(log)["render"]) == {"checkpoint": (6, 3), "pixels": (12, 6), "detector": (12, 0)}[what]


def test_a_run_that_borrows_ends_the_same_wherever_it_is_cut(models, tmp_path, monkeypatch):
    """A borrowed picture in a batch does not change what is drawn with the others, before and after a cut."""
    seeds = replace(PLAIN, axes=(Axis("checkpoint", (CheckpointRef("a"),)), Axis("seed", (1, 2, 3))))
    draw(replace(seeds, axes=(seeds.axes[0], Axis("seed", (1,)))), models, tmp_path / "first")
    _, _, log, _ = draw(seeds, models, tmp_path / "whole" / "b", **lending(tmp_path / "first"))
    assert done(log)["render"] == 2
    whole = contents(tmp_path / "whole" / "b")
    replaced, left = os.replace, 0

    def cut(*names):
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return replaced(*names)

    monkeypatch.setattr(atomic.os, "replace", cut)
    for left in range(1, 100):
        out, moment = tmp_path / str(left) / "b", left
        try:
            draw(seeds, models, out, **lending(tmp_path / "first"))
            break
        except KeyboardInterrupt:
            left = 0
        draw(seeds, models, out, **lending(tmp_path / "first"))
        assert contents(out) == whole
    assert moment == 8


def test_a_folder_that_lends_nothing_is_named(models, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "none"):
        with pytest.raises(LedgerError, match=f"{folder} is not a run folder"):
            draw(PLAIN, models, tmp_path / "b", **lending(tmp_path / folder))
    assert not (tmp_path / "b").exists()


def test_the_engines_own_pictures(tiny, tmp_path):
    """Real checkpoints: one more seed draws one picture a checkpoint, the others are the first run's to the byte."""
    drawn = []

    class Counting(NativeHost):
        def render(self, jobs):
            drawn.extend(job.seed for job in jobs)
            return super().render(jobs)

    job = replace(PLAIN.job, steps=2, sampler="Euler", rng="CPU")
    axes = (Axis("checkpoint", (CheckpointRef("tiny_base"), CheckpointRef("tiny_reg"))), Axis("seed", (1, 2)))
    first = replace(PLAIN, job=job, axes=axes)
    more = replace(first, axes=(axes[0], Axis("seed", (1, 2, 3))))
    host = Counting([tiny], device="cpu")
    for experiment, out, reuse in ((first, "first", ()), (more, "b", (tmp_path,)), (more, "b", ())):
        options = Options(reuse=reuse)
        draw_run(experiment, host, {}.get, tmp_path / out, resolve=in_folder(tiny, {}), options=options)
    host.close()
    assert drawn == [1, 2, 1, 2, 3, 3]
