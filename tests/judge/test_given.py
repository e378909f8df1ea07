"""What a recipe beside the checkpoints tells the judge: photographs of `train` or of concepts, others of `reg`."""

import json

import pytest

from ohwx_compare.judge.run.measures import Given, given_by_recipe


class Column:
    def __init__(self, path):
        self.path = path


class Run:
    def __init__(self, path):
        self.columns = (Column(path),)


@pytest.fixture
def told(tmp_path):
    for name in ("me", "me too", "class", "mine", "base.safetensors"):
        (tmp_path / name).mkdir()

    def given(recipe, known=None):
        where = {key: str(tmp_path / value) for key, value in recipe.items() if isinstance(value, str)}
        concepts = [{**one, "folder": str(tmp_path / one["folder"])} for one in recipe.get("concepts", [])]
        (tmp_path / "recipe.json").write_text(json.dumps({**where, "concepts": concepts}), encoding="utf-8")
        found = given_by_recipe(Run(tmp_path / "a.safetensors"), known or Given())
        return [path.name for path in found.photos], [path.name for path in found.negatives], found.base

    return given


def test_photographs_of_concepts_are_found(told, tmp_path):
    assert told({"train": "me", "reg": "class"})[:2] == (["me"], ["class"])
    concepts = [{"folder": "me"}, {"folder": "class", "reg": True}, {"folder": "me", "group": 1}, {"folder": "me too"}]
    photos, others, base = told({"base": "base.safetensors", "concepts": concepts})
    assert (photos, others, base) == (["me", "me too"], ["class"], tmp_path / "base.safetensors")
    assert told({"concepts": concepts}, Given(photos=(tmp_path / "mine",)))[:2] == (["mine"], ["class"])
    assert told({"base": "gone", "concepts": [{"folder": "gone"}]}) == ([], [], None)


@pytest.mark.parametrize("concepts", [3, "x", [3], [{}], [{"folder": None}], {"folder": "me"}])
def test_a_strangers_recipe_is_no_error(tmp_path, concepts):
    (tmp_path / "recipe.json").write_text(json.dumps({"concepts": concepts}), encoding="utf-8")
    assert given_by_recipe(Run(tmp_path / "a.safetensors"), Given()) == Given()
