"""Run folders are renamed, deleted into a bin and taken out again, and packed; one that is written to stays."""

import io
import os
import shutil
import zipfile

import pytest

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError, LedgerError, NotHereError
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.reader import experiment_in
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.files.run_folders import BIN, delete_run, deleted_runs, empty_bin, rename_run, restore_run
from ohwx_compare.look.run_zip import packed_run


@pytest.fixture
def run(tmp_path):
    """A run folder of ours, with a picture."""
    folder = tmp_path / "runs" / "läufe #1"
    with Ledger(folder) as ledger:
        ledger.plan(Experiment(job=Job(prompt="me", seed=1), axes=(Axis("checkpoint", (CheckpointRef("a"),)),)))
    (folder / "images").mkdir()
    (folder / "images" / "1.png").write_bytes(b"picture")
    return folder


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_renamed_run_is_whole_and_still_ours(run):
    before = contents(run)
    there = rename_run(run, "模型 two")
    assert (there.name, run.exists(), contents(there)) == ("模型 two", False, before)
    assert has_own_mark(there / "run.sqlite")


def test_deleted_and_taken_out_it_is_as_before(run):
    before = contents(run)
    delete_run(run)
    assert [path.name for path in deleted_runs(run.parent)] == [run.name]
    assert restore_run(run.parent, run.name) == run
    assert (contents(run), has_own_mark(run / "run.sqlite")) == (before, True)


def test_a_name_that_is_taken_is_not_written_over(run):
    other = run.with_name("other")
    shutil.copytree(run, other)
    with pytest.raises(ExperimentError, match="already"):
        rename_run(run, "other")
    delete_run(run)
    shutil.copytree(other, run)
    delete_run(run)
    shutil.copytree(other, run)
    names = [f"{run.name}", f"{run.name} 2"]
    assert [path.name for path in deleted_runs(run.parent)] == names
    assert restore_run(run.parent, names[0]) == run.with_name(names[1])
    assert empty_bin(run.parent) == 1
    assert deleted_runs(run.parent) == []


@pytest.mark.parametrize("name", ["", "..", ".bin", "a/b", "a\\b", "a\nb", "c:", "x" * 201, "dot."])
def test_a_name_is_one_folders(run, name):
    with pytest.raises(ExperimentError, match="cannot be the name"):
        rename_run(run, name)


def test_a_run_that_is_written_to_stays(run):
    with Ledger(run):
        for move in (delete_run, lambda folder: rename_run(folder, "other")):
            with pytest.raises(LedgerError, match="is writing to"):
                move(run)
    assert run.is_dir()


@pytest.mark.parametrize("name", ["..", "nobody", "a/b", ""])
def test_nothing_but_what_was_deleted_is_taken_out(run, name):
    delete_run(run)
    with pytest.raises(NotHereError):
        restore_run(run.parent, name)


@pytest.mark.skipif(os.name == "nt", reason="making links takes a right there")
def test_a_bin_that_is_a_link_leads_nowhere(run, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "run").mkdir(parents=True)
    (run.parent / BIN).symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(LedgerError, match="is a link"):
        delete_run(run)
    assert (deleted_runs(run.parent), empty_bin(run.parent)) == ([], 0)
    assert (elsewhere / "run").is_dir()


def test_a_packed_run_opens_elsewhere_and_holds_what_is_the_runs_own(run, tmp_path):
    (run / "exports").mkdir()
    (run / "exports" / "old.zip").write_bytes(b"zip")
    if os.name != "nt":
        (tmp_path / "secret").write_bytes(b"secret")
        (run / "images" / "2.png").symlink_to(tmp_path / "secret")
    with Ledger(run):  # also while it is written to
        data = b"".join(packed_run(run))
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert sorted(packed.namelist()) == [f"{run.name}/images/1.png", f"{run.name}/run.sqlite"]
        assert packed.testzip() is None
        packed.extractall(tmp_path / "there")
    assert experiment_in(tmp_path / "there" / run.name) == experiment_in(run)
    with pytest.raises(LedgerError):
        packed_run(tmp_path / "there")
