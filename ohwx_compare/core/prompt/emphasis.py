r"""Emphasis in a prompt: (a) = 1.1, [a] = 1/1.1, (a:1.3), nested by multiplication; \( \) \[ \] \\ are literal.

An unclosed bracket counts to the end, a closing one without a partner is text. Round and square brackets are matched
apart, so they may cross. The webui's rule, to the order of its multiplications:
https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/modules/prompt_parser.py
"""

import re
from typing import NamedTuple

from ohwx_compare.errors import PromptError

__all__ = ["BREAK", "Segment", "emphasis"]

DEEPEST = 100  # brackets in one another: 1.1 ** 100 is 13,781 already
ROUND, SQUARE = 1.1, 1 / 1.1

_TOKEN = re.compile(
    r"""
    \\[()\[\]\\]? |                                      # an escape, or a backslash alone
    :\s*(?P<weight>[+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*\) |  # a weight closes its bracket
    [()\[\]:] |
    [^\\()\[\]:]+
    """,
    re.VERBOSE,
)
_BREAK = re.compile(r"\bBREAK\b")


class Segment(NamedTuple):
    """A stretch of text under one weight."""

    text: str
    weight: float


BREAK = Segment("BREAK", -1.0)  # ends a chunk; within weighted brackets it is multiplied too and stays a word


def _split_at_breaks(text: str) -> list[Segment]:
    first, *rest = _BREAK.split(text)
    if not rest:
        return [Segment(first, 1.0)]
    stretches = [first.rstrip(), *(s.strip() for s in rest[:-1]), rest[-1].lstrip()]
    pieces = [Segment(stretches[0], 1.0)]
    for stretch in stretches[1:]:
        pieces += [BREAK, Segment(stretch, 1.0)]
    return pieces


def _merge(pieces: list[Segment]) -> tuple[Segment, ...]:
    merged: list[tuple[list[str], float]] = []
    for text, weight in pieces:
        if merged and merged[-1][1] == weight:
            merged[-1][0].append(text)
        else:
            merged.append(([text], weight))
    return tuple(Segment("".join(texts), weight) for texts, weight in merged)


def _open(brackets: list[int], start: int) -> None:
    if len(brackets) == DEEPEST:
        raise PromptError(f"The prompt nests over {DEEPEST} brackets in one another; close some, or escape them: \\(")
    brackets.append(start)


def emphasis(text: str) -> tuple[Segment, ...]:
    """Segments of `text` in order, neighbours of equal weight merged, BREAK between chunks; at least one.

    Raises PromptError for more than DEEPEST brackets in one another: each multiplies all that is in it.
    """
    pieces: list[Segment] = []
    open_round: list[int] = []  # how many pieces stood before each bracket
    open_square: list[int] = []

    def weigh(start: int, factor: float) -> None:
        pieces[start:] = [Segment(text, weight * factor) for text, weight in pieces[start:]]

    for match in _TOKEN.finditer(text):
        token, weight = match[0], match["weight"]
        if token.startswith("\\"):
            pieces.append(Segment(token[1:], 1.0))
        elif token == "(":
            _open(open_round, len(pieces))
        elif token == "[":
            _open(open_square, len(pieces))
        elif weight is not None and open_round:
            weigh(open_round.pop(), float(weight))
        elif token == ")" and open_round:
            weigh(open_round.pop(), ROUND)
        elif token == "]" and open_square:
            weigh(open_square.pop(), SQUARE)
        else:
            pieces += _split_at_breaks(token)
    for start in open_round:
        weigh(start, ROUND)
    for start in open_square:
        weigh(start, SQUARE)
    return _merge(pieces) or (Segment("", 1.0),)
