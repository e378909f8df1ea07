"""Settings of kohya_ss and sd-scripts as recipes: what is taken over, and every other key named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.kohya import from_kohya, parse_toml, read_any
from ohwx_compare.train.recipe.recipe import COMPAT, Recipe

GUI = {  # as kohya_ss writes it: numbers are often text, 0 and "" mean unset
    "pretrained_model_name_or_path": "C:/Modelle/Base größer.safetensors",
    "train_data_dir": "img",
    "reg_data_dir": "",
    "output_dir": "out",
    "output_name": "me",
    "max_resolution": "1024,1024",
    "enable_bucket": True,
    "bucket_no_upscale": True,
    "min_bucket_reso": 256,
    "max_bucket_reso": 2048,
    "caption_extension": ".txt",
    "epoch": 150,
    "max_train_steps": "0",
    "max_train_epochs": "",
    "save_every_n_epochs": "30",
    "save_every_n_steps": 0,
    "train_batch_size": "1",
    "seed": "7",
    "optimizer": "Adafactor",
    "optimizer_args": "scale_parameter=False relative_step=False warmup_init=False weight_decay=0.01",
    "learning_rate": "1e-5",
    "learning_rate_te1": 3e-6,
    "learning_rate_te2": 0,
    "lr_scheduler": "constant",
    "lr_warmup": 10,
    "full_bf16": True,
    "mixed_precision": "bf16",
    "gradient_checkpointing": True,
    "prior_loss_weight": 0.5,
    "xformers": "xformers",
    "flip_aug": True,
    "color_aug": False,
    "loss_type": "l2",
    "noise_offset_type": "Original",
    "min_snr_gamma": 5,
}


def test_kohya_ss_settings_are_taken_over():
    recipe = from_kohya(GUI).recipe
    expected = {
        "base": GUI["pretrained_model_name_or_path"], "train": "img", "reg": None, "output": "out", "name": "me",
        "epochs": 150, "steps": None, "save_every_epochs": 30, "save_every_steps": None, "seed": 7,
        "resolution": [1024, 1024], "bucket_no_upscale": True, "caption_extensions": [".txt"],
        "optimizer": "adafactor", "optimizer_args": {"weight_decay": 0.01}, "fused": False, "clip_by": "global",
        "lr_unet": 1e-5, "lr_te1": 3e-6, "lr_te2": None, "precision": "bf16-nearest", "checkpointing": True,
        "loss_weighting": "min-snr", "min_snr_gamma": 5.0, "prediction": "eps", "compat": list(COMPAT),
    }  # fmt: skip
    assert {name: recipe.to_dict()[name] for name in expected} == expected


def test_every_key_is_taken_over_or_named():
    notes = " ".join(from_kohya({**GUI, "surprise": 3}).notes)
    for key in ("lr_warmup", "flip_aug", "surprise", "xformers", "color_aug", "loss_type"):
        assert key in notes, key
    for key in ("prior_loss_weight", "min_bucket_reso", "max_bucket_reso"):
        assert f"itself ignores {key}" in notes or f"and {key}" in notes, key
    assert (
        "Ignored, though set: flip_aug = True, lr_warmup = 10, surprise = 3."
        in from_kohya({**GUI, "surprise": 3}).notes
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"max_train_epochs": 5, "max_train_steps": 70}, {"epochs": 5, "steps": None}),
        ({"max_train_steps": 70}, {"epochs": None, "steps": 70}),
        ({"epoch": 0}, {"epochs": None, "steps": 1600}),
        ({"fused_backward_pass": True}, {"fused": True, "clip_by": "tensor", "precision": "bf16-stochastic"}),
        ({"max_grad_norm": 0}, {"clip": 0.0}),
        ({"full_bf16": False}, {"precision": "fp32-master"}),
        ({"full_bf16": False, "mixed_precision": "no"}, {"precision": "fp32"}),
        ({"optimizer": "AdamW8bit", "optimizer_args": ["weight_decay=0.1", "betas=(0.9,0.99)"]},
         {"optimizer": "adamw", "optimizer_args": {"weight_decay": 0.1, "betas": [0.9, 0.99]}}),
        ({"lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 20}, {"schedule": "constant", "warmup": 20}),
        ({"lr_warmup_steps": 20}, {"warmup": 0}),
        ({"train_text_encoder": True, "learning_rate_te2": None}, {"lr_te1": 3e-6, "lr_te2": 1e-5}),
        ({"caption_extension": ""}, {"caption_extensions": [".caption"]}),
        ({"bucket_no_upscale": False}, {"bucket_max": 2048}),
        ({"save_last_n_epochs": 2}, {"keep_last": 2}),
    ],
)  # fmt: skip
def test_quirks(change, expected):
    recipe = from_kohya({**GUI, **change}).recipe.to_dict()
    assert {name: recipe[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": "Prodigy"}, "'Prodigy' is not supported"),
        ({"optimizer_args": ""}, "add scale_parameter=False"),
        ({"lr_scheduler": "polynomial"}, "'polynomial' is not supported"),
        ({"learning_rate": "fast"}, "expected a number"),
        ({"bucket_reso_steps": 1}, "a multiple of 32"),
        ({"pretrained_model_name_or_path": ""}, "lacks base"),
    ],
)
def test_what_cannot_be_trained_here_is_one_sentence(change, said):
    with pytest.raises(ExperimentError, match=said):
        from_kohya({**GUI, **change})


def test_toml_is_read_as_kohya_writes_it(tmp_path):
    text = """# written by kohya_ss
