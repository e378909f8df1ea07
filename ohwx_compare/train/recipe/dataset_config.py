"""sd-scripts' dataset_config, a TOML or JSON of datasets and their folders, as concepts.

A setting is a subset's, else its dataset's, else that of [general], else the command line's, else sd-scripts' default.
Datasets become groups of concepts. What is read and what is refused is said in kohya_keys.py.
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/config_util.py
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.regular import read_text
from ohwx_compare.numerals import decode_json
from ohwx_compare.train.recipe import kohya_parts as parts
from ohwx_compare.train.recipe.kohya_keys import is_unset
from ohwx_compare.train.recipe.presets import FREE_SIDES
from ohwx_compare.train.recipe.settings import GivenSettings
from ohwx_compare.train.recipe.toml import parse_toml
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["dataset_concepts"]

_OF_DATASETS = frozenset({
    "batch_size", "bucket_no_upscale", "bucket_reso_steps", "enable_bucket", "max_bucket_reso", "min_bucket_reso",
    "network_multiplier", "resize_interpolation", "resolution", "validation_seed", "validation_split",
})  # fmt: skip
_OF_SUBSETS = frozenset({
    "cache_info", "caption_dropout_every_n_epochs", "caption_dropout_rate", "caption_extension", "caption_prefix",
    "caption_separator", "caption_suffix", "caption_tag_dropout_rate", "class_tokens", "color_aug",
    "custom_attributes", "enable_wildcard", "face_crop_aug_range", "flip_aug", "keep_tokens", "keep_tokens_separator",
    "num_repeats", "random_crop", "resize_interpolation", "secondary_separator", "shuffle_caption",
    "token_warmup_min", "token_warmup_step",
})  # fmt: skip
_OF_ONE = frozenset({"alpha_mask", "conditioning_data_dir", "image_dir", "is_reg", "metadata_file"})
_PASSED_OVER = ("train_data_dir", "reg_data_dir", "in_json")  # beside a dataset_config
_HERE = frozenset({  # what a concept says itself
    "caption_dropout_rate", "caption_extension", "caption_prefix", "caption_suffix", "caption_tag_dropout_rate",
    "class_tokens", "flip_aug", "image_dir", "is_reg", "keep_tokens", "keep_tokens_separator", "num_repeats",
    "shuffle_caption",
})  # fmt: skip
_WIDE = ("bucket_no_upscale", "bucket_reso_steps", "enable_bucket", "max_bucket_reso", "min_bucket_reso", "resolution")
_TWO = 2  # numbers of a resolution


def dataset_concepts(settings: GivenSettings, folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The concepts of the dataset_config that the settings name, and what `compat` they need besides.

    Settings of the first dataset that are the recipe's go into `settings`, and so does what a subset asks for and is
    not built, to be refused there. folder: where the configuration lies. Raises ExperimentError.
    """
    name = str(settings.left.pop("dataset_config"))
    given = _read(name, folder)
    datasets = _known(given)
    if ignored := [key for key in _PASSED_OVER if settings.left.pop(key, None)]:
        settings.note(f"sd-scripts itself ignores {', '.join(ignored)} where dataset_config is set.")
    arguments = _arguments(settings)
    wholes = [_merged(arguments, given.get("general", {}), one) for one in datasets]
    settings.left |= {key: wholes[0][key] for key in _WIDE if key in wholes[0]}
    settings.left["train_batch_size"] = _batch(wholes)
    concepts: list[dict[str, Any]] = []
    needs: set[str] = set()
    first: dict[str, Any] = {}
    for number, (dataset, whole) in enumerate(zip(datasets, wholes, strict=True)):
        quiet = GivenSettings({**whole, "resolution": _two(whole.get("resolution"))}, [], settings.defaults)
        sizes = parts.buckets(quiet)
        needs |= {FREE_SIDES} & set(sizes.pop("compat"))
        first = first or sizes
        differs = {key: value for key, value in sizes.items() if value != first.get(key)}
        for subset in _different(dataset.get("subsets", []), settings):
            _hand_back(settings, {**whole, **subset})
            concept = _concept(GivenSettings({**whole, **subset}, [], settings.defaults))
            if concept["repeats"] < 1:
                settings.note(f"sd-scripts itself passes over {concept['folder']}, whose num_repeats is below 1.")
                continue
            concepts.append({**concept, **differs, **({"group": number} if number else {})})
    if not concepts:
        raise ExperimentError(f"dataset_config {name} lists no folder of pictures; give it [[datasets.subsets]].")
    return concepts, sorted(needs)


