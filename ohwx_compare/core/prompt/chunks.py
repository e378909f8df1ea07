"""A prompt as CLIP reads it: chunks of 75 weighted tokens between a start and an end token.

A chunk that runs full breaks at its last comma if that is near, so that a phrase is not torn; BREAK ends a chunk early.
The webui's rule: https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/modules/sd_hijack_clip.py
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ohwx_compare.core.prompt.emphasis import BREAK, Segment, emphasis

__all__ = ["BACKTRACK", "COMMA", "EMPTY", "END", "LENGTH", "START", "Chunk", "chunks"]

START, END = 49406, 49407  # CLIP's special tokens; END also fills up
COMMA = 267  # the token ",</w>"
LENGTH = 75  # tokens of the prompt in a chunk
BACKTRACK = 20  # a comma at most this many tokens back takes what follows it to the next chunk


Token = int | tuple[int, ...]


class Chunk(NamedTuple):
    """77 token ids, START first and at least one END last, and the weight of each (1.0 for START and END)."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]


def _chunk(pairs: Sequence[tuple[int, float]]) -> Chunk:
    full = [(START, 1.0), *pairs, *[(END, 1.0)] * (LENGTH - len(pairs)), (END, 1.0)]
    return Chunk(tuple(t for t, _ in full), tuple(w for _, w in full))


EMPTY = _chunk([])


def chunks(
    text: str, tokenize: Callable[[str], Sequence[Token]], *, is_literal: bool = False, backtrack: int = BACKTRACK
) -> tuple[Chunk, ...]:
    """Chunks of one text without AND or schedule, at least one; `tokenize` gives ids without START and END.

    Each emphasised stretch is tokenised on its own, and no token is lost. Where `tokenize` gives a tuple of ids, these
    stay in one chunk: the vectors of an embedding, at most LENGTH. Where the text `is_literal`, its brackets and BREAK
    are words.
    """
    done: list[Chunk] = []
    pairs: list[tuple[int, float]] = []
    comma = None  # where the chunk's last comma stands

    def close(end: int) -> None:
        nonlocal pairs, comma
        done.append(_chunk(pairs[:end]))
        pairs, comma = pairs[end:], None

    for segment in (Segment(text, 1.0),) if is_literal else emphasis(text):
        if segment == BREAK:
            close(LENGTH)
            continue
        for token in tokenize(segment.text):
            if token == COMMA:
                comma = len(pairs)
            elif len(pairs) == LENGTH and comma is not None and LENGTH - comma <= backtrack:
                close(comma + 1)
            together = token if isinstance(token, tuple) else (token,)
            if len(pairs) + len(together) > LENGTH:
                close(LENGTH)
            pairs += [(one, segment.weight) for one in together]
    if pairs or not done:
        close(LENGTH)
    return tuple(done)
