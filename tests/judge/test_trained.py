"""Who is who among the checkpoints: by their records, else by their names; which saves stand side by side."""

import json
import struct
from pathlib import Path

import pytest
from planted_run import checkpoint_file, record

from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.judge.run.pictures import JudgedColumn, JudgedRun
from ohwx_compare.judge.run.trained import pair_saves, trained_in


def run_of(folder, said):
    """A run whose checkpoints have these names and records."""
    columns = []
    for name, one in said.items():
        path = checkpoint_file(folder / f"{name}.safetensors", one)
        columns.append(JudgedColumn(name=f"{name}.safetensors", label=name, sha256=sha256(path), path=path))
    return JudgedRun(folder=folder, columns=tuple(columns), pictures=())


def labels(saves):
    return [save.label for save in saves]


def test_records_tell_the_question_the_base_and_the_token(tmp_path):
    base = sha256(checkpoint_file(tmp_path / "base.safetensors"))
    said = {
        "base": None, "r-2": record(60, reg=True, base=base), "r-1": record(30, reg=True, base=base),
        "n-1": record(30.03, base=base), "n-2": record(60.06, base=base),
    }  # fmt: skip
    found = trained_in(run_of(tmp_path, said))
    assert (found.bases, found.class_token) == (("base.safetensors",), "ohwx man")
    assert [group.name for group in found.groups] == ["without regularization images", "with regularization images"]
    pairs = pair_saves(*found.groups)
    assert [labels(saves[0]) for saves in (pairs.first, pairs.second)] == [["n-1", "n-2"], ["r-1", "r-2"]]
    assert (pairs.unit, pairs.notes) == ("exposure", ())


def test_seeds_are_trainings_of_one_recipe(tmp_path):
    said = {f"{reg}-{seed}": record(30, reg=reg, seed=seed) for reg in (False, True) for seed in (1, 2)}
    found = trained_in(run_of(tmp_path, said))
    assert [len(group.trainings) for group in found.groups] == [2, 2]
    pairs = pair_saves(*found.groups)
    assert [len(side) for side in (pairs.first, pairs.second)] == [2, 2]


def test_without_records_names_tell(tmp_path):
    """The article's: epochs of one training, steps of the other, paired in their order; a last save has no number."""
    said = {"noREG-000030": None, "noREG-000060": None, "noREG": None}
    said |= {"wREG-step00000901": None, "wREG-step00001802": None, "wREG": None}
    found = trained_in(run_of(tmp_path, said))
    assert [group.name for group in found.groups] == ["noREG", "wREG"]
    assert [save.number for save in found.groups[0].saves] == [30, 60, 90]
    assert [save.number for save in found.groups[1].saves] == [901, 1802, 2703]
    pairs = pair_saves(*found.groups)
    assert labels(pairs.second[0]) == ["wREG-step00000901", "wREG-step00001802", "wREG"]
    assert "in their order" in pairs.notes[0]


def test_saves_without_a_counterpart_are_left_out_and_said(tmp_path):
    said = {f"a-{n:06d}": None for n in (30, 60, 90)} | {f"b-{n:06d}": None for n in (31, 120)}
    pairs = pair_saves(*trained_in(run_of(tmp_path, said)).groups)
    assert [labels(saves[0]) for saves in (pairs.first, pairs.second)] == [["a-000030"], ["b-000031"]]
    assert "3 of the saves have no counterpart" in pairs.notes[0]


def test_nothing_is_paired_where_nothing_is_near(tmp_path):
    said = {f"a-{n:06d}": None for n in (30, 60)} | {"b-000500": None}
    assert pair_saves(*trained_in(run_of(tmp_path, said)).groups) is None


def test_the_base_is_known_by_its_hash_and_files_are_looked_for(tmp_path):
    run = run_of(tmp_path, {"base": None, "a": record(30, base="f" * 64)})
    moved = [JudgedColumn(name=c.name, label=c.label, sha256=c.sha256, path=Path("gone")) for c in run.columns]
    run = JudgedRun(folder=run.folder, columns=tuple(moved), pictures=())
    assert trained_in(run).class_token == ""
    found = trained_in(run, run.columns[0].sha256, tmp_path)
    assert (found.bases, found.class_token) == (("base.safetensors",), "ohwx man")


@pytest.mark.parametrize(
    "said", ["not JSON", "[]", '{"recipe": 3, "exposures": 1}', '{"recipe": {}, "exposures": "x"}']
)
def test_a_record_that_means_nothing_is_none(tmp_path, said):
    header = json.dumps({"__metadata__": {"ohwx.training": said}}).encode()
    path = tmp_path / "a-000030.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    column = JudgedColumn(name=path.name, label=path.stem, path=path)
    (group,) = trained_in(JudgedRun(folder=tmp_path, columns=(column,), pictures=())).groups
    assert (group.name, group.saves[0].unit) == ("a", "epoch")