def _read(name: str, folder: Path) -> Mapping[str, Any]:
    there = Path(name.replace("\\", "/")).expanduser()
    if there.suffix.lower() not in (".toml", ".json"):
        raise ExperimentError(f"dataset_config is {name!r}, expected a .toml or a .json, as sd-scripts does.")
    path = there if there.is_file() else folder / there
    try:
        text = read_text(path)
        data = decode_json(text) if path.suffix.lower() == ".json" else parse_toml(text)
    except (OSError, ValueError) as error:
        raise ExperimentError(f"dataset_config {name!r} cannot be read: {error}.") from error
    except ExperimentError as error:
        raise ExperimentError(f"dataset_config {name!r} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ExperimentError(f"dataset_config {name!r} must hold tables, got {quoted(data)}.")
    return data


def _known(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The datasets, every key of the file known. Raises ExperimentError for one that sd-scripts has not."""
    _require("the file", given, {"general", "datasets"})
    datasets = given.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise ExperimentError("dataset_config has no [[datasets]]; expected one with [[datasets.subsets]] in it.")
    _require("[general]", given.get("general", {}), _OF_DATASETS | _OF_SUBSETS)
    for dataset in datasets:
        _require("[[datasets]]", dataset, _OF_DATASETS | _OF_SUBSETS | {"subsets"})
        for subset in dataset.get("subsets", []):
            _require("[[datasets.subsets]]", subset, _OF_SUBSETS | _OF_ONE)
            if not subset.get("image_dir"):
                raise ExperimentError("A subset of dataset_config lacks image_dir, the folder of its pictures.")
    return datasets


def _require(where: str, table: Any, known: frozenset[str] | set[str]) -> None:
    if not isinstance(table, dict):
        raise ExperimentError(f"dataset_config: {where} must be a table, got {quoted(table)}.")
    for key in table:
        if key not in known:
            raise ExperimentError(f"dataset_config: {where} has no {quoted(key)}; {did_you_mean(key, sorted(known))}")


def _arguments(settings: GivenSettings) -> dict[str, Any]:
    """What the command line says of pictures; it is taken from there, for the concepts say it all."""
    named = {"train_batch_size": "batch_size", "dataset_repeats": "num_repeats"}
    told: dict[str, Any] = {}
    for key in [*settings.left]:
        own = named.get(key, key)
        if own in _OF_DATASETS | _OF_SUBSETS | {"alpha_mask"} and not is_unset(key, settings.left):
            told[own] = settings.left[key]
        if own in _HERE:
            settings.left.pop(key)
    return told


def _merged(*tables: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for table in tables for key, value in table.items() if value is not None and key != "subsets"}


def _batch(wholes: list[dict[str, Any]]) -> Any:
    sizes = {str(one.get("batch_size", 1)) for one in wholes}
    if len(sizes) > 1:
        raise ExperimentError(
            f"The datasets of dataset_config have batch_size {' and '.join(sorted(sizes))}; here all have one."
        )
    return wholes[0].get("batch_size", 1)


def _two(resolution: Any) -> Any:
    """One number, two, or text, as the command line has it."""
    if isinstance(resolution, list) and len(resolution) != _TWO:
        raise ExperimentError(f"dataset_config: resolution is {quoted(resolution)}, expected one number or two.")
    return resolution


def _different(subsets: list[dict[str, Any]], settings: GivenSettings) -> Iterator[dict[str, Any]]:
    """Each folder of a dataset once."""
    seen: set[str] = set()
    for subset in subsets:
        path = str(subset["image_dir"])
        if path in seen:
            settings.note(f"sd-scripts itself takes the first of two subsets with image_dir {path} in a dataset.")
            continue
        seen.add(path)
        yield subset


def _hand_back(settings: GivenSettings, whole: Mapping[str, Any]) -> None:
    """Let the settings that no concept has be refused, noted or used with the others of their kind."""
    others = whole.keys() - _HERE - set(_WIDE) - {"batch_size"}
    settings.left |= {key: whole[key] for key in others if not is_unset(key, whole)}
    masked = not is_unset("alpha_mask", whole)
    if settings.left.setdefault("alpha_mask", masked) not in (masked, str(masked)):
        settings.beyond["alpha_mask"] = "for some folders of dataset_config and not for others"
        settings.left["alpha_mask"] = True
    if not is_unset("conditioning_data_dir", whole):
        settings.beyond["conditioning_data_dir"] = "masks of some folders; name one folder as masks in a recipe"


def _concept(one: GivenSettings) -> dict[str, Any]:
    repeats = one.left.pop("num_repeats", 1)
    return {
        "folder": one.text("image_dir"),
        "words": one.text("class_tokens") or "",
        "repeats": repeats if type(repeats) is int else GivenSettings({"n": repeats}, [], {}).number("n") or 0,
        "reg": one.flag("is_reg"),
        "caption_extensions": [one.text("caption_extension") or ".caption"],
        **parts.captions(one),
    }
