"""`ohwx runs` on real run folders: what each word does, and what it refuses in a sentence."""

import json

import pytest
from drawing_runs import PLAIN, draw
from test_merge import over

from ohwx_compare.cli.compare import read_experiment
from ohwx_compare.cli.main import main
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.files.ledger.reader import experiment_in, open_run
from ohwx_compare.files.ledger.writer import Ledger


@pytest.fixture
def runs(models, tmp_path):
    """Two halves of one experiment."""
    for name in "ab":
        draw(over(PLAIN, checkpoint=(CheckpointRef(name),)), models, tmp_path / "runs" / name)
    return tmp_path / "runs"


def said(capsys, *words, status=0):
    assert main(["runs", *map(str, words)]) == status
    out = capsys.readouterr()
    return (out.out if status == 0 else out.err).strip()


def test_runs_are_listed_renamed_deleted_and_taken_back(capsys, runs):
    assert "a\t3 of 3 cells\t1 checkpoint × 3 seeds" in said(capsys, "list", runs).splitlines()
    assert said(capsys, "rename", runs / "a", "ä 1") == str(runs / "ä 1")
    said(capsys, "delete", runs / "ä 1")
    told = json.loads(said(capsys, "list", runs, "--json"))
    assert [row.get("deleted", False) for row in told] == [False, True]
    assert said(capsys, "restore", runs / "ä 1") == str(runs / "ä 1")
    assert len(open_run(runs / "ä 1").cells) == 3


def test_two_runs_are_merged(capsys, runs):
    told = said(capsys, "merge", runs / "a", runs / "b")
    assert told == "3 cells of b are here now. b is as it was."
    assert len(open_run(runs / "a").cells) == 6
    assert "b" in (runs / "a" / "index.html").read_text(encoding="utf-8")
    assert (runs / "a" / "sheet.png").is_file()


def test_what_is_added_is_generated_by_the_run_itself(capsys, runs, models):
    told = said(capsys, "add", runs / "a", "seed=4,5", "checkpoint=b")
    assert told == f"10 cells now, 7 to be generated: ohwx compare {runs / 'a'} --out {runs / 'a'}"
    experiment = read_experiment(runs / "a", None)
    assert experiment == experiment_in(runs / "a")
    assert draw(experiment, models, runs / "a")[0].drawn == 7


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rename", "a"), "takes a run and its new name"), (("rename", "a", "x/y"), "cannot be the name"),
        (("rename", "a", "b"), "already"), (("delete", "nobody"), "is not a run folder"),
        (("restore", "a"), "no deleted run"), (("merge", "a", "a"), "with itself"),
        (("add", "a", "seed"), "KIND=VALUES"),
        (("add", "a", "nothing=1"), "Unknown axis"), (("list", "nobody"), "There is no folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(capsys, runs, words, sentence):
    act, *names = words
    places = [runs / name if i == 0 or act == "merge" else name for i, name in enumerate(names)]
    told = said(capsys, act, *places, status=1)
    assert sentence in told
    assert len(told.splitlines()) == 1


def test_a_run_that_is_generated_is_left_alone(capsys, runs):
    with Ledger(runs / "a"):
        for words in (("delete", runs / "a"), ("rename", runs / "a", "c"), ("add", runs / "a", "seed=9")):
            assert "writing to" in said(capsys, *words, status=1)
    assert len(open_run(runs / "a").cells) == 3
