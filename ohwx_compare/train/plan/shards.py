"""How cards that hold no whole model share one: its weights by rows, its optimiser by whole tensors.

Weights and gradients lie in rows, as torch's fully_shard cuts them. An optimiser looks at a whole tensor, so each is
moved by one card, always the same, which keeps what the optimiser remembers of it.
"""

from collections.abc import Collection, Sequence
from math import prod

__all__ = ["gradients_of_a_card", "most_owned", "owned", "rows_of", "weights_of_a_card"]

Shapes = Collection[tuple[int, ...]]
_WHOLE = 3  # blocks that are whole at one time: the one computed, the next, and that one as it comes in
_REDUCED = 4  # bytes of a gradient while all cards' are added up, in float32


def rows_of(first: int, card: int, cards: int) -> range:
    """Which of a tensor's `first` rows (its first side) a card holds; perhaps none."""
    each = -(-first // cards)
    return range(min(card * each, first), min((card + 1) * each, first))


def owned(count: int, stack: int, cards: int) -> list[range]:
    """Of each card: which of `count` tensors that are alike it moves. Stacks begin with another card each."""
    turn = [(card + stack) % cards for card in range(cards)]
    return [range(count * at // cards, count * (at + 1) // cards) for at in turn]


def most_owned(alike: Sequence[Sequence[int]], cards: int) -> int:
    """The most that one card has of what its tensors take: a number for each, those that are alike together."""
    totals = [0] * cards
    for stack, sizes in enumerate(alike):
        for card, own in enumerate(owned(len(sizes), stack, cards)):
            totals[card] += sum(sizes[own.start : own.stop])
    return max(totals)


def weights_of_a_card(unet: Shapes, blocks: Sequence[int], cards: int) -> int:
    """Numbers of the UNet's weights on a card at most: its rows, the blocks at hand, and what belongs to no block.

    blocks: numbers of each residual and transformer block, which is whole only while it is computed.
    """
    return _rows(unet, cards) + _around(unet, blocks) + _WHOLE * max(blocks)


def gradients_of_a_card(of: tuple[Shapes, Shapes], blocks: Sequence[int], cards: int, size: int) -> int:
    """Bytes of gradients on a card at most, of `size` bytes a number; of: what is trained, and the UNet."""
    trained, unet = of
    around = _around(unet, blocks)
    at_hand = max(around * _REDUCED, 2 * max(blocks) * (size + _REDUCED))
    return _rows(trained, cards) * size + around * size + at_hand


def _rows(shapes: Shapes, cards: int) -> int:
    return sum(-(-shape[0] // cards) * prod(shape[1:]) for shape in shapes)


def _around(unet: Shapes, blocks: Sequence[int]) -> int:
    """Numbers of what belongs to no block."""
    return sum(map(prod, unet)) - sum(blocks)
