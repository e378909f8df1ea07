"""A whole experiment as it is pasted into the tab, or a file of one: its paths made whole, each in a shown place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules import paths

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.gallery import is_possible
from ohwx_compare.files.regular import load_json
from ohwx_compare.hosts.webui.folders import checkpoint_folders, require_shown
from ohwx_compare.numerals import decode_json
from ohwx_compare.train.recipe.recipe import paths_from, paths_of
from ohwx_compare.words import quoted

__all__ = ["read_asked", "with_whole_paths"]

_FOLDERS = ("photos", "held_out", "negatives")  # of `judge`
_LONGEST = 1_000_000  # characters


def read_asked(text: str) -> tuple[str, dict[str, Any]]:
    """A name for the experiment, and what it says: pasted JSON, or the whole path of a file of it.

    Relative paths start at the webui's data, in a file at the file. Raises ExperimentError.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        raise ExperimentError(f"The experiment is a text of over {_LONGEST:,} characters; paste a shorter one.")
    if text.startswith("{"):
        try:
            data, here, name = decode_json(text), Path(paths.data_path), "experiment"
        except ValueError as error:
            raise ExperimentError(f"The experiment is not JSON: {error}.") from error
    else:
        path = Path(text.strip(' "'))
        if not path.is_absolute():
            raise ExperimentError(
                f"Paste an experiment's JSON, or the whole path of its file on the webui's machine, got {quoted(text)}."
            )
        data, here, name = _in_file(path), path.parent, path.stem
    if not isinstance(data, dict):
        raise ExperimentError(f"The experiment must be a JSON object, got {quoted(data)}.")
    return name, with_whole_paths(data, here)


def with_whole_paths(data: Mapping[str, Any], here: Path) -> dict[str, Any]:
    """`data` with its relative paths taken from `here`. Raises ExperimentError for a place that the webui hides.

    What is not as it should be stays: `ohwx experiment` says so.
    """
    said = dict(data)
    try:
        if isinstance(said.get("recipe"), dict):
            said["recipe"] = _whole(said["recipe"], here)
        if isinstance(said.get("arms"), dict):
            arms = said["arms"].items()
            said["arms"] = {name: _whole(own, here) if isinstance(own, dict) else own for name, own in arms}
        if isinstance(said.get("judge"), dict):
            named = {name: said["judge"].get(name) for name in _FOLDERS}
            folders = {
                name: here / Path(one).expanduser() for name, one in named.items() if one and isinstance(one, str)
            }
            for folder in folders.values():
                require_shown(folder)
            said["judge"] = {**said["judge"], **{name: str(folder) for name, folder in folders.items()}}
    except RuntimeError as error:  # "~somebody"
        raise ExperimentError(f"A path of the experiment is none here ({error}); write it whole.") from error
    return said


def _in_file(path: Path) -> Any:
    require_shown(path)
    try:
        return load_json(path)
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ExperimentError(f"{path} is not JSON: {error}.") from error


def _whole(recipe: Mapping[str, Any], here: Path) -> dict[str, Any]:
    named = recipe.get("base")
    listed = (folder / named for folder in checkpoint_folders()) if isinstance(named, str) and named else ()
    found = next((path for path in listed if is_possible(path) and path.is_file()), None)
    said = paths_from(here, {**recipe, "base": str(found)} if found else recipe)
    for place in paths_of(said):
        require_shown(Path(place))
    return said
