"""What is voted on: two sides in pairs, or the saves of one training, four at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

__all__ = ["MOST_SHOWN", "QUESTIONS", "Bout", "VotePool"]

QUESTIONS = ("more like me", "more the style asked for", "follows the prompt better", "which would you keep")
MOST_SHOWN = 4  # pictures of one vote


@dataclass(frozen=True, kw_only=True)
class Bout:
    """Pictures of one prompt and seed that may be held against each other."""

    style: str
    keys: tuple[str, ...]  # of a pair the first side's, then the second's


@dataclass(frozen=True, kw_only=True)
class VotePool:
    """One thing to vote on."""

    name: str  # "with regularization images against without ..."
    sides: tuple[str, ...]  # names of the two sides, or of the saves
    side_of: Mapping[str, int]  # by the key of a picture
    bouts: tuple[Bout, ...]

    @property
    def is_pairs(self) -> bool:
        """Whether two sides are held against each other, rather than the saves of one training."""
        return all(len(bout.keys) == 2 for bout in self.bouts)

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """In the run's order."""
        return tuple(dict.fromkeys(bout.style for bout in self.bouts))

    @cached_property
    def _bouts_of(self) -> Mapping[str, tuple[frozenset[str], ...]]:
        found: dict[str, tuple[frozenset[str], ...]] = {}
        for bout in self.bouts:
            for key in bout.keys:
                found[key] = (*found.get(key, ()), frozenset(bout.keys))
        return found

    def holds(self, shown: Sequence[str]) -> bool:
        """Whether pictures with these keys are shown together in this vote."""
        together = frozenset(shown)
        is_size = len(shown) == 2 if self.is_pairs else len(shown) > 2
        return is_size and any(together <= bout for bout in self._bouts_of.get(shown[0], ()))
