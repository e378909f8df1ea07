"""Settings of kohya_ss and sd-scripts as recipes: what is taken over, and every other key named."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.forms import read_any
from ohwx_compare.train.recipe.kohya import from_kohya, from_sd_scripts
from ohwx_compare.train.recipe.kohya_keys import CHANGING, HONOURED, OTHER_FAMILIES, OTHERS, QUIET
from ohwx_compare.train.recipe.presets import COMPAT
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.recipe.toml import parse_toml

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
    "color_aug": False,
    "loss_type": "l2",
    "noise_offset_type": "Original",
    "min_snr_gamma": 5,
}


ARGUMENTS = {  # of sdxl_train.py
    "pretrained_model_name_or_path": "b.safetensors", "train_data_dir": "img", "output_dir": "out",
    "resolution": "1024,1024", "optimizer_type": "AdamW", "learning_rate": 1e-5, "max_train_steps": 400,
}  # fmt: skip
PLAIN = from_sd_scripts(ARGUMENTS).recipe


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
    given_up = {**GUI, "surprise": 3, "random_crop": True}
    notes = " ".join(from_kohya(given_up, ["random_crop", "surprise"]).notes)
    for key in ("lr_warmup", "random_crop", "surprise", "xformers", "color_aug"):
        assert key in notes, key
    for key in ("prior_loss_weight", "min_bucket_reso", "max_bucket_reso"):
        assert f"itself ignores {key}" in notes or f"and {key}" in notes, key
    assert "resolution is missing" not in notes
    assert "Given up, though set: random_crop = True, surprise = 3." in notes


@pytest.mark.parametrize("key", sorted(CHANGING))
def test_what_changes_the_training_is_refused_until_it_is_given_up_by_name(key):
    owners = {"shuffle_caption": True, "resume": "x", "token_warmup_step": 9}
    values = {**ARGUMENTS, **owners, key: 8}
    with pytest.raises(ExperimentError, match=rf"change the training and are not supported: .*\b{key} = "):
        from_sd_scripts(values, set(owners) - {key})
    notes = " ".join(from_sd_scripts(values, {*owners, key}).notes)
    assert f"{key} = 8" in notes
    assert from_sd_scripts({**ARGUMENTS, key: 0}).recipe == from_sd_scripts(ARGUMENTS).recipe


def test_no_setting_is_in_two_classes():
    classes = [HONOURED, QUIET, OTHERS, frozenset(CHANGING)]
    assert sum(map(len, classes)) == len(frozenset().union(*classes))


@pytest.mark.parametrize("key", sorted(QUIET | OTHERS))
def test_what_has_no_influence_gives_the_same_recipe(key):
    assert from_sd_scripts({**ARGUMENTS, "sdxl": True, "sdxl_checkbox": True, key: "1"}).recipe == PLAIN


@pytest.mark.parametrize(("kind", "mark"), [(kind, mark) for kind, marks in OTHER_FAMILIES.items() for mark in marks])
def test_another_kind_of_training_is_refused_first(kind, mark):
    with pytest.raises(ExperimentError, match=f"trains {kind}; only full SDXL"):
        from_sd_scripts({mark: 4, "random_crop": True, "lr_scheduler": "linear"})


@pytest.mark.parametrize(("read", "values"), [(from_kohya, GUI), (from_sd_scripts, ARGUMENTS)])
def test_a_preset_without_paths_names_those_that_it_lacks(read, values):
    paths = {"base": "pretrained_model_name_or_path", "train": "train_data_dir", "output": "output_dir"}
    lacking = ", ".join(f"{name} ({key})" for name, key in paths.items())
    with pytest.raises(ExperimentError, match=re.escape(f"Kohya's trainer lacks {lacking}; add them.")):
        read({key: value for key, value in values.items() if key not in paths.values()})


def test_names_given_up_may_stand_in_the_file():
    values = {**GUI, "random_crop": True, "color_aug": True}
    assert from_kohya({**values, "ohwx_without": ["random_crop", "color_aug"]}).recipe == from_kohya(GUI).recipe
    assert from_kohya({**values, "ohwx_without": "random_crop, color_aug"}).recipe == from_kohya(GUI).recipe


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"max_train_epochs": 5, "max_train_steps": 70}, {"epochs": 5, "steps": None}),
        ({"max_train_steps": 70}, {"epochs": None, "steps": 70}),
        ({"epoch": 0}, {"epochs": None, "steps": 1600}),
        ({"fused_backward_pass": True}, {"fused": True, "clip_by": "tensor", "precision": "bf16-stochastic"}),
        ({"max_grad_norm": 0}, {"clip": 0.0}),
        ({"max_grad_norm": ""}, {"clip": 1.0}),
        ({"learning_rate_te1": 0}, {"lr_te1": None, "lr_te2": None}),
        ({"train_text_encoder": True, "learning_rate_te1": 0}, {"lr_te1": None}),
        ({"lr_scheduler": "cosine"}, {"schedule": "cosine", "warmup": 0.1}),
        ({"lr_scheduler": "cosine", "lr_warmup_steps": "25"}, {"warmup": 25}),
        ({"lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": "1"}, {"schedule": "cosine"}),
        ({"lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": "3"},
         {"schedule": "cosine-restarts", "schedule_cycles": 3}),
        ({"lr_scheduler": "polynomial", "lr_scheduler_power": "2"}, {"schedule": "polynomial", "schedule_power": 2.0}),
        ({"lr_scheduler": "linear"}, {"schedule": "linear"}),
        ({"loss_type": "smooth_l1", "huber_schedule": "exponential", "huber_c": 0.2, "huber_scale": 2},
         {"loss": "smooth-l1", "huber_schedule": "exponential", "huber_c": 0.2, "huber_scale": 2.0}),
        ({"noise_offset": 0.1, "noise_offset_random_strength": True, "adaptive_noise_scale": 0.01},
         {"noise_offset": 0.1, "noise_offset_random": True, "adaptive_noise_scale": 0.01}),
        ({"multires_noise_iterations": 6}, {"multires_iterations": 6, "multires_discount": 0.3}),
        ({"ip_noise_gamma": 0.1, "ip_noise_gamma_random_strength": True},
         {"ip_noise_gamma": 0.1, "ip_noise_gamma_random": True}),
        ({"min_timestep": 100, "max_timestep": 900}, {"min_timestep": 100, "max_timestep": 900}),
        ({"min_timestep": 500, "max_timestep": 500}, {"min_timestep": 500, "max_timestep": 501}),
        ({"vae": "v.safetensors", "save_precision": "float"}, {"vae": "v.safetensors", "save_precision": "fp32"}),
        ({"masked_loss": True, "additional_parameters": "--alpha_mask"}, {"masks": "alpha"}),
        ({"min_snr_gamma": 0, "additional_parameters": "--alpha_mask"}, {"masks": None}),
        ({"additional_parameters": "--v_parameterization --zero_terminal_snr --scale_v_pred_loss_like_noise_pred"},
         {"prediction": "v", "zero_snr": True, "scale_v_loss": True}),
        ({"flip_aug": True, "caption_dropout_rate": 0.1}, {"flip": True, "caption_dropout": 0.1}),
        ({"v_pred_like_loss": 0.5}, {"v_like_loss": 0.5}),
        ({"additional_parameters": "--v_parameterization --max_grad_norm=0 --lr_scheduler cosine"},
         {"prediction": "v", "clip": 0.0, "schedule": "cosine"}),
        ({"fused_optimizer_groups": 10}, {"fused": False, "clip_by": "tensor", "precision": "bf16-nearest"}),
        ({"max_resolution": "1000,800"}, {"resolution": [1000, 800], "compat": [*COMPAT, "area"]}),
        ({"full_bf16": False}, {"precision": "fp32-master"}),
        ({"full_bf16": False, "mixed_precision": "no"}, {"precision": "fp32"}),
        ({"full_bf16": False, "mixed_precision": "fp16"}, {"precision": "fp16"}),
        ({"optimizer": "Prodigy", "learning_rate": 1.0, "learning_rate_te1": 1.0,
          "optimizer_args": "decouple=True d_coef=2 use_bias_correction=True betas=0.9,0.99",
          "fused_backward_pass": False},
         {"optimizer": "prodigy", "optimizer_args":
          {"d_coef": 2.0, "use_bias_correction": True, "betas": [0.9, 0.99]}}),
        ({"optimizer": "AdamW8bit", "optimizer_args": ["weight_decay=0.1", "betas=(0.9,0.99)"]},
         {"optimizer": "adamw8bit", "optimizer_args": {"weight_decay": 0.1, "betas": [0.9, 0.99]}}),
        ({"lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 20}, {"schedule": "constant", "warmup": 20}),
        ({"lr_warmup_steps": 20}, {"warmup": 0}),
        ({"train_text_encoder": True, "learning_rate_te2": None}, {"lr_te1": 3e-6, "lr_te2": 1e-5}),
        ({"caption_extension": ""}, {"caption_extensions": [".caption"]}),
        ({"bucket_no_upscale": False}, {"bucket_max": 2048}),
        ({"save_last_n_epochs": 2}, {"keep_last": 2}),
        ({"save_every_n_epochs": 0, "save_every_n_steps": 10, "save_last_n_steps": 30}, {"keep_last": 4}),
        ({"save_last_n_steps": 30}, {"keep_last": None}),
    ],
)  # fmt: skip
def test_quirks(change, expected):
    recipe = from_kohya({**GUI, **change}).recipe.to_dict()
    assert {name: recipe[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": "DAdaptAdam"}, "'DAdaptAdam' is not supported"),
        ({"optimizer_args": ""}, "add scale_parameter=False"),
        ({"lr_scheduler": "inverse_sqrt"}, "'inverse_sqrt' is not supported"),
        ({"loss_type": "l3"}, "expected l2, l1, huber or smooth_l1"),
        ({"v_pred_like_loss": 1, "additional_parameters": "--v_parameterization"}, "v_like_loss is of a loss in noise"),
        ({"learning_rate": "fast"}, "expected a number"),
        ({"bucket_reso_steps": 1}, "a multiple of 32"),
        ({"pretrained_model_name_or_path": ""}, "lacks base"),
        ({"additional_parameters": "--zero_terminal_snr"}, "zero_terminal_snr = True"),
        ({"additional_parameters": "--network_module networks.lora"}, "trains a LoRA"),
        ({"additional_parameters": '--output_name "x'}, "not closed"),
        ({"debiased_estimation_loss": True}, "multiplied with min_snr_gamma"),
        ({"sdxl": False}, "trains an SD 1.x model"),
        ({"sdxl": False, "sd3_checkbox": True}, "trains an SD3 model"),
        ({"train_data_dir": "", "dataset_config": "d.toml"}, "d.toml. cannot be read"),
        ({"save_every_n_steps": 5, "save_last_n_epochs": 3}, "saves of both kinds"),
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


@pytest.mark.parametrize(
    "text", ["a = {b = 1}", 'a = """x', "a =", "a = 1 2", "[a", "a.b", "a = 2024-01-01", 'a = "\\q"']
)
def test_more_of_toml_is_refused_by_line(text):
    with pytest.raises(ExperimentError, match="Line 2"):
        parse_toml("ok = 1\n" + text)


