"""Words in sentences: numbers with what they count, what somebody gave, quoted, and the nearest of known names."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["counted", "did_you_mean", "on_one_line", "quoted"]

_LONGEST = 200  # characters of a quotation
_MOST_NAMES = 40  # that a sentence lists
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # with half surrogate pairs
_ALIKE = 100  # characters of a name that are compared: comparing costs their square


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """`number` with what it counts: "1 cell", "2 cells", "1,234 cells". plural: of nouns that take more than an "s"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def on_one_line(text: str) -> str:
    """`text` without line ends and control characters: what a stranger made may hold any."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", " ".join(text.split("\n")))


def quoted(given: object) -> str:
    """`given` as Python writes it, at most 200 characters: what a stranger made may be of any length and depth."""
    if isinstance(given, str):
        given = given if len(given) <= _LONGEST else f"{given[:_LONGEST]}{given[-_LONGEST:]}"
    try:
        text = repr(given)
    except (RecursionError, ValueError):  # nested too deep; over 4,300 digits
        return "a number of many digits" if isinstance(given, int) else f"a {type(given).__name__} nested very deep"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 60]} ... {text[-40:]}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a sentence about a `name` that there is not: the nearest that there is, and all of them if not many.

    known: at least one.
    """
    names = list(known)
    nearest = get_close_matches(str(name)[:_ALIKE], names, 1, 0.0)[0]
    return f"did you mean {nearest!r}?" + (f" Known: {', '.join(names)}." if len(names) <= _MOST_NAMES else "")
