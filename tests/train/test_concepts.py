"""Several concepts and resolutions, captions that vary, and sd-scripts' dataset_config, against what it makes of them.

sd_scripts_concepts.json holds what BlueprintGenerator and process_caption of sd-scripts 48d368fa answered; its chance
was replaced for that: shuffling turned the parts round, and the n-th number drawn was n * 37 modulo 100, in hundredths.
"""

import json
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
import torch
from PIL import Image

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.train.learn.captions import caption_at, varied
from ohwx_compare.train.learn.setup import set_up
from ohwx_compare.train.plan.course import Course, Showable
from ohwx_compare.train.plan.estimate import trained_shapes
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.concepts import Concept, concepts_of
from ohwx_compare.train.recipe.forms import read_any
from ohwx_compare.train.recipe.recipe import Recipe, read_recipe, write_recipe
from ohwx_compare.train.run.identity import identity_of
from ohwx_compare.train.run.loop import batch
from tests.train.conftest import draw

ANSWERS = json.loads((Path(__file__).parent / "sd_scripts_concepts.json").read_text(encoding="utf-8"))
NAMES = {  # sd-scripts' name of a subset's setting -> a concept's
    "image_dir": "folder", "num_repeats": "repeats", "is_reg": "reg", "class_tokens": "words", "flip_aug": "flip",
    "shuffle_caption": "shuffle", "keep_tokens": "keep_tokens", "keep_tokens_separator": "keep_tokens_separator",
    "caption_dropout_rate": "caption_dropout", "caption_tag_dropout_rate": "tag_dropout",
    "caption_prefix": "caption_prefix", "caption_suffix": "caption_suffix",
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS["captions"], ids=lambda case: case["shown"])
def test_a_caption_varies_as_in_sd_scripts(case):
    settings = {NAMES[name]: value for name, value in case["settings"].items()}
    concept, drawn = Concept(**settings), count(1)
    caption = f"{concept.caption_prefix or ''} {case['caption']} {concept.caption_suffix or ''}".strip()
    if concept.varies:
        caption = varied(caption, concept, lambda parts: parts[::-1], lambda at: next(drawn) * 37 % 100 / 100)
    assert caption == case["shown"]


@pytest.mark.parametrize("case", [one for one in ANSWERS["configs"] if "datasets" in one], ids=lambda case: case["id"])
def test_a_dataset_config_means_what_it_means_to_sd_scripts(case, tmp_path):
    recipe = read(tmp_path, case["toml"], **case["arguments"]).recipe
    found = concepts_of(recipe)
    expected = [(number, one, sub) for number, one in enumerate(case["datasets"]) for sub in one["subsets"]]
    assert [one.group for one in found] == [number for number, _, _ in expected]
    for one, (_, dataset, subset) in zip(found, expected, strict=True):
        assert {ours: getattr(one, ours) or None for ours in NAMES.values()} == {
            ours: subset[theirs] or None for theirs, ours in NAMES.items()
        }
        assert one.caption_extensions == (subset["caption_extension"],)
        assert (one.resolution, one.buckets) == (tuple(dataset["resolution"]), dataset["enable_bucket"])
        assert recipe.batch == dataset["batch"]
        if dataset["enable_bucket"]:
            assert (one.bucket_step, one.bucket_no_upscale) == (dataset["steps"], dataset["no_upscale"])
            if not dataset["no_upscale"]:
                assert (one.bucket_min, one.bucket_max) == (dataset["min"], dataset["max"])


def read(folder: Path, dataset: str, without=(), **arguments):
    """A training that names this dataset_config, which lies beside it."""
    (folder / "dataset.toml").write_text(dataset, encoding="utf-8")
    told = {
        "pretrained_model_name_or_path": "b.safetensors", "output_dir": "out", "resolution": "1024,1024",
        "learning_rate": 1e-5, "max_train_steps": 4, "dataset_config": "dataset.toml", **arguments,
    }  # fmt: skip
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items())
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return read_any(folder / "config.toml", without)


