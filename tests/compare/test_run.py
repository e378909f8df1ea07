"""Runs: everything drawn once, failures alone, a kill at any instant loses nothing that was committed."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from drawing_runs import PLAIN, contents, draw, lines
from killed_run import EXPERIMENT
from PIL import Image

from ohwx_compare.compare.batches import batches, cells_by_job
from ohwx_compare.compare.host import Interruption
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.shelf import Shelf, file_name
from ohwx_compare.core import events
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.infotext.infotext import extra, faces, parse, render, to_job
from ohwx_compare.errors import (
    ExperimentError,
    Interrupted,
    OtherExperimentError,
    UnknownCheckpointError,
    WrongCheckpointError,
)
from ohwx_compare.files import atomic
from ohwx_compare.files.images import load_rgb, write_png
from ohwx_compare.files.infotexts import read_infotext, read_record
from ohwx_compare.files.ledger import writer
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.testing.fake_host import FakeHost, Faults

ROOT = Path(__file__).parents[2]


def test_a_run_draws_every_picture_once(models, tmp_path):
    result, opened, log, told = draw(EXPERIMENT, models, tmp_path / "out")
    assert (result.drawn, result.reused, result.failed, result.is_interrupted) == (12, 0, 0, False)
    uses = [line for line in log if line.startswith("use")]
    assert uses == ["use a.safetensors", "use b.safetensors"]
    assert [line for line in log if line.startswith(("use", "expect"))][1] == "expect b.safetensors"
    renders = Counter(line for line in log if line.startswith("render"))
    assert len(renders) == 6  # a denoise axis draws each before image once
    assert set(renders.values()) == {1}
    assert {c.result.outcome for c in opened.cells} == {Outcome.FACES, Outcome.NO_FACE}
    for c in opened.cells:
        before, after = (Image.open(opened.folder / name) for name in (c.result.before, c.result.after))
        assert (before.tobytes() == after.tobytes()) == (c.result.outcome is Outcome.NO_FACE)
        assert all((opened.folder / name).is_file() for name in (c.result.before_thumb, c.result.after_thumb))
        assert len(c.result.faces) == (2 if c.result.outcome is Outcome.FACES else 0)
        assert c.result.seconds > 0
    cost = next(e for e in told if isinstance(e, events.Started)).cost
    assert sum(e.count for e in told if isinstance(e, events.Step)) == cost == 6 * 4 + 6 * (2 + 3)
    assert [e.number for e in told if isinstance(e, events.Image)] == list(range(1, 13))


def test_pictures_tell_what_they_are(models, tmp_path):
    _, opened, _, _ = draw(EXPERIMENT, models, tmp_path / "out")
    for c in opened.cells:
        after = parse(read_infotext(opened.folder / c.result.after))
        assert str(after) == c.result.infotext
        assert (to_job(after), faces(after)) == (c.cell.job, c.cell.faces)
        assert (after.get("Model"), after.get("Model hash")) == (c.cell.checkpoint.stem, c.checkpoint.sha256[:10])
        assert extra(after).keys() - {"face sort"} == {"run", "cell"}  # what a reader of the text needs
        told = read_record(opened.folder / c.result.after)[1]
        assert (told["key"], told["cell"], told["run"]) == (c.result.key, c.cell.number, "out")
        assert (told["checkpoint"], told["outcome"]) == (c.checkpoint.sha256, c.result.outcome.value)
        before = parse(read_infotext(opened.folder / c.result.before))
        key = read_record(opened.folder / c.result.before)[1]["key"]
        assert (key, to_job(before), faces(before)) == (c.result.before_key, c.cell.job, ())
    names = [Path(c.result.after).name for c in opened.cells]
    assert names[0] == "0001 a 1.png"
    assert names == sorted(names)
    assert Path(opened.cells[2].result.before).name == "0003 a 2-before.png"


def test_a_second_run_draws_nothing_and_loads_nothing(models, tmp_path):
    draw(EXPERIMENT, models, tmp_path / "out")
    before = contents(tmp_path / "out")
    result, _, log, told = draw(EXPERIMENT, models, tmp_path / "out")
    assert (result.drawn, result.reused, log) == (0, 12, [])
    assert contents(tmp_path / "out") == before
    assert next(e for e in told if isinstance(e, events.Started)).cost == 0


def test_another_checkpoint_draws_one_column(models, tmp_path):
    draw(PLAIN, models, tmp_path / "out")
    more = PLAIN.with_checkpoints([CheckpointRef("c"), *PLAIN.checkpoints])  # renumbers everything
    result, opened, log, _ = draw(more, models, tmp_path / "out")
    assert (result.drawn, result.reused) == (3, 6)
    assert log[0] == "use c.safetensors"
    assert len(log) == 4  # what is there already is not expected
    assert len({c.result.image for c in opened.cells}) == 9
    for c in opened.cells:
        assert read_record(opened.folder / c.result.image)[1]["key"] == c.result.key


def test_an_experiment_that_asks_for_less_has_a_folder_of_its_own(models, tmp_path):
    draw(PLAIN, models, tmp_path / "out")
    before = contents(tmp_path / "out")
    for other in (
        PLAIN.with_checkpoints([CheckpointRef("a")]),
        replace(PLAIN, job=replace(PLAIN.job, prompt="another")),
        replace(PLAIN, axes=(PLAIN.axes[0], Axis("seed", (1, 2, 9)))),
    ):
        with pytest.raises(OtherExperimentError, match=r"holds \d cells .* reuse"):
            draw(other, models, tmp_path / "out")
    assert contents(tmp_path / "out") == before
    draw(replace(PLAIN, axes=PLAIN.axes[::-1]), models, tmp_path / "out")  # the same cells in another order


def test_a_changed_checkpoint_file_is_drawn_again(models, tmp_path):
    _, opened, _, _ = draw(PLAIN, models, tmp_path / "out")
    (models / "b.safetensors").write_bytes(b"trained further")
    result, again, log, _ = draw(PLAIN, models, tmp_path / "out")
    assert (result.drawn, result.reused, log[0]) == (3, 3, "use b.safetensors")
    keys = [c.result.key for c in opened.cells]
    assert [c.result.key == key for c, key in zip(again.cells, keys, strict=True)] == [True] * 3 + [False] * 3


def test_a_lost_or_damaged_picture_is_drawn_again(models, tmp_path):
    _, opened, _, _ = draw(EXPERIMENT, models, tmp_path / "out")
    before = contents(tmp_path / "out")
    (opened.folder / opened.cells[4].result.after).unlink()
    (opened.folder / opened.cells[7].result.before).write_bytes(b"")
    result, _, _, _ = draw(EXPERIMENT, models, tmp_path / "out")
    assert result.failed == 0
    assert result.drawn >= 2
    assert contents(tmp_path / "out") == before


def test_failures_stay_alone_and_are_tried_again(models, tmp_path):
    host = FakeHost(models, faults=Faults(wrong=frozenset({"b.safetensors"}), fails=lambda job: job.seed == 2))
    result, opened, _, told = draw(PLAIN, models, tmp_path / "out", host=host)
    assert (result.drawn, result.failed) == (2, 4)
    errors = [c.result.error or "" for c in opened.cells]
    assert [error != "" for error in errors] == [False, True, False, True, True, True]
    assert "seed 2" in errors[1]
    assert "another file is loaded" in errors[3]
    assert len([e for e in told if isinstance(e, events.Failed)]) == 4
    result, *_ = draw(PLAIN, models, tmp_path / "out")
    assert (result.drawn, result.reused, result.failed) == (4, 2, 0)
    draw(PLAIN, models, tmp_path / "other" / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "other" / "out")


def test_a_failed_face_keeps_the_picture_before(models, tmp_path):
    host = FakeHost(models, faults=Faults(fails=lambda job: job.denoise == 0.5))
    result, opened, _, _ = draw(EXPERIMENT, models, tmp_path / "out", host=host)
    failed = [c for c in opened.cells if c.result.outcome is Outcome.FAILED]
    assert failed
    assert len(failed) == result.failed
    assert all((opened.folder / c.result.image).is_file() and c.cell.faces[0].denoise == 0.5 for c in failed)


def test_a_checkpoint_that_was_not_applied_is_flagged(models, tmp_path):
    host = FakeHost(models, faults=Faults(sticks=True))
    _, opened, _, _ = draw(PLAIN, models, tmp_path / "out", host=host)
    assert [len(c.result.notes) for c in opened.cells] == [0, 0, 0, 1, 1, 1]
    assert opened.cells[4].result.notes == ("same pixels as cell 2 of a: although the checkpoint files differ",)
    (models / "c.safetensors").write_bytes((models / "a.safetensors").read_bytes())
    copies = PLAIN.with_checkpoints([CheckpointRef("a"), CheckpointRef("c")])
    _, opened, _, _ = draw(copies, models, tmp_path / "copies")
    assert opened.cells[3].result.notes == ("same pixels as cell 1 of a: the files are copies",)


def test_a_checkpoint_that_no_longer_loads_is_a_failure_of_its_cells(models, tmp_path):
    draw(PLAIN, models, tmp_path / "out")
    broken = FakeHost(models, faults=Faults(wrong=frozenset({"a.safetensors"})))
    result, opened, _, _ = draw(PLAIN, models, tmp_path / "out", host=broken)
    assert (result.failed, result.reused) == (0, 6)  # the same files as before: nothing is loaded
    old = (models / "a.safetensors").read_bytes()
    (models / "a.safetensors").write_bytes(b"cut short")
    result, opened, _, _ = draw(PLAIN, models, tmp_path / "out", host=broken)
    assert (result.failed, result.reused) == (3, 3)
    assert [c.result.outcome is Outcome.FAILED for c in opened.cells] == [True] * 3 + [False] * 3
    (models / "a.safetensors").write_bytes(old)
    result, opened, log, _ = draw(PLAIN, models, tmp_path / "out")
    assert (result.failed, result.reused) == (0, 6)
    assert not [line for line in log if line.startswith("render")]


@pytest.mark.parametrize("stem", ["星" * 90, "🙂" * 90, "x" * 300])
def test_long_names_fit_every_file_system(stem):
    name = file_name(12345, CheckpointRef(f"{stem}.safetensors"), 2**32 - 1, before=True)
    longest = f"{name} (01234567).png{atomic.UNFINISHED}"
    assert len(longest.encode("utf-8")) < 255
    assert stem[:20] in name


def test_a_foreign_key_is_somebody_elses_picture(tmp_path):
    shelf = Shelf(tmp_path)
    text = 'a\nSteps: 1, Sampler: Euler, Seed: 1, ohwx: "{\\"key\\": [1], \\"cell\\": 1}"'
    assert extra(parse(text))["key"] == [1]
    for number, record in enumerate(("", '{"key": [1], "cell": 1}', "[" * 9_999, "no JSON", '["a list"]', "\0")):
        write_png(tmp_path / "images" / f"x{number}.png", Image.new("RGB", (8, 8)), text, record)
    assert Shelf(tmp_path).find("x") is shelf.find("x") is None


def test_pictures_of_earlier_versions_kept_their_record_in_the_infotext(models, tmp_path):
    _, opened, _, _ = draw(PLAIN, models, tmp_path / "out")
    for path in sorted((tmp_path / "out" / "images").glob("*.png")):
        text, record = read_record(path)
        old = parse(text).with_value("ohwx", json.dumps(record))
        write_png(path, load_rgb(path), render(old))
    (tmp_path / "out" / "run.sqlite").unlink()
    result, again, log, _ = draw(PLAIN, models, tmp_path / "out")
    assert (result.reused, result.drawn, log) == (6, 0, [])
    assert [c.result.key for c in again.cells] == [c.result.key for c in opened.cells]


def test_stand_ins_are_named(models, tmp_path):
    wanted = PLAIN.with_checkpoints([CheckpointRef("dir/x.safetensors", "f31347de70")])
    assert in_folder(models, {r"DIR\X.safetensors": "b"})(wanted.checkpoints[0]).name == "b.safetensors"
    resolve = in_folder(models, {"F31347DE70": "a.safetensors"})
    _, opened, _, _ = draw(wanted, models, tmp_path / "out", resolve=resolve)
    assert [note[:30] for c in opened.cells for note in c.result.notes] == ["generated with a.safetensors ["] * 3
    assert parse(opened.cells[0].result.infotext).get("Model") == "a"


def test_all_missing_checkpoints_are_named_before_anything_is_drawn(models, tmp_path):
    missing = PLAIN.with_checkpoints([CheckpointRef("a"), CheckpointRef("x"), CheckpointRef("y", "0123456789")])
    with pytest.raises(UnknownCheckpointError, match=r"2 checkpoints cannot be found: x, y \[0123456789\]"):
        draw(missing, models, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(WrongCheckpointError, match="another hash than the file here"):
        draw(PLAIN.with_checkpoints([CheckpointRef("a", "0123456789")]), models, tmp_path / "out")
    with pytest.raises(ExperimentError, match="are the same file"):
        draw(PLAIN.with_checkpoints([CheckpointRef("a"), CheckpointRef("a.safetensors")]), models, tmp_path / "out")


class Asked(FakeHost):
    """The user asks for something while the `number`-th batch is generated."""

    def __init__(self, folder, number, what):
        super().__init__(folder)
        self.number, self.what = number, what

    def render(self, jobs):
        yield from super().render(jobs)
        self.number -= 1
        if self.number == 0:
            self.requests.append(self.what)


def test_the_user_stops_and_goes_on(models, tmp_path):
    for asked in (Interruption.FINISH_CELL, Interruption.STOP):
        out = tmp_path / asked.name / "out"
        host = Asked(models, 1, asked)
        if asked is Interruption.STOP:
            with pytest.raises(Interrupted):
                draw(PLAIN, models, out, host=host)
            assert {c.result.outcome for c in open_run(out).cells} == {Outcome.PENDING}
        else:
            result, _, _, _ = draw(PLAIN, models, out, host=host)
            assert (result.drawn, result.is_interrupted) == (2, True)  # the batch in hand was finished
        draw(PLAIN, models, out)
        draw(PLAIN, models, tmp_path / "whole" / "out")
        assert contents(out) == contents(tmp_path / "whole" / "out")


def test_a_stop_with_nothing_left_is_no_interruption(models, tmp_path):
    host = Asked(models, 4, Interruption.FINISH_CELL)
    result, _, _, _ = draw(PLAIN, models, tmp_path / "out", host=host)
    assert not host.requests  # it was heard
    assert (result.drawn, result.is_interrupted) == (6, False)


def test_the_user_skips(models, tmp_path):
    host = FakeHost(models)
    host.requests += [Interruption.SKIP, Interruption.RUN_ON, Interruption.SKIP]  # the first has nothing to skip yet
    result, opened, _, _ = draw(PLAIN, models, tmp_path / "out", host=host)
    assert (result.skipped, result.drawn) == (2, 4)
    assert [c.result.outcome is Outcome.PENDING for c in opened.cells] == [True] * 2 + [False] * 4


class Killed(BaseException):
    """Stands for a power cut between two writes."""


def test_cut_between_any_two_writes(models, tmp_path, monkeypatch):
    """Cut at every write in turn and resume: the folder is an undisturbed run's, no committed cell drawn twice."""
    experiment = replace(EXPERIMENT, axes=(Axis("checkpoint", (CheckpointRef("a"),)), *EXPERIMENT.axes[1:]))
    draw(experiment, models, tmp_path / "whole" / "out")
    whole = contents(tmp_path / "whole" / "out")
    write, commit = atomic.os.replace, writer.insert_cell
    left = 0

    def cut(action):
        def done(*arguments):
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return action(*arguments)

        return done

    monkeypatch.setattr(atomic.os, "replace", cut(write))
    monkeypatch.setattr(writer, "insert_cell", cut(commit))
    for moment in range(1, 1000):
        out = tmp_path / str(moment) / "out"
        left = moment
        try:
            draw(experiment, models, out)
            break
        except Killed:
            left = 0
        cells = open_run(out).cells if moment > 1 else ()  # the first write is the folder's mark
        committed = {c.cell.job.seed for c in cells if c.result.outcome is not Outcome.PENDING}
        _, _, log, _ = draw(experiment, models, out)
        assert not {int(line.split()[2]) for line in log if line.startswith("render")} & committed
        assert contents(out) == whole
    assert moment == 1 + 2 * len(list((tmp_path / "whole" / "out").rglob("*.png"))) + 7


