"""A plan tells what the run then does: so many pictures, loads, seconds."""

from dataclasses import replace
from pathlib import Path

import pytest
from killed_run import EXPERIMENT, Detector

from ohwx_compare.compare.cost.calibrate import seconds
from ohwx_compare.compare.cost.plan import plan, shelved
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.compare.work import keys_with
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.testing.fake_host import FakeHost


@pytest.fixture
def models(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode() * 40)
    return tmp_path


def draw(experiment, models, out, *lenders):
    """Draw; returns how often each thing was done."""
    log = out.with_suffix(".log")
    log.unlink(missing_ok=True)
    host = FakeHost(models, log=log)
    draw_run(
        experiment,
        host,
        lambda name: Detector(),
        out,
        resolve=in_folder(models, {}),
        options=Options(batch=2, reuse=lenders),
    )
    done = [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
    return {what: done.count(what) for what in ("use", "render", "inpaint")}


def planned(experiment, models, out, *lenders):
    host = FakeHost(models)
    own = open_run(out) if out.exists() else None
    there = shelved(own, [*map(open_run, lenders)])
    keys = keys_with(host.fingerprint, {tab.model: Detector().sha256 for tab in EXPERIMENT.faces}, there)
    known = {"there": there, "keys": keys} if own or lenders else {}
    return plan(experiment, in_folder(models, {}), batch=2, **known)


def test_what_is_planned_is_drawn_and_then_nothing_is_left(models, tmp_path):
    out = tmp_path / "out"
    before = planned(EXPERIMENT, models, out)
    done = draw(EXPERIMENT, models, out)
    assert (before.renders, before.switches) == (done["render"], done["use"])
    assert before.inpaints == before.cells  # one face a cell; how many there will be nobody knows
    after = planned(EXPERIMENT, models, out)
    assert (after.renders, after.inpaints, after.switches, after.disk_bytes) == (0, 0, 0, 0)
    assert after.cells == before.cells == len(EXPERIMENT.cells())


def test_one_more_checkpoint_is_one_more_column(models, tmp_path):
    out = tmp_path / "out"
    first = planned(EXPERIMENT, models, out)
    draw(EXPERIMENT, models, out)
    wider = EXPERIMENT.with_checkpoints([*EXPERIMENT.checkpoints, CheckpointRef("c")])
    more = planned(wider, models, out)
    assert (more.renders, more.switches, more.checkpoints) == (first.renders // first.switches, 1, first.switches + 1)
    assert draw(wider, models, out)["render"] == more.renders


def test_pictures_that_are_gone_are_drawn_again(models, tmp_path):
    out = tmp_path / "out"
    draw(EXPERIMENT, models, out)
    gone = open_run(out).cells[0].result
    (out / gone.before).unlink()
    again = planned(EXPERIMENT, models, out)
    done = draw(EXPERIMENT, models, out)
    assert (again.renders, again.inpaints) == (done["render"], done["inpaint"]) == (1, 0)


def test_what_is_lent_is_not_counted(models, tmp_path):
    first, out = tmp_path / "first", tmp_path / "out"
    draw(EXPERIMENT, models, first)
    axes = (EXPERIMENT.axes[0], Axis("seed", (2, 3, 4)), Axis("face denoise", (0.5, 0.7)))
    other = replace(EXPERIMENT, axes=axes)
    before = planned(other, models, out, first)
    done = draw(other, models, out, first)
    assert (before.renders, before.switches) == (done["render"], done["use"]) == (2, 2)
    assert before.inpaints == 2 * (3 * 2 - 2)  # denoise 0.5 of seeds 2 and 3 is there
    shared = replace(EXPERIMENT, axes=(EXPERIMENT.axes[0], Axis("seed", (2, 3)), Axis("face denoise", (0.5,))))
    assert planned(shared, models, tmp_path / "new", first).switches == 0


def test_what_no_file_answers_to_is_named(models, tmp_path):
    lost = EXPERIMENT.with_checkpoints([CheckpointRef("a"), CheckpointRef("lost"), CheckpointRef("gone")])
    assert planned(lost, models, tmp_path / "out").missing == ("lost", "gone")


class Clock:
    """A machine on which every step of every picture takes as long as the last."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class TickingHost(FakeHost):
    """Its pictures take 3 s and 0.5 s a step, its first load 7 s, each switch 2 s."""

    def __init__(self, folder: Path, clock: Clock):
        super().__init__(folder)
        self.clock, self.is_loaded = clock, False

    def use(self, checkpoint):
        self.clock.now += 2 if self.is_loaded else 7
        self.is_loaded = True
        return super().use(checkpoint)

    def render(self, jobs):
        self.clock.now += sum(3 + 0.5 * job.steps for job in jobs)
        return super().render(jobs)

    def inpaint(self, jobs, images, masks):
        self.clock.now += sum(3 + 0.5 * (int(one.job.denoise * one.job.steps) + 1) for one in jobs)
        return super().inpaint(jobs, images, masks)


def test_a_steady_machine_is_foretold(models, tmp_path):
    axes = [axis for axis in EXPERIMENT.axes if axis.kind in ("checkpoint", "seed")]
    steady = replace(EXPERIMENT, axes=(*axes, Axis("steps", (4, 40))))
    steady = replace(steady, faces=tuple(replace(tab, top_k=1) for tab in steady.faces))
    clock, out = Clock(), tmp_path / "out"
    detectors = {tab.model: Detector() for tab in steady.faces}
    foretold = seconds(planned(steady, models, out), TickingHost(models, clock), detectors, clock)
    started = clock.now
    draw_run(
        steady, TickingHost(models, clock), detectors.get, out, resolve=in_folder(models, {}), options=Options(batch=2)
    )
    found = [cell for cell in open_run(out).cells if any(face.mask == 0 for face in cell.result.faces)]
    faceless = len(steady.cells()) - len(found)
    longest = max(int(tab.denoise * (tab.steps or 40)) + 1 for tab in steady.faces)
    assert 0 <= foretold - (clock.now - started) <= faceless * (3 + 0.5 * longest) + 1e-6
