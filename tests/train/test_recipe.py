"""Recipes: complete from a preset, written and read whole, refused in one sentence."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.presets import COMPAT, PRESETS
from ohwx_compare.train.recipe.recipe import Recipe, read_recipe, write_recipe

SMALLEST = {"base": "base.safetensors", "train": "img", "output": "out"}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_and_three_paths_are_a_recipe(preset):
    recipe = Recipe.from_dict({"preset": preset, "reg": "reg", **SMALLEST})
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_corrected_is_the_default():
    assert Recipe.from_dict({"preset": "corrected", **SMALLEST}).to_dict() == {
        **Recipe.from_dict(SMALLEST).to_dict(),
        "preset": "corrected",
    }


def test_the_users_values_stand_over_the_presets():
    recipe = Recipe.from_dict({"preset": "article-no-reg", "steps": 10, "save_every_steps": 4, **SMALLEST})
    assert (recipe.epochs, recipe.steps) == (None, 10)
    assert (recipe.save_every_epochs, recipe.save_every_steps) == (None, 4)
    assert recipe.compat == tuple(COMPAT)


def test_kohya_means_every_fault():
    assert Recipe.from_dict({"compat": "kohya", **SMALLEST}).compat == tuple(COMPAT)
    assert Recipe.from_dict({"compat": ["crop"], **SMALLEST}).compatible("crop")


def test_a_file_keeps_the_recipe_and_its_paths(tmp_path):
    folder = tmp_path / "Ordner mit Ümlaut"
    folder.mkdir()
    recipe = Recipe.from_dict({k: str(folder / v) for k, v in SMALLEST.items()} | {"ema": 0.999, "resolution": 768})
    write_recipe(folder / "recipe.json", recipe)
    assert read_recipe(folder / "recipe.json") == recipe
    (folder / "short.json").write_text("\ufeff" + json.dumps(SMALLEST), encoding="utf-8")
    assert read_recipe(folder / "short.json").base == str(folder / "base.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epoch": 3}, "no 'epoch'; did you mean 'epochs'"),
        ({"preset": "article"}, "did you mean 'article-"),
        ({"resolution": 1000}, "multiples of 64"),
        ({"resolution": 1000, "buckets": False, "compat": ["area"]}, "multiples of 64"),
        ({"warmup": 1.5}, "a share of all steps below 1"),
        ({"resolution": [1024]}, "two numbers"),
        ({"batch": 0}, "expected 1 to"),
        ({"state_every": 0}, "expected 1 to"),
        ({"batch": True}, "must be a whole number"),
        ({"epochs": None}, "either `epochs` or `steps`"),
        ({"epochs": 2, "steps": 3}, "either `epochs` or `steps`"),
        ({"lr_unet": None}, "Nothing would be trained"),
        ({"lr_unet": float("nan")}, "0 or more"),
        ({"lr_blocks": [1e-5] * 22}, "expected 23 rates"),
        ({"lr_blocks": [1e-5] * 22 + ["x"]}, "a list of numbers"),
        ({"clip_by": "global"}, "clip_by must be 'tensor'"),
        ({"optimizer": "adam"}, "expected 'adafactor' or 'adamw'"),
        ({"optimizer_args": {"weight_deca": 0}}, "did you mean 'weight_decay'"),
        ({"optimizer_args": {"flatten": 1}}, "expected a value such as False"),
        ({"compat": ["crops"]}, "did you mean 'crop'"),
        ({"alpha": "white"}, "a colour such as"),
        ({"name": "a/b"}, "a file name"),
        ({"bucket_max": 512}, "enclose the resolution"),
        ({"base": ""}, "lacks base"),
        ({"loss": "l3"}, "'huber' or 'smooth-l1'"),
        ({"min_timestep": 900, "max_timestep": 900}, "less than max_timestep"),
        ({"max_timestep": 1001}, "1 to 1000"),
        ({"huber_c": 0}, "a number above 0"),
        ({"zero_snr": True, "prediction": "eps"}, "no noise to predict"),
        ({"ema_ramp": True}, "set ema"),
        ({"schedule": "polynomial", "lr_unet": 1e-7}, "a rate must be above"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(change, said):
    with pytest.raises(ExperimentError) as caught:
        Recipe.from_dict({**SMALLEST, **change})
    assert said in str(caught.value)
    assert str(caught.value).count(". ") <= 1


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(ExperimentError, match="cannot be read"):
        read_recipe(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(ExperimentError, match="is not JSON"):
        read_recipe(tmp_path / "bad.json")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.sampled_from(["", "x", "kohya"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["betas", "eps", "x"]), inner),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from([one.name for one in fields(Recipe)]), ANY, max_size=3))
def test_any_json_is_a_recipe_or_one_sentence(changes):
    try:
        recipe = Recipe.from_dict({**SMALLEST, **changes})
    except ExperimentError:
        return
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_a_recipe_that_was_written_means_the_same_paths_from_its_own_folder(tmp_path, monkeypatch):
    """A training keeps its recipe in its output, which is not where its paths were given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    write_recipe(tmp_path / "out" / "recipe.json", Recipe.from_dict(SMALLEST))
    read = read_recipe(tmp_path / "out" / "recipe.json")
    assert [read.base, read.train, read.output] == [str(tmp_path / name) for name in SMALLEST.values()]
    assert not read.reg
