"""What votes add up to: a preference with its interval, how often a rater agrees with himself, and whether a side draws
him.

The net preference is the share of votes for the second side less that for the first; the same and both bad count 0. The
prompt is the unit, as everywhere here: votes on one prompt are averaged, and Student's t is taken over the prompts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.judge.effects import moments
from ohwx_compare.judge.intervals import CONFIDENCE, Estimate, share_of
from ohwx_compare.judge.keep import keep_set
from ohwx_compare.judge.student import quantile
from ohwx_compare.judge.votes.evidence import anytime_interval, evidence
from ohwx_compare.judge.votes.flow import CHOSEN, SKIPPED, Ending, first_votes, progress
from ohwx_compare.judge.votes.pool import VotePool

__all__ = [
    "AFTER_LOOKING",
    "BIASED",
    "Preference",
    "Rater",
    "Tally",
    "binomial",
    "needed_prompts",
    "net_preference",
    "tally",
]

AFTER_LOOKING = 0.98  # of an interval at the planned number of votes that might have ended before
BIASED = 0.01  # a chance below which a side is named
_LEAST_SHOWN = 0.1  # of the net preference: smaller ones are not planned for
_MOST_NEEDED = 1000


@dataclass(frozen=True, kw_only=True)
class Preference:
    """Of the second side over the first, -1 to 1."""

    estimate: Estimate | None  # `n` prompts; None where there is too little, or every prompt is alike
    value: float  # the mean
    prompts: int
    is_of_these: bool  # of these prompts only: there are too few to speak for others
    confidence: float
    e: float  # the evidence that there is a preference at all
    needed: int | None  # more prompts, a vote each, until a preference of this size is told; None where one is told


@dataclass(frozen=True, kw_only=True)
class Rater:
    """One person's way of voting."""

    name: str
    votes: int
    seconds: float | None  # a vote, the median
    consistent: Estimate | None  # of the repeats with swapped sides
    left: Estimate | None  # of the decided pairs
    left_chance: float  # of that many or more on one side by chance; two-sided

    @property
    def is_biased(self) -> bool:
        """Whether a side draws him, beyond chance."""
        return self.left_chance < BIASED


@dataclass(frozen=True, kw_only=True)
class Tally:
    """All votes of one question on one pool."""

    pool: VotePool
    question: str
    ending: Ending
    first: int  # votes for the first side
    second: int
    same: int
    bad: int
    much: int  # of the decided ones, much better
    preference: Preference | None  # of pairs
    kept: tuple[int, ...]  # of saves: places of those that none is better than
    raters: tuple[Rater, ...]

    @property
    def answered(self) -> int:
        """Votes that count: neither skipped nor repeats."""
        return self.first + self.second + self.same + self.bad


def tally(pool: VotePool, question: str, votes: Sequence[VoteRow]) -> Tally | None:
    """Add up the votes of one question, of one rater or several; None where there is none.

    The interval is Student's at the planned number, of `AFTER_LOOKING` where the vote might have ended before, and one
    that holds at any time where it ended early.
    """
    own = sorted((v for v in votes if v.question == question and pool.holds(v.shown)), key=lambda vote: vote.time)
    counted = [vote for vote in own if not vote.is_repeat and vote.answer != SKIPPED]
    if not counted:
        return None
    by_rater = {name: [v for v in own if v.rater == name] for name in dict.fromkeys(v.rater for v in counted)}
    ending = _ending([progress(pool, each).ending for each in by_rater.values()])
    values = [_value(vote, pool) for vote in counted]
    decided = [value for value in values if value] if pool.is_pairs else [1 for v in counted if v.best is not None]
    return Tally(
        pool=pool, question=question, ending=ending,
        first=decided.count(-1), second=decided.count(1),
        same=sum(vote.answer == "the same" for vote in counted), bad=sum(vote.answer == "all bad" for vote in counted),
        much=sum(vote.answer == CHOSEN[1] for vote in counted),
        preference=_preference(pool, counted, ending) if pool.is_pairs else None,
        kept=() if pool.is_pairs else _kept(pool, counted),
        raters=tuple(_rater(name, each, pool) for name, each in by_rater.items()),
    )  # fmt: skip


def net_preference(values: NDArray[np.float64], confidence: float = CONFIDENCE) -> tuple[Estimate, bool] | None:
    """The mean of (K, M) votes of 1, 0 and -1 on K prompts (NaN: none) with Student's interval over the prompts.

    And whether it is of these prompts only, see `moments`. None where all are alike or there is one vote.
    """
    found = moments(values)
    error, mean = float(found.error), float(found.mean)
    if not error > 0:
        return None
    half = quantile((1 + confidence) / 2, int(found.freedom)) * error
    prompts = int((~np.isnan(values)).any(1).sum())
    return Estimate(mean, max(mean - half, -1.0), min(mean + half, 1.0), prompts), not bool(found.is_style)


