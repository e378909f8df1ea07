"""A caption as one showing of its picture has it: without words, its parts in another order, some left out.

As sd-scripts does it, with chance that is a function of (seed, step, place):
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py#L821-L932
"""

from collections.abc import Callable, Sequence

import torch

from ohwx_compare.train.learn.chance import generator, uniform
from ohwx_compare.train.recipe.concepts import Concept

__all__ = ["caption_at", "is_wordless", "varied"]

_BETWEEN = ","


def is_wordless(concept: Concept, seed: int, number: int, place: int) -> bool:
    """Whether the picture at a place in step `number` is shown without its caption."""
    share = concept.caption_dropout or 0.0
    return bool(share) and uniform(seed, "wordless", number, place) < share


def caption_at(caption: str, concept: Concept, seed: int, number: int, place: int) -> str:
    """What the text encoders read at a place in step `number`."""
    if is_wordless(concept, seed, number, place):
        return ""
    if not concept.varies:
        return caption
    chance = torch.rand((2, caption.count(_BETWEEN) + 3), generator=generator(seed, "tags", number, place)).tolist()

    def shuffled(parts: Sequence[str]) -> list[str]:
        return [part for _, part in sorted(zip(chance[0], parts, strict=False))]

    return varied(caption, concept, shuffled, chance[1].__getitem__)


def varied(
    caption: str, concept: Concept, shuffled: Callable[[Sequence[str]], list[str]], chance: Callable[[int], float]
) -> str:
    """The caption with its parts in the order of `shuffled` and some left out.

    Parts stand between commas. What comes before `keep_tokens_separator`, and behind a second one, stays where it is;
    without one the first `keep_tokens` parts do. chance: 0 to 1 for the number of a part in its new order, which is
    left out below `tag_dropout`.
    """
    before, parts, after = _divided(caption, concept)
    if concept.shuffle:
        parts = shuffled(parts)
    share = concept.tag_dropout or 0.0
    parts = [part for at, part in enumerate(parts) if not share or chance(at) >= share]
    return ", ".join([*before, *parts, *after])


def _divided(caption: str, concept: Concept) -> tuple[list[str], list[str], list[str]]:
    """What stays in front, what varies, and what stays behind."""
    mark = concept.keep_tokens_separator
    if mark and mark in caption:
        before, _, rest = caption.partition(mark)
        middle, _, after = rest.partition(mark)
        return _parts(before), _parts(middle), _parts(after)
    parts = [part.strip() for part in caption.strip().split(_BETWEEN)]
    kept = concept.keep_tokens or 0
    return parts[:kept], parts[kept:], []


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(_BETWEEN) if part.strip()]
