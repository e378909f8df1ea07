"""Whole numbers in the texts of strangers, of a bounded length: Python before 3.10.7 takes the square of it."""

import json
from collections.abc import Callable
from typing import Any

__all__ = ["decode_json", "whole_number"]

_LONGEST = (
    4300  # characters, as Python has it since: https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
)


def whole_number(text: str) -> int:
    """`int(text)`. Raises ValueError, also for one of more than 4,300 characters."""
    if len(text) > _LONGEST:
        raise ValueError(f"a number has more than {_LONGEST:,} characters")
    return int(text)


_PLAIN = json.JSONDecoder(parse_int=whole_number)
_Reader = Callable[[str], Any]


def decode_json(
    text: str | bytes, *, strict: bool = True, parse_float: _Reader | None = None, parse_constant: _Reader | None = None
) -> Any:
    """`json.loads`, which is called nowhere else. Raises ValueError, also for what is nested too deep."""
    is_usual = strict and parse_float is None and parse_constant is None
    try:
        if is_usual and isinstance(text, str):
            return _PLAIN.decode(text)  # loads would make a decoder for each text
        return json.loads(
            text, strict=strict, parse_int=whole_number, parse_float=parse_float, parse_constant=parse_constant
        )
    except RecursionError as error:
        raise ValueError("lists and objects are nested too deep in one another") from error