@pytest.mark.parametrize("case", [one for one in ANSWERS["configs"] if "refused" in one], ids=lambda case: case["id"])
def test_what_sd_scripts_refuses_is_refused(case, tmp_path):
    with pytest.raises(ExperimentError, match=r"num_repeat|is_reg|image_dir"):
        read(tmp_path, case["toml"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("random_crop = true", "random_crop = True"),
        ("enable_wildcard = true", "enable_wildcard = True"),
        ("secondary_separator = ';'", "secondary_separator = ';'"),
        ("caption_separator = '|'", r"caption_separator = '\|'"),
        ("token_warmup_step = 0.5", "token_warmup_step = 0.5"),
        ("caption_dropout_every_n_epochs = 2", "caption_dropout_every_n_epochs = 2"),
    ],
)
def test_what_is_not_built_is_refused_until_it_is_given_up(line, said, tmp_path):
    dataset = f"[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = 'a'\n{line}\n"
    with pytest.raises(ExperimentError, match=said):
        read(tmp_path, dataset)
    notes = read(tmp_path, dataset, [line.split()[0]]).notes
    assert any("Given up" in note for note in notes)


def test_a_dataset_config_is_a_toml_or_a_json(tmp_path):
    (tmp_path / "secret").write_text("a word", encoding="utf-8")
    with pytest.raises(ExperimentError, match=r"expected a \.toml or a \.json"):
        read(tmp_path, "", dataset_config=str(tmp_path / "secret"))


def test_masks_and_batches_of_some_datasets_alone_are_refused(tmp_path):
    two = "[[datasets]]\nresolution = 512\n{}[[datasets.subsets]]\nimage_dir = 'a'\n{}"
    other = two.format("batch_size = 2\n", "")
    with pytest.raises(ExperimentError, match="batch_size 1 and 2"):
        read(tmp_path, two.format("", "") + other)
    with pytest.raises(ExperimentError, match=r"alpha_mask = True .for some folders"):
        read(tmp_path, two.format("", "alpha_mask = true\n") + two.format("", ""))
    with pytest.raises(ExperimentError, match=r"metadata_file = 'm\.json'"):
        read(tmp_path, two.format("", "metadata_file = 'm.json'\n"))


@pytest.fixture
def concepts(small, tmp_path):
    """A recipe of the same three pictures at two sizes, with regularization images for the larger."""
    for at, name in enumerate(("me", "class")):
        for i in range(3 + at):
            draw(tmp_path / name / f"{i}.png", 10 * at + i, (96, 64))
    (tmp_path / "me" / "0.txt").write_text("ohwx man, red, green, blue", encoding="utf-8")
    train = {"folder": str(tmp_path / "me"), "words": "ohwx man"}
    reg = {"folder": str(tmp_path / "class"), "words": "man", "reg": True, "group": 1, "resolution": 128}
    return {
        **{name: value for name, value in small.items() if name != "train"},
        "bucket_max": 256, "bucket_step": 32, "bucket_min": 32,
        "concepts": [train, {**train, "group": 1, "resolution": 128, "repeats": 2, "shuffle": True}, reg],
    }  # fmt: skip


def test_pictures_are_shown_at_each_concepts_size(concepts):
    plan = make_plan(Recipe.from_dict(concepts))
    assert plan.pictures[0].path == plan.pictures[3].path
    areas = [width * height for width, height in (one.bucket for one in plan.placements)]
    assert max(areas[:3]) < min(areas[3:])
    shown = plan.course.exposures(plan.course.epoch(1))
    assert [shown[i] for i in range(6)] == [1, 1, 1, 2, 2, 2]
    assert sum(shown[i] for i in range(6, 10)) == 6  # as many as training images of their group
    assert plan.steps == 2 * (3 + 6 + 6)
    assert sorted(plan.needed) == list(range(10))


def test_groups_share_no_batch():
    pictures = [Showable((64, 64), group=group, reg=reg) for group in (0, 1) for reg in (False, True) for _ in range(3)]
    course = Course(pictures=tuple(pictures), batch=4, seed=3)
    batches = [batch for number in (1, 2) for step in course.epoch(number) for batch in step]
    assert all(len({pictures[i].group for i in batch}) == 1 for batch in batches)
    assert Counter(i for batch in batches for i in batch) == dict.fromkeys(range(12), 2)


