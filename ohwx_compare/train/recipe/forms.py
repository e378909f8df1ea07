"""What a file or a pasted text is: our recipe, settings of kohya_ss, OneTrainer or sd-scripts, or foreign."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.regular import read_text
from ohwx_compare.numerals import decode_json
from ohwx_compare.train.recipe.command import find_command, read_command
from ohwx_compare.train.recipe.kohya import Imported, from_kohya, from_sd_scripts
from ohwx_compare.train.recipe.kohya_keys import CHANGING, HONOURED, OTHER_FAMILIES, QUIET, SCRIPTS
from ohwx_compare.train.recipe.onetrainer import from_onetrainer
from ohwx_compare.train.recipe.recipe import Recipe, read_recipe
from ohwx_compare.train.recipe.toml import parse_toml
from ohwx_compare.words import counted

__all__ = ["read_any", "read_pasted"]

_LARGEST = 1_000_000  # characters; a configuration has a few thousand
_OURS = frozenset(each.name for each in fields(Recipe))
_THEIRS = (
    HONOURED | QUIET | CHANGING.keys() | {"optimizer", "max_resolution"} | set().union(*OTHER_FAMILIES.values())
) - _OURS
_ONETRAINER = frozenset({"training_method", "base_model_name", "output_model_destination"})  # keys that are its alone
_FOREIGN: Mapping[str, tuple[str, ...]] = MappingProxyType({  # program -> keys that are its alone
    "EveryDream 2": ("resume_ckpt", "data_root"),
    "SimpleTuner": ("--model_family", "--pretrained_model_name_or_path", "--data_backend_config"),
    "sd_dreambooth_extension": ("concepts_list", "pretrained_vae_name_or_path", "lifetime_revision"),
    "LoRA_Easy_Training_Scripts": ("general_args", "optimizer_args.args", "subsets"),
})  # fmt: skip


def read_any(path: Path, without: Collection[str] = ()) -> Imported:
    """Read a recipe of ours or another trainer's configuration, by what the file holds.

    without: settings of the other trainer that may be left out although they change the training.
    Raises ExperimentError for a file that cannot be read and for settings that cannot be trained here.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"The recipe {path} cannot be read: {error}.") from error
    other = _other(text, str(path), path.absolute().parent, without)
    return other or Imported(read_recipe(path))


def read_pasted(text: str, without: Collection[str] = ()) -> Imported:
    """Read what somebody pasted, as `read_any`; paths are taken as they stand. Raises ExperimentError."""
    other = _other(text.lstrip("\ufeff"), "the text", Path(), without)
    if other:
        return other
    data = decode_json(text)
    return Imported(Recipe.from_dict({"output": "-", **data} if isinstance(data, dict) else data))


def _other(text: str, name: str, folder: Path, without: Collection[str]) -> Imported | None:
    """Another trainer's configuration; None for a recipe of ours."""
    if len(text) > _LARGEST:
        raise ExperimentError(
            f"The recipe {name} has {counted(len(text), 'character')}, expected at most {_LARGEST:,}."
        )
    if text.lstrip().startswith("{") or name.lower().endswith(".json"):
        try:
            data = decode_json(text)
        except ValueError as error:
            raise ExperimentError(f"The recipe {name} is not JSON: {error}.") from error
        if not isinstance(data, dict) or not data.keys() - _OURS:
            return None
        if data.keys() & _ONETRAINER:
            return from_onetrainer(data, without, folder)
        _require_known(data)
        return (
            from_kohya(data, without, folder) if data.keys() & _THEIRS and not {"base", "train"} & data.keys() else None
        )
    words = find_command(text)
    if words:
        return _command(words, folder, without)
    if text.lstrip().startswith(("job:", "config:", "---", "model:")):
        raise ExperimentError(f"{name} is YAML, as ai-toolkit and others write it; that is not read. Write a recipe.")
    return from_sd_scripts(_flat(parse_toml(text)), without, folder=folder)


def _command(words: list[str], folder: Path, without: Collection[str]) -> Imported:
    script, options = read_command(words)
    kind = SCRIPTS[script]
    if kind:
        raise ExperimentError(f"{script}.py trains {kind}; only full SDXL trainings (sdxl_train.py) are read.")
    file = options.pop("config_file", None)
    if file:
        named = str(file) if str(file).endswith(".toml") else f"{file}.toml"
        try:
            text = read_text(folder / named.replace("\\", "/"))
        except (OSError, UnicodeDecodeError) as error:
            raise ExperimentError(f"The command names config_file {named!r}, which cannot be read: {error}.") from error
        options = {**_flat(parse_toml(text)), **options}
    for key, value in options.items():
        if key in HONOURED and isinstance(value, str) and value[:1] in ("$", "%"):
            raise ExperimentError(f"{key} is {value!r}, a variable; write its value.")
    return from_sd_scripts(options, without, folder=folder)


def _flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """sd-scripts' view of a TOML file: the tables' names are passed over."""
    _require_known(tables)
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        flat |= value if isinstance(value, dict) else {key: value}
    return flat


def _require_known(data: Mapping[str, Any]) -> None:
    if isinstance(data.get("datasets"), list):
        raise ExperimentError(
            "This is a dataset_config of sd-scripts: a list of pictures, no training. Name it as dataset_config in a "
            "TOML that says pretrained_model_name_or_path, output_dir and the rest."
        )
    for program, marks in _FOREIGN.items():
        if any(mark in data for mark in marks):
            raise ExperimentError(
                f"This is a configuration of {program}, which is not read; write a recipe with its base, folders, "
                "length and rates."
            )
