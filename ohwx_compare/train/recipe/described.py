"""Every field of a recipe as a form needs it: group, kind, choices, default, meaning. A new one is in it by itself."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from types import MappingProxyType
from typing import Any, get_args, get_origin

from ohwx_compare.train.recipe.fields import Fields
from ohwx_compare.train.recipe.meanings import MEANINGS
from ohwx_compare.train.recipe.presets import CHOICES, COMPAT

__all__ = ["DERIVED", "described_fields"]

DERIVED: Mapping[str, str] = MappingProxyType({"output": "the tab makes it out of name"})
"""Fields that a form does not ask for, and why."""

_BEGINS: Mapping[str, str] = MappingProxyType({  # the first field of a group -> its title
    "base": "Checkpoint and pictures",
    "resolution": "Size, buckets and masks",
    "captions": "Captions, flips, concepts",
    "reg_ratio": "Regularization images",
    "epochs": "Length",
    "lr_unet": "Rates, and what is trained",
    "schedule": "Schedule of the rates",
    "optimizer": "Optimizer, precision, memory",
    "prediction": "Loss",
    "noise_offset": "Noise",
    "save_every_epochs": "Checkpoints, states, averages, logs",
    "watch_every_epochs": "Samples and validation",
    "compat": "Faults of sd-scripts",
})  # fmt: skip
_LINES = ("sample_prompts",)  # of which each may hold commas


def described_fields() -> list[dict[str, Any]]:
    """`{"name", "group", "kind", "choices", "nullable", "default", "meaning"}` of each field but those of DERIVED.

    A kind is "switch", "whole", "number", "text", "choice", "size" (width and height), "texts" and "numbers" (lists),
    "lines" (texts that may hold commas) or "json". Raises TypeError for a field of a type that has no kind yet.
    """
    told, group = [], ""
    for each in fields(Fields):
        group = _BEGINS.get(each.name, group)
        if each.name not in DERIVED:
            told.append({
                "name": each.name, "group": group, "kind": _kind(each), "choices": _choices(each),
                "nullable": type(None) in get_args(each.type), "default": _default(each),
                "meaning": MEANINGS[each.name],
            })  # fmt: skip
    return told


def _kind(each: "Field[Any]") -> str:
    own = [one for one in get_args(each.type) if one is not type(None)]
    kinds: list[Any] = [each.type] if get_origin(each.type) in (tuple, Mapping) or not own else own
    if kinds == [tuple[int, int]]:
        return "size"
    if get_origin(kinds[0]) is tuple:
        inner = get_args(kinds[0])[0]
        names = {str: "lines" if each.name in _LINES else "texts", int: "numbers", float: "numbers"}
        return names.get(inner, "json")
    if _choices(each):
        return "choice"
    if get_origin(kinds[0]) is not None:
        return "json"
    simple = {bool: "switch", str: "text", int: "whole", float: "number"}
    try:
        return simple[max(kinds, key=list(simple).index)]
    except ValueError as error:
        raise TypeError(f"{each.name} is a {each.type}, which has no kind of input yet.") from error


def _choices(each: "Field[Any]") -> list[Any] | None:
    """None where any value may stand."""
    if each.name == "compat":
        return list(COMPAT)
    if each.type == bool | None:
        return [None, True, False]
    return list(CHOICES[each.name]) if each.name in CHOICES else None


def _default(each: "Field[Any]") -> Any:
    """As JSON; None for what is needed."""
    value = each.default_factory() if each.default_factory is not MISSING else each.default
    return None if value is MISSING else list(value) if isinstance(value, tuple) else value
