"""`ohwx train --plan`: results on stdout, refusals in a sentence."""

import json
from math import prod

import pytest
from PIL import Image

from ohwx_compare.cli.main import main


@pytest.fixture
def recipe(tmp_path, goldens):
    """A recipe file over two pictures, and a function that writes changes into it."""
    names, at = {}, 0
    for name, (dtype, shape) in json.loads((goldens / "tiny_manifest.json").read_text(encoding="utf-8")).items():
        end = at + prod(shape) * {"F16": 2, "I64": 8}[dtype]
        names[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(names).encode()
    with (tmp_path / "base.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    (tmp_path / "img" / "1_ohwx man").mkdir(parents=True)
    for name in "ab":
        Image.new("RGB", (64, 64)).save(tmp_path / "img" / "1_ohwx man" / f"{name}.png")
    path = tmp_path / "recipe.json"

    def write(**changes) -> str:
        values = {"preset": "article-no-reg", "base": "base.safetensors", "train": "img", "output": "out", **changes}
        path.write_text(json.dumps(values), encoding="utf-8")
        return str(path)

    return write


def test_a_plan_in_words(recipe, capsys):
    assert main(["train", "--plan", recipe()]) == 0
    out = capsys.readouterr().out
    assert out.startswith("300 steps, 150 epochs: 2 training images shown 300 times in all\n")
    assert "ohwx-000030       60  30 (30 to 30)" in out
    assert "activations 0." in out


def test_a_plan_as_json(recipe, capsys):
    assert main(["train", "--plan", recipe(epochs=2, save_every_epochs=1), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [(save["name"], save["step"], save["exposures"]) for save in plan["saves"]] == [
        ("ohwx-000001", 2, 1.0), ("ohwx", 4, 2.0),
    ]  # fmt: skip


def test_kohyas_settings_are_planned_and_given_back_as_a_recipe(recipe, tmp_path, capsys):
    recipe()
    settings = {
        "pretrained_model_name_or_path": str(tmp_path / "base.safetensors"), "train_data_dir": str(tmp_path / "img"),
        "output_dir": str(tmp_path / "out"), "max_train_steps": 7, "xformers": True,
    }  # fmt: skip
    (tmp_path / "gui.json").write_text(json.dumps(settings), encoding="utf-8")
    assert main(["train", "--plan", str(tmp_path / "gui.json"), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["steps"] == 7
    assert "xformers" in plan["notes"][0]
    (tmp_path / "ours.json").write_text(json.dumps(plan["recipe"]), encoding="utf-8")
    assert main(["train", "--plan", str(tmp_path / "ours.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"] == plan["recipe"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"train": "none"}, "does not exist"),
        ({"resolution": 1000}, "multiples of 64"),
        ({"output": "base.safetensors/out"}, "cannot be a folder"),
        ({"captions": "file"}, "has no caption file"),
    ],
)
def test_a_refusal_is_one_line(recipe, capsys, changes, said):
    assert main(["train", "--plan", recipe(**changes)]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_several_recipes_are_a_list_and_need_folders_of_their_own(recipe, tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text((tmp_path / recipe(output="b")).read_text(encoding="utf-8"), encoding="utf-8")
    first = recipe()
    assert main(["train", "--plan", first, str(other), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [plan["recipe"]["output"].replace("\\", "/").rpartition("/")[2] for plan in told] == ["out", "b"]
    assert main(["train", "--plan", first, first]) == 1
    assert "Two recipes have the output" in capsys.readouterr().err