def test_encoders_and_rates_are_those_that_sd_scripts_trains():
    def rates(**more):
        recipe = from_sd_scripts({**ARGUMENTS, **more}).recipe
        return recipe.lr_unet, recipe.lr_te1, recipe.lr_te2

    assert rates(learning_rate_te1=3e-6) == (1e-5, None, None)
    assert rates(learning_rate_te1=3e-6, train_text_encoder=True) == (1e-5, 3e-6, 1e-5)
    assert rates(learning_rate=0, learning_rate_te2=0, train_text_encoder=True, learning_rate_te1=1e-6)[0] is None
    assert rates(learning_rate=1e-8, block_lr=",".join(["1e-5"] * 23)) == (1e-5, None, None)
    several = from_sd_scripts({**ARGUMENTS, "block_lr": ",".join(["1e-5"] * 22 + ["0"])}).recipe
    assert several.lr_blocks == (*[1e-5] * 22, 0.0)
    with pytest.raises(ExperimentError, match="expected 23 rates"):
        rates(block_lr="1e-5,2e-5")


@pytest.mark.parametrize(("given", "warmup"), [(0.1, 0.1), (25, 25), ("0.1", 0.1), ("25", 25), ("10%", 0.1), (0, 0)])
def test_a_warmup_is_steps_or_a_share(given, warmup):
    assert from_sd_scripts({**ARGUMENTS, "lr_scheduler": "cosine", "lr_warmup_steps": given}).recipe.warmup == warmup


