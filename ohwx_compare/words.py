"""Words in sentences: numbers with what they count, and what somebody gave, quoted."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["counted", "nearest", "quoted"]

_LONGEST = 200  # characters of a quotation
_ALIKE = 100  # characters of a name that are compared: comparing costs their square


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """`number` with what it counts: "1 cell", "2 cells", "1,234 cells". plural: of nouns that take more than an "s"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def quoted(given: object) -> str:
    """`given` as Python writes it, at most 200 characters: what a stranger made may be of any length and depth."""
    if isinstance(given, str):
        given = given if len(given) <= _LONGEST else f"{given[:_LONGEST]}{given[-_LONGEST:]}"
    try:
        text = repr(given)
    except (RecursionError, ValueError):  # nested too deep; over 4,300 digits
        return "a number of many digits" if isinstance(given, int) else f"a {type(given).__name__} nested very deep"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 60]} ... {text[-40:]}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of `known` that is most like `name`; there must be one."""
    return get_close_matches(name[:_ALIKE], list(known), 1, 0.0)[0]
