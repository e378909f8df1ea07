"""What sentences of every room share: numbers with their nouns, and the nearest of the names that there are."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["counted", "did_you_mean"]

_MOST_NAMES = 40  # that a sentence lists
_LONGEST = 100  # characters of a name that are compared: the time goes with their square


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """`number` with what it counts: "1 cell", "2 cells", "1,234 cells". plural: of nouns that take more than an "s"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a sentence about a `name` that there is not: the nearest that there is, and all of them if not many.

    known: at least one.
    """
    names = list(known)
    nearest = get_close_matches(str(name)[:_LONGEST], names, 1, 0.0)[0]
    return f"did you mean {nearest!r}?" + (f" Known: {', '.join(names)}." if len(names) <= _MOST_NAMES else "")
