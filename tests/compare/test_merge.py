"""Two runs of one experiment become one: pictures, measures, votes and marks; others are refused in a sentence."""

from dataclasses import replace

import pytest
from drawing_runs import PLAIN, contents, draw
from killed_run import EXPERIMENT
from PIL import Image

from ohwx_compare.compare.merge import merge_runs
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.growing import as_called, grown, united
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import ExperimentError, LedgerError
from ohwx_compare.files.ledger.marks import MarkRow, keep_marks, read_marks
from ohwx_compare.files.ledger.measures import MeasureLedger, MeasureRow, ScoreRow, VoteRow, ledger_votes, read_scores
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.writer import Ledger


def over(experiment, **values):
    axes = [replace(axis, values=values.get(axis.kind, axis.values)) for axis in experiment.axes]
    return replace(experiment, axes=tuple(axes))


def keys(run):
    return {(cell.cell.labels, cell.result.key, cell.result.outcome) for cell in run.cells}


@pytest.mark.parametrize("experiment", [PLAIN, EXPERIMENT], ids=["plain", "with faces"])
def test_two_halves_are_the_whole(experiment, models, tmp_path):
    whole = contents_of_whole(experiment, models, tmp_path)
    draw(over(experiment, checkpoint=(CheckpointRef("a"),)), models, tmp_path / "a")
    draw(over(experiment, checkpoint=(CheckpointRef("b"),)), models, tmp_path / "b")
    before = contents(tmp_path / "b")
    merged = merge_runs(tmp_path / "a", tmp_path / "b")
    assert (merged.taken, merged.both, merged.lost, merged.left) == (len(whole.cells) // 2, 0, 0, 0)
    assert keys(open_run(tmp_path / "a")) == keys(whole)
    assert contents(tmp_path / "b") == before
    result, _, log, _ = draw(experiment, models, tmp_path / "a")
    assert (result.drawn, log) == (0, [])
    again = merge_runs(tmp_path / "a", tmp_path / "b")
    assert (again.taken, again.both) == (0, len(whole.cells) // 2)


def contents_of_whole(experiment, models, tmp_path):
    return draw(experiment, models, tmp_path / "whole" / "a")[1]


def test_what_is_thought_of_pictures_comes_along_once(models, tmp_path):
    draw(over(PLAIN, seed=(1, 2)), models, tmp_path / "a")
    theirs = draw(over(PLAIN, seed=(2, 3)), models, tmp_path / "b")[1]
    key, other = theirs.cells[0].result.key, theirs.cells[1].result.key
    vote = VoteRow(rater="I", question="keep it", style="", shown=(key, other), answer="chosen", best=1, time=7.5)
    with MeasureLedger(tmp_path / "b") as ledger:
        ledger.remember(MeasureRow(key="m" * 64, name="likeness", version=1, sha256="", licence=""))
        ledger.add("m" * 64, [ScoreRow(picture=key, value=0.25, outcome="measured")])
        ledger.vote(vote)
    keep_marks(tmp_path / "a", [MarkRow(picture=key, star=-1, time=3.0)])
    keep_marks(tmp_path / "b", [MarkRow(picture=key, star=1, tags=("good",), time=2.0), MarkRow(picture=other, star=1)])
    for _ in range(2):
        merged = merge_runs(tmp_path / "a", tmp_path / "b")
    assert (merged.judged["votes"], merged.both, merged.left) == (0, 4, 0)
    assert ledger_votes(tmp_path / "a") == (vote,)
    assert read_scores(tmp_path / "a") == {key: {"likeness": 0.25}}
    marks = read_marks(tmp_path / "a")
    assert (marks[key].star, marks[other].star) == (-1, 1)  # the newer one of two stays


def test_a_picture_that_was_changed_is_left_out_and_generated_again(models, tmp_path):
    draw(over(PLAIN, checkpoint=(CheckpointRef("a"),)), models, tmp_path / "a")
    theirs = draw(over(PLAIN, checkpoint=(CheckpointRef("b"),)), models, tmp_path / "b")[1]
    path = theirs.folder / theirs.cells[0].result.image
    with Image.open(path) as image:
        painted, text = Image.new("RGB", image.size, "red"), image.info
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for name, value in text.items():
        info.add_text(name, str(value))
    painted.save(path, pnginfo=info)
    merged = merge_runs(tmp_path / "a", tmp_path / "b")
    assert (merged.taken, merged.lost, merged.left) == (2, 1, 1)
    assert "1 cell left out" in merged.words
    result, opened, *_ = draw(PLAIN, models, tmp_path / "a")
    assert (result.drawn, result.failed) == (1, 0)
    assert {cell.result.outcome for cell in opened.cells} == {Outcome.DRAWN}


OTHERS = {
    "another step count": (replace(PLAIN, job=replace(PLAIN.job, steps=5)), "steps is 4 in one and 5 in the other"),
    "another prompt": (replace(PLAIN, job=replace(PLAIN.job, prompt="nobody")), "prompt is 'ohwx man' in one"),
    "a face pass": (EXPERIMENT, "their face passes differ"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_runs_of_two_experiments_are_refused_and_stay_as_they_are(what, models, tmp_path):
    other, words = OTHERS[what]
    draw(PLAIN, models, tmp_path / "a")
    draw(other, models, tmp_path / "b")
    before = [contents(tmp_path / name) for name in "ab"]
    with pytest.raises(ExperimentError, match="These are not runs of one experiment: ") as refused:
        merge_runs(tmp_path / "a", tmp_path / "b")
    assert words in str(refused.value)
    assert [contents(tmp_path / name) for name in "ab"] == before


def test_a_checkpoint_that_was_another_file_is_no_column_of_the_same_run(models, tmp_path):
    draw(over(PLAIN, seed=(1,)), models, tmp_path / "a")
    (models / "b.safetensors").write_bytes(b"c" * 50)
    draw(over(PLAIN, seed=(2,)), models, tmp_path / "b")
    with pytest.raises(ExperimentError, match="b was another file in b"):
        merge_runs(tmp_path / "a", tmp_path / "b")


def test_a_run_that_is_generated_is_not_merged(models, tmp_path):
    for name in "ab":
        draw(PLAIN, models, tmp_path / name)
    for name in "ab":
        with Ledger(tmp_path / name), pytest.raises(LedgerError):
            merge_runs(tmp_path / "a", tmp_path / "b")
    with pytest.raises(ExperimentError, match="with itself"):
        merge_runs(tmp_path / "a", tmp_path / "a")


def test_an_experiment_grows_and_keeps_every_cell():
    plain = replace(PLAIN, axes=PLAIN.axes[:1])
    more = grown(plain, {"Seed": "1, 8-9", "checkpoint": "b [0123456789], c", "prompt": "ohwx man\na dog"})
    assert [axis.to_json()["values"] for axis in more.axes] == [["a", "b", "c"], [1, 8, 9], ["ohwx man", "a dog"]]
    assert {(c.checkpoint, c.job, c.faces) for c in plain.cells()} < {
        (c.checkpoint, c.job, c.faces) for c in more.cells()
    }
    assert grown(plain, {"seed": "1"}) == plain
    for wrong, words in {"face denoise": "no axis of 'face denoise'", "nothing": "Unknown axis"}.items():
        with pytest.raises(ExperimentError, match=words):
            grown(plain, {wrong: "0.5"})


def test_a_name_with_its_hash_and_without_is_one_checkpoint():
    named = over(PLAIN, checkpoint=(CheckpointRef("a", "0123456789"), CheckpointRef("c")))
    assert united(PLAIN, as_called(named, PLAIN)).checkpoints == tuple(map(CheckpointRef, "abc"))
    one = replace(PLAIN, axes=(PLAIN.axes[0],))
    assert united(one, replace(one, axes=(*one.axes, Axis("cfg", (7.0, 9.0))))).axes[1].values == (7.0, 9.0)
