"""Values of a JSON as the types that a recipe's fields have."""

from collections.abc import Mapping
from typing import Any, get_args

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.presets import COMPAT
from ohwx_compare.words import quoted

__all__ = ["typed"]

_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    tuple[int, int]: "two numbers",
    tuple[int, ...]: "a list of whole numbers",
    tuple[str, ...]: "a list of texts",
}

_LISTS = (tuple[int, int], tuple[int, ...], tuple[str, ...])


def typed(name: str, value: Any, kind: Any) -> Any:
    """`value` as the field's type; lists of JSON become tuples, and whole numbers become floats where needed.

    name: the field, for the sentence. Raises ExperimentError for a value of another kind.
    """
    if name == "resolution" and type(value) is int:
        value = (value, value)
    if name == "compat" and isinstance(value, str):
        value = tuple(COMPAT) if value == "kohya" else (value,)
    if name == "compat" and isinstance(value, list) and "kohya" in value:
        value = tuple(COMPAT)
    if isinstance(value, list):
        value = tuple(value)
    if value is None and type(None) in get_args(kind):
        return None
    lists = [one for one in (kind, *get_args(kind)) if one in _LISTS]
    if lists:
        kind = lists[0]
        inner = get_args(kind)[0]
        length = 2 if kind == tuple[int, int] else None
        if isinstance(value, tuple) and all(type(v) is inner for v in value) and length in (None, len(value)):
            return value
        raise ExperimentError(f"{name} must be {_WORDS[kind]}, got {quoted(value)}.")
    if name == "lr_blocks" and isinstance(value, tuple):
        if all(type(rate) in (int, float) and abs(rate) < 2**63 for rate in value):
            return tuple(map(float, value))
        raise ExperimentError(f"{name} must be a list of numbers, got {quoted(value)}.")
    if name == "concepts":
        if isinstance(value, tuple) and all(isinstance(one, dict) for one in value):
            return value
        raise ExperimentError(f"concepts must be a list of JSON objects, got {quoted(value)}.")
    if name == "optimizer_args":
        if not isinstance(value, Mapping):
            raise ExperimentError(f"{name} must be a JSON object, got {quoted(value)}.")
        return {key: tuple(v) if isinstance(v, list) else v for key, v in value.items()}
    allowed = tuple(one for one in get_args(kind) or (kind,) if isinstance(one, type))
    if type(value) is int and float in allowed and int not in allowed and abs(value) < 2**63:
        return float(value)
    if type(value) not in allowed:
        names = " or ".join(_WORDS[t] for t in allowed)
        raise ExperimentError(f"{name} must be {names}, got {quoted(value)}.")
    return value