def test_captions_that_vary_are_encoded_as_they_are_shown(concepts):
    recipe = Recipe.from_dict(concepts)
    plan = make_plan(recipe)
    setup = set_up(plan, "cpu")
    shown = {caption_at(plan.pictures[3].caption, plan.concepts[1], recipe.seed, n, 0) for n in range(1, 40)}
    assert len(shown) > 10
    assert all(sorted(one.split(", ")) == ["blue", "green", "ohwx man", "red"] for one in shown)
    seen = batch(setup, 7, {0: 3}).context
    caption = caption_at(plan.pictures[3].caption, plan.concepts[1], recipe.seed, 7, 0)
    assert torch.equal(seen, setup.texts([caption])[0])
    assert not torch.equal(seen, setup.texts([plan.pictures[3].caption])[0])
    fixed = set_up(make_plan(Recipe.from_dict({**concepts, "concepts": concepts["concepts"][:1]})), "cpu")
    torch.testing.assert_close(batch(setup, 7, {0: 0}).context, batch(fixed, 7, {0: 0}).context)


def test_encoders_that_read_in_every_step_are_in_the_plans_memory(concepts):
    vary = make_plan(Recipe.from_dict(concepts))
    still = make_plan(Recipe.from_dict({**concepts, "concepts": concepts["concepts"][:1]}))
    header = read_header(Path(concepts["base"]))
    encoders = trained_shapes(header, Recipe.from_dict({**concepts, "lr_te1": 1e-6, "lr_te2": 1e-6}))
    assert vary.memory.weights - still.memory.weights > 4 * sum(
        torch.Size(shape).numel() for name, shape in encoders.items() if not name.startswith("model.")
    )


def test_concepts_stay_with_the_run_and_their_folders_may_move(concepts, tmp_path):
    plan = make_plan(Recipe.from_dict(concepts))
    (tmp_path / "me").rename(tmp_path / "moved")
    told = [{**one, "folder": one["folder"].replace("/me", "/moved")} for one in concepts["concepts"]]
    (tmp_path / "r.json").write_text(
        json.dumps({**concepts, "concepts": [{**one, "folder": Path(one["folder"]).name} for one in told]}),
        encoding="utf-8",
    )
    moved = read_recipe(tmp_path / "r.json")
    assert identity_of(make_plan(moved), "base") == identity_of(plan, "base")
    write_recipe(tmp_path / "again.json", moved)
    assert read_recipe(tmp_path / "again.json") == moved
    other = Recipe.from_dict({**moved.to_dict(), "concepts": [{**told[0], "flip": True}, *told[1:]]})
    assert identity_of(make_plan(other), "base") != identity_of(plan, "base")


@pytest.mark.parametrize(
    ("concepts_", "said"),
    [
        ([{"words": "x"}], "lacks its folder"),
        ([{"folder": "a", "repeat": 2}], "no 'repeat'; did you mean 'repeats'"),
        ([{"folder": "a", "repeats": 0}], "repeats is 0, expected 1 to"),
        ([{"folder": "a", "reg": True}], "All concepts are regularization images"),
        ([{"folder": "a", "resolution": 100}], "multiples of 64"),
        ([{"folder": "a", "tag_dropout": 1.5}], "tag_dropout is 1.5"),
        ([{"folder": "a", "bucket_max": 512, "resolution": 1024}], "must enclose the resolution 1024 x 1024"),
        (["a"], "a list of JSON objects"),
        ([{"folder": "nowhere"}], "does not exist"),
    ],
)
def test_a_wrong_concept_is_one_sentence(concepts_, said, mini):
    with pytest.raises(ExperimentError, match=said):
        make_plan(Recipe.from_dict({"base": str(mini), "output": "out", "concepts": concepts_}))


def test_train_and_concepts_exclude_one_another(concepts):
    for name, value in (("train", "img"), ("reg", "reg"), ("repeats", 2)):
        with pytest.raises(ExperimentError, match=f"{name} is .* beside concepts"):
            Recipe.from_dict({**concepts, name: value})


def test_folders_without_pictures_are_named(concepts, tmp_path):
    (tmp_path / "empty").mkdir()
    plan = make_plan(
        Recipe.from_dict({**concepts, "concepts": [*concepts["concepts"], {"folder": str(tmp_path / "empty")}]})
    )
    assert any("empty holds no picture right in it" in note for note in plan.notes)
    Image.new("RGB", (8, 8)).save(tmp_path / "empty" / "a.png")
    skipped = make_plan(plan.recipe).dataset.skipped
    assert skipped == ()
