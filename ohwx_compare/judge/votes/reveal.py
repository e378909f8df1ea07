"""What votes add up to as JSON values, for the voting page and for other programs."""

from collections.abc import Iterable
from typing import Any

from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.judge.intervals import Estimate
from ohwx_compare.judge.votes.pool import VotePool
from ohwx_compare.judge.votes.tally import Preference, Rater, Tally, tally
from ohwx_compare.judge.votes.told import vote_sentences

__all__ = ["reveal_json", "tally_json"]


def reveal_json(pool: VotePool, question: str, votes: Iterable[VoteRow]) -> dict[str, Any]:
    """Sentences and numbers of one question; `sentences` says so where nobody voted."""
    found = tally(pool, question, list(votes))
    if found is None:
        about = {"question": question, "pool": pool.name, "sides": list(pool.sides)}
        return {**about, "sentences": ["Nobody voted on this yet."], "preference": None, "kept": [], "raters": []}
    return tally_json(found)


def tally_json(found: Tally) -> dict[str, Any]:
    """Its sentences and numbers."""
    return {
        "question": found.question,
        "pool": found.pool.name,
        "sides": list(found.pool.sides),
        "sentences": list(vote_sentences(found)),
        "ending": found.ending.value,
        "first": found.first,
        "second": found.second,
        "same": found.same,
        "bad": found.bad,
        "much": found.much,
        "preference": _preference(found.preference) if found.preference else None,
        "kept": [found.pool.sides[place] for place in found.kept],
        "raters": [_rater(rater) for rater in found.raters],
    }


def _preference(preference: Preference) -> dict[str, Any]:
    return {
        "value": preference.value, "interval": _interval(preference.estimate), "prompts": preference.prompts,
        "confidence": preference.confidence, "e": preference.e, "needed": preference.needed,
        "of_these_prompts_only": preference.is_of_these,
    }  # fmt: skip


def _rater(rater: Rater) -> dict[str, Any]:
    return {
        "name": rater.name, "votes": rater.votes, "seconds": rater.seconds, "consistent": _interval(rater.consistent),
        "left": _interval(rater.left), "left_p": rater.left_chance, "biased": rater.is_biased,
    }  # fmt: skip


def _interval(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
