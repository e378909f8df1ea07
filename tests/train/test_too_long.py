"""A training that nobody could finish is refused before it is counted, in one sentence."""

import pytest
from PIL import Image

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe

TOO_LONG = {
    "epochs": {"epochs": 1_000_000},
    "steps": {"epochs": None, "steps": 10_000_000},
    "repeats": {"repeats": 10_000_000},
    "batches": {"epochs": None, "steps": 10_000, "batch": 1_000_000},
    "saves": {"epochs": 12_000, "save_every_epochs": 1},
    "a ratio": {"epochs": 1, "repeats": 10_000, "reg_ratio": 100.0},
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_training_without_end_is_refused_at_once(name, mini, tmp_path):
    for folder in ("train/1_ohwx man", "reg/1_man"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / folder / "a.png")
    folders = {part: str(tmp_path / part) for part in ("train", "reg", "output")}
    recipe = Recipe.from_dict({"base": str(mini), **folders, "resolution": 64, "bucket_min": 64, **TOO_LONG[name]})
    with pytest.raises(ExperimentError, match=r"(epoch|training) (shows|has|saves)"):
        make_plan(recipe)


CHANGES = [
    {"resolution": 2**40}, {"output": "a\0b"}, {"base": "\ud800"}, {"train": "a\0"}, {"epochs": 10**12},
    {"repeats": 10**12}, {"reg_ratio": 1e9},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_no_picture_no_file_and_no_training_can_be_is_refused(change):
    with pytest.raises(ExperimentError, match=r"expected positive|no file|expected 1 to|expected at most 100"):
        Recipe.from_dict({"base": "b", "train": "t", "output": "o", **change})
