"""Which pictures are shown next, and when a vote ends: told by the votes so far, so reading them resumes it.

A new prompt every time until all were used; then the prompts, and within them the seeds and exposures, that were shown
least. Sides are drawn by chance. One vote in twelve shows an earlier one again with its sides swapped.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import TypeVar

from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.judge.votes.evidence import ENOUGH, evidence
from ohwx_compare.judge.votes.pool import MOST_SHOWN, Bout, VotePool

__all__ = ["CHOSEN", "SKIPPED", "Ending", "Progress", "Trial", "VoteRule", "first_votes", "progress", "upcoming"]

CHOSEN, SKIPPED = ("chosen", "much better"), "skipped"
_EVERY = 12  # one vote in so many is a repeat
_APART = 4  # a repeat shows nothing of the last votes, so what is loaded ahead does not hang on their answers
_LEAST, _MOST, _EACH = 30, 200, 3  # votes that are planned unless somebody says otherwise: three a prompt
_Item = TypeVar("_Item")


class Ending(Enum):
    """How a vote ended; its interval hangs on it."""

    AT_NUMBER = "at the planned number"
    NOT_CLEAR = "at the planned number, though it might have ended before"
    CLEAR = "as soon as it was clear"
    BY_HAND = "before its end"


@dataclass(frozen=True)
class VoteRule:
    """When a vote ends: at `most` answers, or before, where `until_clear`, as soon as the evidence is enough."""

    most: int
    until_clear: bool = True

    @property
    def text(self) -> str:
        """As it stands beside each vote."""
        return f"{'until it is clear, at most' if self.until_clear else 'to'} {self.most} votes"

    @classmethod
    def of(cls, votes: Sequence[VoteRow], pool: VotePool) -> "VoteRule":
        """The rule of the first of `votes` that has one; else three votes a prompt, until it is clear."""
        for vote in votes:
            if found := re.fullmatch(r"(until it is clear, at most|to) (\d{1,5}) votes", vote.rule):
                return cls(int(found[2]), until_clear=found[1] != "to")
        return cls(min(max(_EACH * len(pool.styles), _LEAST), _MOST))


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Pictures to be shown together, from left to right."""

    number: int  # of this rater's votes on this question, from 0
    style: str
    shown: tuple[str, ...]
    is_repeat: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a rater is."""

    answered: int  # those skipped and the repeats aside
    rule: VoteRule
    ending: Ending | None  # None: it goes on


def upcoming(pool: VotePool, votes: Sequence[VoteRow], seed: str, count: int = 1) -> tuple[Trial, ...]:
    """The next `count` trials after one rater's `votes` of one question on `pool`; the same ones again after an undo.

    seed: whatever tells this rater and question from another.
    """
    seen, found = list(votes), []
    for _ in range(count):
        trial = _next(pool, seen, Random(f"{seed}\n{len(seen)}"))
        found.append(trial)
        seen.append(
            VoteRow(
                rater="", question="", style=trial.style, shown=trial.shown, answer="", is_repeat=trial.is_repeat
            )
        )  # fmt: skip
    return tuple(found)


def progress(pool: VotePool, votes: Sequence[VoteRow]) -> Progress:
    """How far one rater's votes of one question are; those who vote four at a time end at their number alone."""
    rule, answered = VoteRule.of(votes, pool), 0
    wins = losses = 0
    firsts = {id(vote) for vote in first_votes(votes)}
    for vote in votes:
        answered += not (vote.is_repeat or vote.answer == SKIPPED)
        if pool.is_pairs and id(vote) in firsts and vote.best is not None:
            is_second = pool.side_of[vote.shown[vote.best]] == 1
            wins, losses = wins + is_second, losses + (not is_second)
            if rule.until_clear and evidence(wins, losses) >= ENOUGH:
                return Progress(answered=answered, rule=rule, ending=Ending.CLEAR)
    at_number = Ending.NOT_CLEAR if rule.until_clear and pool.is_pairs else Ending.AT_NUMBER
    return Progress(answered=answered, rule=rule, ending=at_number if answered >= rule.most else None)


def first_votes(votes: Sequence[VoteRow]) -> tuple[VoteRow, ...]:
    """The first answer on each style, oldest first."""
    found: dict[str, VoteRow] = {}
    for vote in votes:
        if not vote.is_repeat and vote.answer != SKIPPED:
            found.setdefault(vote.style, vote)
    return tuple(found.values())


def _next(pool: VotePool, votes: Sequence[VoteRow], chance: Random) -> Trial:
    number = len(votes)
    if number % _EVERY == _EVERY - 1 and (again := _repeatable(votes)):
        vote = chance.choice(again)
        return Trial(number=number, style=vote.style, shown=_swapped(vote.shown), is_repeat=True)
    own = [vote for vote in votes if not vote.is_repeat]
    by_style = Counter(vote.style for vote in own)
    style = _least(pool.styles, lambda each: by_style[each], chance)
    by_bout = Counter(frozenset(vote.shown) for vote in own)
    bouts = [bout for bout in pool.bouts if bout.style == style]
    bout = _least(bouts, lambda each: _times(each, by_bout, pool), chance)
    return Trial(number=number, style=style, shown=_shown(bout, own, pool, chance))


def _repeatable(votes: Sequence[VoteRow]) -> list[VoteRow]:
    """Votes that were answered a while ago and not repeated yet."""
    repeated = {frozenset(vote.shown) for vote in votes if vote.is_repeat}
    return [
        vote
        for vote in votes[:-_APART]
        if not vote.is_repeat and vote.answer != SKIPPED and frozenset(vote.shown) not in repeated
    ]


def _swapped(shown: tuple[str, ...]) -> tuple[str, ...]:
    return shown[::-1]


def _times(bout: Bout, shown: Counter[frozenset[str]], pool: VotePool) -> int:
    if pool.is_pairs:
        return shown[frozenset(bout.keys)]
    return sum(count for together, count in shown.items() if together <= frozenset(bout.keys))


def _shown(bout: Bout, votes: Sequence[VoteRow], pool: VotePool, chance: Random) -> tuple[str, ...]:
    """The bout's pictures in an order drawn by chance; of more than four, of the saves that were shown least."""
    times = Counter(pool.side_of[key] for vote in votes for key in vote.shown)
    keys = chance.sample(bout.keys, len(bout.keys))
    if len(keys) > MOST_SHOWN:
        keys = chance.sample(sorted(keys, key=lambda key: times[pool.side_of[key]])[:MOST_SHOWN], MOST_SHOWN)
    return tuple(keys)


def _least(items: Sequence[_Item], times: Callable[[_Item], int], chance: Random) -> _Item:
    """One of those with the lowest count, by chance."""
    counts = [times(each) for each in items]
    return chance.choice([each for each, count in zip(items, counts, strict=True) if count == min(counts)])
