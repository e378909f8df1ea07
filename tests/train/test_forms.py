"""The forms in which people post configurations: each is read, or named as what it is."""

import contextlib
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.command import find_command, read_command, read_options
from ohwx_compare.train.recipe.forms import read_any, read_pasted
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.recipe.toml import parse_toml

OPTIONS = (
    '--pretrained_model_name_or_path="F:/0 models/base.safetensors" --train_data_dir "img ü" --output_dir=out '
    "--resolution=1024,1024 --learning_rate=1e-05 --max_train_steps=8320 --optimizer_type Adafactor "
    "--optimizer_args scale_parameter=False relative_step=False warmup_init=False weight_decay=0.01 --full_bf16 "
    "--mixed_precision bf16 --save_every_n_epoch 2"
)


@pytest.mark.parametrize("end", ["\\\n  ", "^\r\n", "`\n", ""])
def test_a_command_line_is_read_whatever_continues_it(tmp_path, end):
    command = f'# train\ncd sd-scripts\naccelerate launch --num_cpu_threads_per_process=4 "./sdxl_train.py" {OPTIONS}'
    (tmp_path / "run.sh").write_bytes(command.replace(" --", f" {end}--").encode())
    recipe = read_any(tmp_path / "run.sh").recipe
    assert (recipe.base, recipe.train) == ("F:/0 models/base.safetensors", "img ü")
    assert (recipe.steps, recipe.lr_unet, recipe.save_every_epochs) == (8320, 1e-5, 2)
    assert (recipe.optimizer_args, recipe.precision) == ({"weight_decay": 0.01}, "bf16-nearest")


def test_windows_paths_keep_their_backslashes():
    assert read_options(r'--vae "C:\new models\a.safetensors" --output_dir C:\x\ --bucket_no_upscale') == {
        "vae": r"C:\new models\a.safetensors", "output_dir": "C:\\x\\", "bucket_no_upscale": True,
    }  # fmt: skip


def test_accelerates_own_processes_count(tmp_path):
    command = f"accelerate launch --num_processes 2 --mixed_precision fp16 sdxl_train.py {OPTIONS}"
    script, options = read_command(find_command(command) or [])
    assert (script, options["num_processes"], options["mixed_precision"]) == ("sdxl_train", "2", "bf16")
    with pytest.raises(ExperimentError, match="num_processes = '2'"):
        read_pasted(command)
    assert read_pasted(command, ["num_processes"]).recipe.steps == 8320


def test_a_commands_config_file_stands_below_its_options(tmp_path):
    (tmp_path / "a.toml").write_text('learning_rate = 1e-6\nseed = 7\nreg_data_dir = "reg"\n', encoding="utf-8")
    (tmp_path / "run.bat").write_text(f"python sdxl_train.py --config_file a {OPTIONS}", encoding="utf-8")
    recipe = read_any(tmp_path / "run.bat").recipe
    assert (recipe.lr_unet, recipe.seed, recipe.reg) == (1e-5, 7, "reg")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accelerate launch sdxl_train_network.py --x", "sdxl_train_network.py trains a LoRA or LyCORIS"),
        ("python train_db.py --x", "trains an SD 1.x or 2.x model"),
        ("python flux_train.py --x", "trains a Flux model"),
        ("python sdxl_train.py --output_dir=$OUT --pretrained_model_name_or_path a --train_data_dir b", "a variable"),
        ("python sdxl_train.py --config_file nowhere", "cannot be read"),
        ("python sdxl_train.py --output_dir 'x", "not closed"),
        ("[[datasets]]\nresolution = 512\n", "a dataset_config of sd-scripts"),
        ('{"general": {}, "datasets": []}', "a dataset_config of sd-scripts"),
        ('{"resume_ckpt": "x", "lr": 1e-6}', "a configuration of EveryDream 2"),
        ("job: extension\nconfig:\n  name: x\n", "is YAML"),
        ('{"optimizer": "AdamW", "learning_rate": 1e-5, "sdxl_checkbox": true}', "Kohya's trainer lacks base"),
        ("x" * 1_000_001, "1,000,001 characters"),
        ("[" * 5000, "Line 1"),
        ('{"a":' * 5000, "not JSON"),
    ],
)
def test_what_is_not_read_is_named(text, said):
    with pytest.raises(ExperimentError, match=said) as told:
        read_pasted(text)
    assert "\n" not in str(told.value)


def test_our_own_recipe_stays_ours(tmp_path):
    ours = {"base": "b", "train": "t", "output": "o", "optimizer": "adamw", "optimizer_args": {}}
    assert read_pasted(json.dumps(ours)).recipe == Recipe.from_dict(ours)
    with pytest.raises(ExperimentError, match="has no 'learning_rate'"):
        read_pasted(json.dumps({**ours, "learning_rate": 1}))


TOML = r'''
# everything that configurations use
a = 1_000
'b c' = -1.5e-3
d.e = true  # dotted
"f" = [ # a list
  "x, # y", 'C:\new',
  [1, 2,],
]
long = """
one "two" \
   three \"""
"""
raw = """"""
win = 'C:\x'
esc = "tab\t \u00fc \U0001F389 \\ \""
[t.u]
v = +7
[[datasets]]
n = 1
  [[datasets.subsets]]
  i = 1
  [[datasets.subsets]]
  i = 2
[[datasets]]
n = 2
'''


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 brought tomllib")
def test_toml_is_read_as_python_reads_it():
    import tomllib

    assert parse_toml(TOML) == tomllib.loads(TOML)
    assert parse_toml(TOML.replace("\n", "\r\n")) == tomllib.loads(TOML.replace("\n", "\r\n"))
    for path in Path(__file__).parents[2].glob("*.toml"):
        text = path.read_text(encoding="utf-8").split("[project]")[0]
        assert parse_toml(text) == tomllib.loads(text)


@given(st.text(st.sampled_from("a=[]{}\"'\\#,.\n 1-é"), max_size=60))
def test_any_text_is_settings_or_one_sentence(text):
    for read in (parse_toml, read_pasted, read_options):
        try:
            read(text)
        except ExperimentError as error:
            assert "\n" not in str(error)  # noqa: PT017  both ends are fine


@pytest.mark.parametrize("text", ['a = "' + "\\" * 200_000, "a = " + "[" * 200_000, "'" * 200_001, '"a' * 200_000])
def test_long_texts_are_read_in_one_pass(text):
    for read in (parse_toml, read_options):
        with contextlib.suppress(ExperimentError):
            read(text)