def is_begun(out) -> bool:
    with closing(sqlite3.connect(out / "run.sqlite")) as db:
        return db.execute("SELECT count(*) FROM cells").fetchone()[0] > 0


def test_killed_and_run_again(models, tmp_path):
    """SIGKILL at several moments of a running process, until it comes through."""
    out, log = tmp_path / "out", tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("killed_run.py")), *map(str, (models, out, log))]
    kills, starts = 0, [0]
    committed: set[tuple[str, str]] = set()
    while True:
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        patience = time.monotonic() + 60
        goal = starts[-1] + (7, 4, 5, 10**6)[kills]
        while process.poll() is None and len(lines(log)) < goal and time.monotonic() < patience:
            time.sleep(0.002)
        while kills == 0 and process.poll() is None and not is_begun(out) and time.monotonic() < patience:
            time.sleep(0.002)  # the writer comes behind
        time.sleep(0.013 * kills)
        process.kill()
        _, error = process.communicate()
        drawn = {tuple(line.split()[1:3]) for line in lines(log)[starts[-1] :] if line.startswith("render")}
        assert not drawn & committed
        if process.returncode == 0:
            break
        assert kills < 3, error.decode()
        kills += 1
        starts.append(len(lines(log)))
        for c in open_run(out).cells:
            if c.result.outcome is not Outcome.PENDING:
                committed.add((c.checkpoint.sha256[:10], str(c.cell.job.seed)))
    assert kills == 3
    assert committed
    draw(EXPERIMENT, models, tmp_path / "whole" / "out")
    assert contents(out) == contents(tmp_path / "whole" / "out")


def test_batches_are_of_one_kind_and_bounded():
    axes = (Axis("checkpoint", (CheckpointRef("a"),)), Axis("cfg", (5.0, 9.0)), Axis("seed", (1, 2, 3, 4, 5)))
    cells = Experiment(job=PLAIN.job, axes=(*axes, Axis("face pass", (True, False))), faces=EXPERIMENT.faces).cells()
    plan = batches(cells, 4)
    assert sorted(cell.number for batch in plan for cell in batch) == [cell.number for cell in cells]
    assert [len(cells_by_job(batch)) for batch in plan] == [4, 1, 4, 1]
    assert all(len({cell.job.cfg for cell in batch}) == 1 for batch in plan)


def test_numbers_in_the_ledger_are_json(models, tmp_path):
    _, opened, _, _ = draw(PLAIN, models, tmp_path / "out")
    json.dumps(opened.experiment.to_dict(), allow_nan=False)
