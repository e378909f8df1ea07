"""The values of an axis as a person types them into one field, read as the X/Y/Z script reads them.

A value that a line or a name cannot hold (a line break, blanks at its ends) is written as a JSON string.
"""

import json
from contextlib import suppress
from typing import Any

from ohwx_compare.core.experiment.axes import KINDS, Axis, why_not_drawn
from ohwx_compare.core.experiment.kind import AxisKind, Form
from ohwx_compare.core.experiment.prompt_order import all_orders, parts_of
from ohwx_compare.core.infotext.xyz import from_csv, limit, numbers, to_csv
from ohwx_compare.errors import ExperimentError, InfotextError
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import quoted

__all__ = ["axis_line", "given_axis", "kind_called", "read_axis_lines", "read_values", "write_values"]

_SAME = "same"  # as the picture
_SWITCHES = {"on": True, "true": True, "off": False, "false": False}


def kind_called(name: str) -> str:
    """The name of the kind that a person calls by its name, title or X/Y/Z's name; `name` itself for none."""
    called = " ".join(name.split()).casefold()
    named = (kind.name for kind in KINDS.values() if called in (kind.name, kind.title.casefold()))
    theirs = (kind.name for kind in KINDS.values() if kind.xyz and called == kind.xyz.casefold())
    return next(named, None) or next(theirs, name)


def given_axis(kind: str, values: Any) -> Axis:
    """The axis of a kind as a person calls it, its values a list or as typed. Raises ExperimentError."""
    kind = kind_called(kind)
    return Axis.read(kind, read_values(kind, values) if isinstance(values, str) else values)


def read_values(kind: str, text: str) -> list[Any]:
    """JSON values for `Axis.read`. Raises ExperimentError for what that kind of axis cannot take."""
    if kind not in KINDS:
        return [text]  # refused by name where the axis is read
    try:
        return _read(KINDS[kind], text)
    except InfotextError as error:
        raise ExperimentError(f"The axis {kind!r} cannot take {text[:80]!r}: {error}") from error


def write_values(axis: Axis) -> str:
    """The values as one text; `read_text` gives the same axis back, styles by name."""
    kind = KINDS[axis.kind]
    values = axis.to_json()["values"]
    if kind.form is Form.LINES:
        return "\n".join(map(_line, values))
    if kind.form is Form.PARTS:
        parts = parts_of(axis.values)
        return json.dumps(values, ensure_ascii=False) if parts is None else to_csv(parts)
    if axis.kind == "styles":
        values = [",".join(style.name for style in styles) or "None" for styles in axis.values]
    return ", ".join(to_csv([_word(kind, value)]) for value in values)


def axis_line(axis: Axis) -> str:
    """An axis on one line, "CFG scale: 5, 7"; `read_axis_lines` gives the same axis back, styles by name."""
    kind = KINDS[axis.kind]
    text = write_values(axis) if kind.form is not Form.LINES else json.dumps(axis.to_json()["values"])
    return f"{kind.title}: {text}"


def read_axis_lines(text: str) -> list[tuple[str, Any]]:
    """Kinds and values of axes that stand one a line, values as typed; of such as take lines, a JSON list.

    Raises ExperimentError for a line without a kind.
    """
    found: list[tuple[str, Any]] = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        title, colon, values = line.partition(":")
        name = kind_called(title)
        if colon and (why := why_not_drawn(name)):
            raise ExperimentError(f"The axis {quoted(name)} {why}.")
        if not colon or name not in KINDS:
            raise ExperimentError(f'{quoted(line)} is not an axis; write its name and values, as in "CFG scale: 5, 7".')
        found.append((name, _listed(values.strip()) if KINDS[name].form is Form.LINES else values.strip()))
    return found


def _listed(text: str) -> Any:
    """A JSON list, or else the text as the one value that it is."""
    with suppress(ValueError):
        if isinstance(values := decode_json(text), list):
            return values
    return text


def _read(kind: AxisKind, text: str) -> list[Any]:
    if kind.form is Form.LINES:
        return [_of_line(line.strip()) for line in text.splitlines() if line.strip()]
    if kind.form is Form.PARTS:
        return _orders(text)
    texts = [part for part in from_csv(text) if part or kind.form is Form.NAMES]
    if texts == [""]:
        return []
    values: list[Any] = []
    for part in texts:
        if kind.is_optional and part.casefold() == _SAME:
            values.append(None)
        elif kind.form is Form.SWITCH:
            values.append(_switch(kind, part))
        elif kind.form is Form.NAMES:
            values.append(_of_line(part))
        else:
            values += numbers([part], kind.title, whole=kind.form is Form.WHOLE)
            limit(len(values))
    return values


def _orders(text: str) -> list[Any]:
    """Parts whose every order is meant, or a JSON list of orders."""
    if text.lstrip().startswith("[["):
        try:
            return list(decode_json(text))
        except ValueError as error:
            raise ExperimentError(f"The orders {quoted(text)} are not a JSON list: {error}.") from error
    return list(all_orders([part for part in from_csv(text) if part]))


def _switch(kind: AxisKind, text: str) -> bool:
    if text.casefold() not in _SWITCHES:
        raise ExperimentError(f"The axis {kind.name!r} takes on or off, got {quoted(text)}.")
    return _SWITCHES[text.casefold()]


def _word(kind: AxisKind, value: Any) -> str:
    if value is None:
        return _SAME
    if isinstance(value, bool):
        return "on" if value else "off"
    if kind.form is Form.NAMES and (kind.is_optional and value.casefold() == _SAME):
        return json.dumps(value)
    return _line(value) if isinstance(value, str) else repr(value)


def _line(value: Any) -> str:
    """The text itself where it reads back the same, else as JSON."""
    is_plain = isinstance(value, str) and value == value.strip() and value and value[0] not in '"{'
    return value if is_plain and len(value.splitlines()) == 1 else json.dumps(value)


def _of_line(text: str) -> Any:
    if text[:1] not in ('"', "{"):
        return text
    try:
        return decode_json(text)
    except ValueError:  # a prompt may begin so
        return text
