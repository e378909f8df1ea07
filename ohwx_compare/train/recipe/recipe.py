"""The recipe of a training: one flat, documented JSON, complete with `{"preset", "base", "train", "output"}`.

A preset is a set of values that the user's own override; what neither names has the default in fields.py, which is our
advice ("corrected"). Relative paths start at the folder of the recipe file.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.regular import load_json
from ohwx_compare.numerals import decode_json
from ohwx_compare.train.recipe.checks import require_possible
from ohwx_compare.train.recipe.concepts import concept_folders, require_concepts
from ohwx_compare.train.recipe.fields import Fields
from ohwx_compare.train.recipe.presets import OPTIMIZER_ARGS, PRESETS
from ohwx_compare.train.recipe.typed import typed
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["Recipe", "paths_from", "paths_of", "read_recipe", "write_recipe"]

_PAIRS = (
    ("epochs", "steps"),
    ("save_every_epochs", "save_every_steps"),
    ("watch_every_epochs", "watch_every_steps"),
)  # naming one drops the preset's other
_PATHS = ("base", "train", "reg", "output", "vae", "masks", "from_state")
_MASKS = ("alpha", "beside")  # that are no folder


@dataclass(frozen=True, kw_only=True)
class Recipe(Fields):
    """One training run. Raises ExperimentError for what cannot be run as written, in one sentence."""

    def __post_init__(self) -> None:
        require_possible(self)
        require_concepts(self)

    def compatible(self, fault: str) -> bool:
        """Whether this fault of sd-scripts (a name of COMPAT) is wanted."""
        return fault in self.compat

    @property
    def optimizer_settings(self) -> dict[str, Any]:
        """All of the optimiser's arguments, defaults included."""
        return {**OPTIMIZER_ARGS[self.optimizer], **self.optimizer_args}

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON values; `from_dict` gives the same recipe back."""
        return decode_json(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, data: Any) -> "Recipe":
        """Read a recipe: fields of this class, over the values of `preset`. Raises ExperimentError."""
        known = {each.name: each for each in fields(cls)}
        if not isinstance(data, dict):
            raise ExperimentError(f"A recipe must be a JSON object, got {quoted(data)}.")
        for name in data:
            if name not in known:
                raise ExperimentError(f"The recipe has no {quoted(name)}; {did_you_mean(name, known)}")
        needed = ("base", "output") if data.get("concepts") else ("base", "train", "output")
        missing = [name for name in needed if not data.get(name)]
        if missing:
            raise ExperimentError(f"The recipe lacks {', '.join(missing)}.")
        values = {**_preset(data), **data}
        return cls(**{name: typed(name, value, known[name].type) for name, value in values.items()})


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file (UTF-8 JSON); relative paths are taken from its folder. Raises ExperimentError."""
    try:
        data = load_json(path)
    except OSError as error:
        raise ExperimentError(f"The recipe {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ExperimentError(f"The recipe {path} is not JSON: {error}.") from error
    return Recipe.from_dict(paths_from(path.absolute().parent, data) if isinstance(data, dict) else data)


def paths_from(folder: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's JSON object with its relative paths taken from `folder`; `data` itself is left alone."""
    said = deepcopy(dict(data))
    for name in _PATHS:
        if isinstance(said.get(name), str) and said[name] and said[name] not in _words(name):
            said[name] = str(folder / Path(said[name]).expanduser())
    for concept in concept_folders(said.get("concepts")):
        concept["folder"] = str(folder / Path(concept["folder"]).expanduser())
    return said


def paths_of(data: Mapping[str, Any]) -> list[str]:
    """All paths that a recipe's JSON object names."""
    named = [(name, data.get(name)) for name in _PATHS]
    own = [value for name, value in named if isinstance(value, str) and value and value not in _words(name)]
    return [*own, *(concept["folder"] for concept in concept_folders(data.get("concepts")))]


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write every field as UTF-8 JSON, whole or not at all; paths are written whole, from the root. Raises OSError."""
    said = recipe.to_dict()
    said |= {name: str(Path(said[name]).absolute()) for name in _PATHS if said[name] and said[name] not in _words(name)}
    for concept in concept_folders(said["concepts"]):
        concept["folder"] = str(Path(concept["folder"]).absolute())
    write_text(path, json.dumps(said, indent=2, ensure_ascii=False) + "\n")


def _words(name: str) -> tuple[str, ...]:
    """What stands in this field in a path's place."""
    return _MASKS if name == "masks" else ()


def _preset(data: Mapping[str, Any]) -> dict[str, Any]:
    name = data.get("preset")
    if name is None:
        values = {}
    elif isinstance(name, str) and name in PRESETS:
        values = dict(PRESETS[name])
    else:
        raise ExperimentError(f"There is no preset {quoted(name)}; {did_you_mean(name, PRESETS)}")
    for pair in _PAIRS:
        named = [one for one in pair if data.get(one) is not None]
        if named:
            values |= {one: None for one in pair if one not in named}
    return values
