"""How often blind votes are wrong: simulated voters with a planted preference, added up by the functions of `judge/`.

usage: python bench/votes.py [--runs 4000] [--only fixed]

A voter's chance of choosing the second side of a prompt is logistic(preference + the prompt's own, of the sd named);
15 % of his votes are "the same". The seed of each row is its name's CRC-32: fixed before any vote was drawn. Exit
status 1 where a bound fails.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.judge.intervals import Estimate
from ohwx_compare.judge.votes.evidence import ENOUGH, anytime_interval, evidence
from ohwx_compare.judge.votes.flow import CHOSEN, VoteRule, progress, upcoming
from ohwx_compare.judge.votes.pool import QUESTIONS, Bout, VotePool
from ohwx_compare.judge.votes.tally import AFTER_LOOKING, BIASED, binomial, net_preference, tally

Array = NDArray[np.float64]

DESIGNS = ((10, 60), (20, 100), (30, 90), (60, 60), (60, 120), (100, 100), (200, 200))  # prompts, votes
SDS = (0.0, 0.5, 1.0)  # of the prompts' own preferences, in logits
TIES = 0.15


@dataclass(frozen=True)
class Row:
    """A share of runs in percent, and what it may be."""

    name: str
    value: float
    runs: int
    least: float = 0.0
    most: float = 100.0

    @property
    def holds(self) -> bool:
        """Whether it lies in its bounds."""
        return self.least <= self.value <= self.most


def row(name: str, hits: Sequence[bool] | Array, least: float = 0.0, most: float = 100.0) -> Row:
    """The share of runs that hit."""
    return Row(name, 100 * float(np.mean(hits)), len(hits), least, most)


def chance(name: str) -> np.random.RandomState:
    """The row's own stream of numbers."""
    return np.random.RandomState(crc32(name.encode()))


@cache
def truth(preference: float, sd: float) -> float:
    """The net preference in the mean of all prompts: 200 points of the normal distribution."""
    points, weights = np.polynomial.hermite_e.hermegauss(200)
    chances = 1 / (1 + np.exp(-preference - sd * points))
    return float((1 - TIES) * (2 * (weights * chances).sum() / weights.sum() - 1))


def votes(name: str, runs: int, design: tuple[int, int], preference: float, sd: float) -> Array:
    """(runs, K, M) votes of 1, 0, -1 on K prompts; NaN where the planned number is used up. M: round after round."""
    random, (prompts, most) = chance(name), design
    rounds = ceil(most / prompts)
    logits = preference + sd * random.standard_normal((runs, prompts, 1))
    found = np.where(random.random_sample((runs, prompts, rounds)) < 1 / (1 + np.exp(-logits)), 1.0, -1.0)
    found[random.random_sample(found.shape) < TIES] = 0
    found[:, most - (rounds - 1) * prompts :, -1] = np.nan
    return found


def settings(preferences: Sequence[float]) -> Iterator[tuple[str, tuple[int, int], float, float]]:
    """Each design with each preference and sd, and its name."""
    for design in DESIGNS:
        for preference in preferences:
            for sd in SDS:
                named = f"{design[1]} votes on {design[0]} prompts, preference {preference:g}, prompts' sd {sd:g}"
                yield named, design, preference, sd


def stops(cast: Array) -> tuple[list[Estimate], Array]:
    """Of each run, looked at after every vote: the interval where it stopped or had no prompt left; whether it did."""
    first = cast[:, :, 0]
    wins, losses = (first > 0).cumsum(1), (first < 0).cumsum(1)
    prompts = first.shape[1]
    numbers = range(prompts + 1)
    enough = np.array([[evidence(won, lost) >= ENOUGH for lost in numbers] for won in numbers])
    hit = enough[wins, losses]
    stopped = hit.any(1)
    at = np.where(stopped, hit.argmax(1), prompts - 1)
    found = []
    for run, last in enumerate(at):
        won, lost = int(wins[run, last]), int(losses[run, last])
        found.append(anytime_interval(won, int(last) + 1 - won - lost, lost))
    return found, stopped


def holds(estimate: Estimate | None, value: float) -> bool:
    """Whether the interval does; that of votes which are all alike is none and does not."""
    return estimate is not None and estimate.low <= value <= estimate.high


def fixed(runs: int) -> Iterator[Row]:
    """A number of votes fixed beforehand, and Student's interval over the prompts."""
    for name, design, preference, sd in settings((0.0, 0.4, 0.8)):
        found = [net_preference(each) for each in votes(f"fixed, {name}", runs, design, preference, sd)]
        value = truth(preference, sd)
        yield row(f"fixed number, the interval holds, {name}", [holds(e and e[0], value) for e in found], 93, 97)