def test_sdxl_train_has_no_epoch_and_1600_steps_unless_told():
    told = from_sd_scripts({key: value for key, value in ARGUMENTS.items() if key != "max_train_steps"} | {"epoch": 9})
    assert (told.recipe.steps, told.recipe.epochs) == (1600, None)
    assert any("ignores epoch" in note for note in told.notes)


def test_kohya_ss_turns_epochs_into_steps_by_its_own_count(tmp_path):
    (tmp_path / "3_ohwx man").mkdir()
    for name in ("a.png", "b.JPG", "c.bmp", "d.webp", "e.jpeg", "f.txt"):
        (tmp_path / "3_ohwx man" / name).touch()
    values = {**GUI, "train_data_dir": str(tmp_path), "train_batch_size": 5, "epoch": 2}
    assert from_kohya(values).recipe.steps == 5  # ceil(4 pictures * 3 repeats / 5 * 2)
    assert from_kohya({**values, "reg_data_dir": "reg"}).recipe.steps == 10
    assert "2 epochs into 5 steps" in " ".join(from_kohya(values).notes)


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


def test_the_documentation_shows_the_table():
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")

    def listed(name):
        return page.split(f"<!-- {name} -->")[1].split("\n\n")[0]

    assert re.findall(r"`(\w+)`", listed("honoured")) == sorted(HONOURED)
    assert re.findall(r"`(\w+)`", listed("quiet")) == sorted(QUIET)
    assert dict(re.findall(r"\| `(\w+)` \| (.+) \|", listed("changing"))) == CHANGING
