"""The form of a recipe: no field of it can be forgotten."""

import re
from dataclasses import fields
from pathlib import Path

from ohwx_compare.train.recipe.described import DERIVED, described_fields
from ohwx_compare.train.recipe.recipe import Recipe

FORM = Path(__file__).parents[2] / "javascript" / "ohwx_recipe_fields.mjs"


def test_every_field_of_a_recipe_is_in_the_form_or_derived():
    told = described_fields()
    names = [one["name"] for one in told]
    assert sorted([*names, *DERIVED]) == sorted(each.name for each in fields(Recipe))
    assert len({one["group"] for one in told}) == 13
    assert all(one["group"] and one["meaning"] for one in told)
    text = FORM.read_text(encoding="utf-8")
    first = re.findall(r"^  (\w+): \{", text.partition("const FIRST")[2].partition("\n};")[0], re.MULTILINE)
    assert set(first) - {"width", "height"} < set(names)  # what stands above the groups is a field too


def test_defaults_are_the_recipes_own():
    recipe = Recipe(base="b", train="t", output="o").to_dict()
    told = {one["name"]: one["default"] for one in described_fields()}
    assert {**recipe, **told, "base": "b", "train": "t"} == recipe


def test_kinds():
    kinds = {one["name"]: one["kind"] for one in described_fields()}
    wanted = {
        "resolution": "size", "flip": "switch", "warmup": "number", "epochs": "whole", "zero_snr": "choice",
        "optimizer": "choice", "optimizer_args": "json", "concepts": "json", "lr_blocks": "numbers", "log": "texts",
        "sample_prompts": "lines", "sample_negative": "text",
    }  # fmt: skip
    assert {name: kinds[name] for name in wanted} == wanted