def needed_prompts(spread: float, value: float, there: int) -> int:
    """More prompts with a vote each until a preference of `value` is told; `MOST_NEEDED` + 1 for any number beyond.

    spread: the standard deviation of one vote.
    """
    wanted = max(abs(value), _LEAST_SHOWN)
    for more in range(1, _MOST_NEEDED + 1):
        n = there + more
        if n > 1 and quantile((1 + CONFIDENCE) / 2, n - 1) * spread / sqrt(n) < wanted:
            return more
    return _MOST_NEEDED + 1


def binomial(hits: int, n: int) -> float:
    """The chance of `hits` of `n` even coins or of one as unlikely, two-sided; 1 of none."""
    tail = max(hits, n - hits)
    return min(1.0, 2 * sum(comb(n, k) for k in range(tail, n + 1)) / (1 << n))


def _ending(endings: Sequence[Ending | None]) -> Ending:
    """Of several raters the one that promises least."""
    if None in endings:
        return Ending.BY_HAND
    order = (Ending.CLEAR, Ending.NOT_CLEAR, Ending.AT_NUMBER)
    return next(each for each in order if each in endings)


def _value(vote: VoteRow, pool: VotePool) -> int:
    """1 for the second side, -1 for the first, 0 where neither was chosen."""
    if not pool.is_pairs or vote.best is None:
        return 0
    return 1 if pool.side_of[vote.shown[vote.best]] == 1 else -1


def _preference(pool: VotePool, votes: Sequence[VoteRow], ending: Ending) -> Preference:
    by_style: dict[str, list[int]] = {}
    for vote in votes:
        by_style.setdefault(vote.style, []).append(_value(vote, pool))
    firsts = [_value(vote, pool) for vote in first_votes(votes)]
    wins, losses = firsts.count(1), firsts.count(-1)
    is_any_time = ending in (Ending.CLEAR, Ending.BY_HAND)
    confidence = AFTER_LOOKING if ending is Ending.NOT_CLEAR else CONFIDENCE
    estimate: Estimate | None
    if is_any_time:
        estimate, is_of_these = anytime_interval(wins, firsts.count(0), losses), False
    else:
        estimate, is_of_these = net_preference(_table(by_style.values()), confidence) or (None, False)
    value = estimate.value if estimate else float(np.mean([np.mean(each) for each in by_style.values()]))
    is_told = estimate is not None and estimate.is_clear
    spread = float(np.std(firsts, ddof=1)) if len(firsts) > 1 else 1.0
    return Preference(
        estimate=estimate, value=value, prompts=len(by_style), is_of_these=is_of_these, confidence=confidence,
        e=evidence(wins, losses), needed=None if is_told else needed_prompts(spread, value, len(firsts)),
    )  # fmt: skip


def _table(rows: Collection[Sequence[float]]) -> NDArray[np.float64]:
    """Rows of any length as one array, NaN behind them."""
    table = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table


def _kept(pool: VotePool, votes: Sequence[VoteRow]) -> tuple[int, ...]:
    """The saves that none is surely better than: best of four is 1, worst 0, the others a half."""
    styles: dict[str, list[VoteRow]] = {}
    for vote in votes:
        styles.setdefault(vote.style, []).append(vote)
    most = max(map(len, styles.values()))
    scores = np.full((len(pool.sides), len(styles), most), np.nan)
    for k, own in enumerate(styles.values()):
        for m, vote in enumerate(own):
            for place, key in enumerate(vote.shown):
                scores[pool.side_of[key], k, m] = 1.0 if place == vote.best else 0.0 if place == vote.worst else 0.5
    try:
        return keep_set(scores).places
    except ExperimentError:
        return tuple(range(len(pool.sides)))


def _rater(name: str, votes: Sequence[VoteRow], pool: VotePool) -> Rater:
    answered = [vote for vote in votes if vote.answer != SKIPPED]
    decided = [vote for vote in answered if vote.best is not None] if pool.is_pairs else []
    left = sum(vote.best == 0 for vote in decided)
    agreed = _agreed(answered)
    seconds = [vote.seconds for vote in answered if vote.seconds is not None]
    return Rater(
        name=name,
        votes=sum(not vote.is_repeat for vote in answered),
        seconds=float(np.median(seconds)) if seconds else None,
        consistent=share_of(sum(agreed), len(agreed)) if agreed else None,
        left=share_of(left, len(decided)) if decided else None,
        left_chance=binomial(left, len(decided)),
    )


def _agreed(votes: Sequence[VoteRow]) -> list[bool]:
    """Of each repeat, whether the same picture was chosen as before, or none as before."""
    before: dict[frozenset[str], VoteRow] = {}
    found = []
    for vote in votes:
        earlier = before.get(frozenset(vote.shown))
        if vote.is_repeat and earlier:
            found.append(_chosen(vote) == _chosen(earlier))
        elif not vote.is_repeat:
            before[frozenset(vote.shown)] = vote
    return found


def _chosen(vote: VoteRow) -> str | None:
    return None if vote.best is None else vote.shown[vote.best]