def early(runs: int) -> Iterator[Row]:
    """Stopped at e >= 20, and the interval that holds at any time; of all runs, and of those that stopped."""
    for name, design, preference, sd in settings((0.0, 0.4, 0.8)):
        found, stopped = stops(votes(f"early, {name}", runs, design, preference, sd))
        held = np.array([holds(each, truth(preference, sd)) for each in found])
        yield row(f"at any time, the interval holds, {name}", held, 95)
        if preference and stopped.sum() >= runs / 20:
            yield row(f"at any time, of those that ended early, {name}", held[stopped], 95)
        yield row(f"ended early, {name}", stopped)


def winners(runs: int) -> Iterator[Row]:
    """Nobody is preferred, and the votes are looked at after each: how often somebody is named all the same."""
    for name, design, preference, sd in settings((0.0,)):
        cast = votes(f"winners, {name}", runs, design, preference, sd)
        found, stopped = stops(cast)
        last = [net_preference(each, AFTER_LOOKING) for each in cast]
        named = stopped | np.array([each is not None and each[0].is_clear for each in last])
        told = [any_time if s else (e and e[0]) for any_time, s, e in zip(found, stopped, last, strict=True)]
        yield row(f"false winners by the evidence alone, {name}", stopped, 0, 5)
        yield row(f"false winners in all, {name}", named, 0, 5)
        yield row(f"what is told holds, {name}", [holds(each, 0.0) for each in told], 95)


def sides(runs: int) -> Iterator[Row]:
    """A voter who takes the left in 70 % of his votes, and one who judges pictures; sides are drawn by chance."""
    for most, named in ((60, 60), (100, 90), (200, 99)):
        for share, least, limit in ((0.7, named, 100), (0.5, 0, 1)):
            name = f"named for a side, left in {share:.0%} of {most} votes"
            left = chance(name).binomial(most, share, runs)
            yield row(name, [binomial(int(each), most) < BIASED for each in left], least, limit)


def whole(runs: int) -> Iterator[Row]:
    """The same through the program: pairs as they are shown with sides and repeats, until it says that it is over."""
    for preference, sd in ((0.0, 1.0), (0.8, 0.5)):
        name = f"shown one by one, preference {preference:g}, prompts' sd {sd:g}"
        random, count = chance(name), max(runs // 40, 5)
        told = [_voted(random, preference, sd) for _ in range(count)]
        value, slack = truth(preference, sd), 400 * (0.05 * 0.95 / count) ** 0.5
        yield row(f"what is told holds, {name}", [holds(each, value) for each in told], 95 - slack)
        named = [each is not None and each.is_clear for each in told]
        yield row(f"somebody is named, {name}", named, 0, 100 if preference else 5 + slack)


def _voted(random: np.random.RandomState, preference: float, sd: float) -> Estimate | None:
    """One voter's whole vote on 40 prompts of two seeds."""
    bouts = [Bout(style=f"{k}", keys=(f"{k} {m} a", f"{k} {m} b")) for k in range(40) for m in range(2)]
    side_of = {key: side for bout in bouts for side, key in enumerate(bout.keys)}
    pool = VotePool(name="b against a", sides=("a", "b"), side_of=side_of, bouts=tuple(bouts))
    logits = preference + sd * random.standard_normal(40)
    cast: list[VoteRow] = []
    seed = f"{random.randint(1 << 30)}"
    while not cast or progress(pool, cast).ending is None:
        trial = upcoming(pool, cast, seed)[0]
        is_second = random.random_sample() < 1 / (1 + np.exp(-logits[int(trial.style)]))
        is_same = random.random_sample() < TIES
        best = None if is_same else [side_of[key] for key in trial.shown].index(int(is_second))
        cast.append(
            VoteRow(
                rater="v", question=QUESTIONS[0], style=trial.style, shown=trial.shown, best=best, time=len(cast),
                answer="the same" if is_same else CHOSEN[0], is_repeat=trial.is_repeat, rule=VoteRule(80).text,
            )
        )  # fmt: skip
    found = tally(pool, QUESTIONS[0], cast)
    return found.preference.estimate if found and found.preference else None


TABLES: dict[str, Callable[[int], Iterator[Row]]] = {
    each.__name__: each for each in (fixed, early, winners, sides, whole)
}


def main() -> int:
    """Print every row; 1 where one is outside its bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4_000)
    parser.add_argument("--only", choices=TABLES, action="append")
    options = parser.parse_args()
    missed = 0
    for name in options.only or TABLES:
        for each in TABLES[name](options.runs):
            missed += not each.holds
            print(f"{each.value:6.2f}  {'' if each.holds else 'MISSED  '}{each.name}", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