[Basics]
pretrained_model_name_or_path = "C:/Modelle/a # b.safetensors" # base
train_data_dir = 'img ü\\x'
output_dir = "out"
max_train_epochs = 1_0
learning_rate = 1e-05
optimizer_type = "adafactor"
optimizer_args = [ "scale_parameter=False", 'relative_step=False', ]
full_bf16 = true
"""
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    recipe = read_any(tmp_path / "config.toml").recipe
    assert (recipe.base, recipe.train) == ("C:/Modelle/a # b.safetensors", "img ü\\x")
    assert (recipe.epochs, recipe.lr_unet, recipe.optimizer) == (10, 1e-5, "adafactor")
    assert (recipe.name, recipe.buckets, recipe.batch) == ("last", False, 1)


TEXTS = st.text(st.sampled_from("aü#'\"\\[]=,{} 1男"))
NUMBERS = st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.booleans() | NUMBERS | TEXTS | st.lists(st.integers(0, 9))


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), VALUES))
def test_toml_values_come_back(values):
    text = "\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}  # x" for key, value in values.items())
    assert parse_toml(text) == values


@pytest.mark.parametrize("text", ["[[datasets]]", "a = {b = 1}", 'a = """x', "a ="])
def test_more_of_toml_is_refused_by_line(text):
    with pytest.raises(ExperimentError, match="Line 2"):
        parse_toml("ok = 1\n" + text)


def test_a_file_is_known_by_what_it_holds(tmp_path):
    (tmp_path / "gui.json").write_text(json.dumps(GUI), encoding="utf-8")
    assert read_any(tmp_path / "gui.json").recipe.name == "me"
    (tmp_path / "ours.json").write_text('{"base": "b", "train": "t", "output": "o"}', encoding="utf-8")
    assert read_any(tmp_path / "ours.json").recipe == Recipe(
        base=str(tmp_path / "b"), train=str(tmp_path / "t"), output=str(tmp_path / "o")
    )


@given(st.dictionaries(st.sampled_from(sorted(GUI)), NUMBERS | TEXTS | st.none() | st.just([]) | st.just(float("inf"))))
def test_any_settings_are_a_recipe_or_one_sentence(changes):
    try:
        from_kohya({**GUI, **changes})
    except ExperimentError as error:
        assert "\n" not in str(error)  # noqa: PT017  both ends are fine
