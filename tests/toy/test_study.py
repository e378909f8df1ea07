"""A whole experiment in one file: what it says is what is trained and compared."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn_demo import SMALL

from ohwx_compare.cli.main import main
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.demo.sizes import ARMS, QUICK, WHOLE
from ohwx_compare.demo.work import STUDY
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.images import load_rgb, pixel_digest
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.study.study import Study, read_study
from ohwx_compare.study.work import plans_of, stand_ins_of


@pytest.mark.parametrize("sizes", [WHOLE, QUICK, SMALL])
def test_the_demos_file_says_the_demos_recipes_and_comparisons(demo, sizes):
    folder = demo[0]
    study = Study.from_dict(json.loads(json.dumps(sizes.study("d.pt"))), folder)
    assert study.recipes(folder) == {arm: sizes.recipe(folder, arm) for arm in ARMS}
    assert study.experiments(plans_of(study, folder), folder) == sizes.experiments("d.pt")


def pictures(run):
    return [(c.cell.label, c.result.outcome, pixel_digest(load_rgb(run.folder / c.result.image))) for c in run.cells]


@pytest.mark.slow(first=True)
def test_the_command_on_the_demos_file_is_the_demo(demo, tmp_path, capsys):
    """Trained and compared anew from the file: the demo's weights and pictures. Again: nothing is left to do."""
    folder, here = demo[0], tmp_path / "demo"
    for name in ("datasets", "checkpoints", "detectors"):
        shutil.copytree(folder / name, here / name)
    shutil.copy(folder / STUDY, here)
    line = ["experiment", str(here / STUDY), "--out", str(here), "--batch", "8", "--device", "cpu", "--json"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert main([*line, "--plan"]) == 0
        assert not (here / "reg").exists()
        planned = json.loads(capsys.readouterr().out)
        assert {name: plan["steps"] for name, plan in planned["trainings"].items()} == {
            arm: SMALL.steps(arm) for arm in ARMS
        }
        assert main(line) == 0
        assert [cost["cells"] for cost in planned["comparisons"].values()] == [
            len(open_run(here / name).cells) for name in ("comparison", "class", "faces")
        ]
        for arm in ARMS:
            weights = f"{arm}/{arm}.safetensors"
            assert (here / weights).read_bytes() == (folder / weights).read_bytes()
        for name in ("comparison", "class", "faces"):
            assert pictures(open_run(here / name)) == pictures(open_run(folder / name))
            assert Outcome.FAILED not in {c.result.outcome for c in open_run(here / name).cells}
        times = {path: path.stat().st_mtime_ns for path in here.rglob("images/*.png")}
        assert main(line) == 0
        assert {path: path.stat().st_mtime_ns for path in here.rglob("images/*.png")} == times
    finally:
        torch.set_num_threads(threads)


def test_each_arm_is_trained_with_each_seed_and_compared_at_shared_exposures(demo):
    folder, file = demo[0], SMALL.study("d.pt")
    file["seeds"] = [3, 4]
    file["comparisons"] = {"comparison": {**file["comparisons"]["comparison"], "control": "ohwx man"}}
    study = Study.from_dict(file, folder)
    assert {name: recipe.seed for name, recipe in study.recipes(folder).items()} == {
        "no-reg-s3": 3, "no-reg-s4": 4, "reg-s3": 3, "reg-s4": 4
    }  # fmt: skip
    plans = plans_of(study, folder)
    experiment = study.experiments(plans, folder)["comparison"]
    assert experiment.control.class_words == "man"
    assert len(experiment.checkpoints) == 1 + 4 * SMALL.saves
    odd = {name: replace(plan, saves=plan.saves[-1:]) if name == "reg-s4" else plan for name, plan in plans.items()}
    assert len(study.experiments(odd, folder)["comparison"].checkpoints) == 1 + 4
    none = {name: replace(p, saves=p.saves[:1] if name == "reg-s4" else p.saves[1:]) for name, p in plans.items()}
    with pytest.raises(ExperimentError, match="share no exposures"):
        study.experiments(none, folder)


WRONG = {
    "no arms": ({"arms": {}}, "lacks arms"),
    "a field that is none": ({"arm": {}}, "has no 'arm'"),
    "its own output": ({"arms": {"a": {"output": "x"}}}, "without output, name, seed"),
    "a seed twice": ({"seeds": [1, 1]}, "different whole numbers"),
    "a name that is a path": ({"arms": {"../a": {}}}, "becomes a folder"),
    "checkpoints": (
        {"comparisons": {"c": {"job": {"prompt": "a", "seed": 1}, "axes": [{"kind": "checkpoint", "values": ["a"]}]}}},
        "has a checkpoint axis",
    ),
    "a recipe's field that is none": ({"arms": {"a": {"epoch": 1}}}, "has no 'epoch'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_a_sentence_before_anything(name, tmp_path, capsys):
    wrong, says = WRONG[name]
    (tmp_path / "e.json").write_text(json.dumps({**SMALL.study("d.pt"), **wrong}), encoding="utf-8")
    assert main(["experiment", str(tmp_path / "e.json")]) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "e").exists()


def test_it_reads_from_its_own_folder(tmp_path):
    (tmp_path / "e.json").write_text(json.dumps(SMALL.study("d.pt")), encoding="utf-8")
    recipe = read_study(tmp_path / "e.json").recipes(tmp_path / "out")["reg"]
    assert recipe.reg == str(tmp_path / "datasets" / "reg")
    assert recipe.output == str(tmp_path / "out" / "reg")


def test_folders_of_concepts_and_masks_are_its_own_too(tmp_path):
    file = SMALL.study("d.pt")
    del file["recipe"]["train"]
    file["recipe"] |= {"masks": "masks", "concepts": [{"folder": "me"}, {"folder": "men", "reg": True}]}
    file["arms"] = {"both": {}, "alpha": {"masks": "alpha"}}
    recipes = Study.from_dict(file, tmp_path).recipes(tmp_path / "out")
    assert [one["folder"] for one in recipes["both"].concepts] == [str(tmp_path / "me"), str(tmp_path / "men")]
    assert [recipes[name].masks for name in ("both", "alpha")] == [str(tmp_path / "masks"), "alpha"]
    assert file["recipe"]["concepts"][0]["folder"] == "me"


@pytest.mark.parametrize("out", ["demo é", "./demo é/", "{here}/demo é"])
def test_a_base_of_its_own_folder_has_one_name_however_that_is_given(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    folder = Path(out.format(here=tmp_path))
    folder.mkdir()
    (folder / "e.json").write_text(json.dumps(SMALL.study("d.pt")), encoding="utf-8")
    study = read_study(folder / "e.json")
    assert study.base(folder) == "checkpoints/toy.safetensors"
    assert stand_ins_of(study, folder) == {}
