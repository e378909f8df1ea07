"""OneTrainer's concepts, of the configuration itself or of the file that it names, as those of a recipe."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.dataset import EXTENSIONS
from ohwx_compare.files.regular import load_json, read_text
from ohwx_compare.train.recipe.onetrainer_keys import CONCEPT_CHANGING, CONCEPT_READ
from ohwx_compare.words import counted, quoted

__all__ = ["read_concepts"]

_Changing = dict[str, tuple[Any, str]]


def read_concepts(
    told: Mapping[str, Any], folder: Path, notes: list[str]
) -> tuple[list[dict[str, Any]], _Changing, str]:
    """Concepts of a recipe; what of them cannot be kept, by the setting's name; the recipe's `captions`.

    Raises ExperimentError for a file that cannot be read and where no concept is left.
    """
    changing: _Changing = {}
    named = str(told.get("concept_file_name") or "training_concepts/concepts.json")
    listed = told.get("concepts") or _in_file(named, folder)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ExperimentError(f"concepts is {quoted(listed)}, expected a list of JSON objects.")
    kept = [one for one in listed if _is_trained(one, notes, changing)]
    if not kept:
        raise ExperimentError("This configuration of OneTrainer has no concept to train on; add one, or enable it.")
    sources = {str(_of(one, "text.prompt_source", "sample")) for one in kept}
    if len(sources) > 1 or sources - {"sample", "concept"}:
        changing["text.prompt_source"] = (", ".join(sorted(sources)), "captions out of names, or of several kinds")
    captions = "folder" if sources == {"concept"} else "file-or-folder"
    concepts = [read for one in kept for read in _read(one, captions, changing, folder)]
    return concepts, changing, captions


def _in_file(name: str, folder: Path) -> Any:
    """OneTrainer names it from its own folder, in which presets lie one folder down."""
    places = [folder / name, folder.parent / name, folder / Path(name).name]
    path = next((place for place in places if place.is_file()), places[0])
    try:
        return load_json(path)
    except (OSError, ValueError) as error:
        raise ExperimentError(
            f"concept_file_name {quoted(name)} cannot be read; put its list into the configuration as concepts."
        ) from error


def _is_trained(one: Mapping[str, Any], notes: list[str], changing: _Changing) -> bool:
    name = quoted(str(one.get("name") or one.get("path") or ""))
    if not one.get("enabled", True):
        notes.append(f"The concept {name} is not enabled; it is left out.")
        return False
    kind = one.get("type", "VALIDATION" if one.get("validation_concept") else "STANDARD")
    if kind == "VALIDATION":
        notes.append(f"The concept {name} is only validated with; it is left out. See held_out.")
    elif kind != "STANDARD":
        changing["type"] = (kind, "a concept that is held to the base's own answers")
    return bool(kind != "VALIDATION")


def _read(one: Mapping[str, Any], captions: str, changing: _Changing, folder: Path) -> Iterator[dict[str, Any]]:
    for key, (neutral, what) in CONCEPT_CHANGING.items():
        # crop jitter and the flip are on where a concept does not name them
        usual = True if key == "image.enable_crop_jitter" else neutral
        if (value := _of(one, key, usual)) != neutral:
            changing[key] = (value, what)
    for key in one.keys() - {"image", "text"}:
        if key not in CONCEPT_READ | CONCEPT_CHANGING.keys() and one[key]:
            changing[key] = (one[key], "not known here")
    repeats = one.get("balancing", one.get("repeats", 1.0))
    if not isinstance(repeats, int | float) or repeats < 1 or repeats != int(repeats):
        changing["balancing"] = (repeats, "a part of the pictures in each epoch")
        repeats = 1
    path = one.get("path")
    if not isinstance(path, str) or not path:
        raise ExperimentError(f"A concept of OneTrainer lacks its path: {quoted(dict(one))}.")
    said = {"words": _words(one, changing, folder) if captions == "folder" else "", "repeats": int(repeats),
            "flip": bool(_of(one, "image.enable_random_flip", True)), **_tags(one, changing)}  # fmt: skip
    if _of(one, "image.enable_resolution_override", False):
        said["resolution"] = _side(_of(one, "image.resolution_override", "512"))
    inside = _folders(Path(path)) if one.get("include_subdirectories") else [path]
    yield from ({"folder": place, **said} for place in inside)


def _tags(one: Mapping[str, Any], changing: _Changing) -> dict[str, Any]:
    shuffles, drops = _of(one, "text.enable_tag_shuffling", False), _of(one, "text.tag_dropout_enable", False)
    mode = _of(one, "text.tag_dropout_mode", "FULL")
    if drops and mode != "RANDOM":
        changing["text.tag_dropout_mode"] = (mode, "tags are left out all together, or the later ones more often")
    return {
        "shuffle": bool(shuffles),
        "keep_tokens": _of(one, "text.keep_tags_count", 1) if shuffles or drops else 0,
        "tag_dropout": _of(one, "text.tag_dropout_probability", 0.0) if drops else 0.0,
    }


def _words(one: Mapping[str, Any], changing: _Changing, folder: Path) -> str:
    """The one line of the concept's text file; of several OneTrainer draws one each time."""
    name = str(_of(one, "text.prompt_path", ""))
    try:
        lines = [line.strip() for line in read_text(folder / name).splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"The concept's text.prompt_path {quoted(name)} cannot be read.") from error
    if len(lines) != 1:
        changing["text.prompt_path"] = (name, f"{counted(len(lines), 'caption')}, of which one is drawn each time")
    return lines[0] if lines else ""


def _folders(root: Path) -> list[str]:
    """The folder and those below that hold pictures."""
    try:
        found = {path.parent for path in root.rglob("*") if path.suffix.lower() in EXTENSIONS}
    except OSError:
        found = set()
    return [str(path) for path in sorted(found)] or [str(root)]


def _side(value: Any) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise ExperimentError(f"resolution_override is {quoted(value)}, expected px such as 768.") from error


def _of(one: Mapping[str, Any], key: str, usual: Any) -> Any:
    """The setting `key`, perhaps in the concept's object `image` or `text`."""
    part, _, name = key.rpartition(".")
    inside = one.get(part) if part else one
    value = inside.get(name) if isinstance(inside, Mapping) else None
    return usual if value is None else value
