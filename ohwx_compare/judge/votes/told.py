"""Votes in sentences: who was preferred, how surely, and what to think of the rater."""

from collections.abc import Iterator

from ohwx_compare.judge.intervals import Estimate
from ohwx_compare.judge.votes.flow import Ending
from ohwx_compare.judge.votes.tally import Preference, Rater, Tally
from ohwx_compare.judge.words import chance, listed, rounded, spanned
from ohwx_compare.words import counted

__all__ = ["preference_words", "vote_sentences"]

_MOST = 1000


def vote_sentences(found: Tally) -> Iterator[str]:
    """The answer first, then what it rests on, then each rater."""
    yield preference_words(found)
    yield _counts(found)
    if found.preference:
        yield from _standing(found, found.preference)
    for rater in found.raters:
        yield from _about(rater, len(found.raters) > 1)
    if len(found.raters) == 1:
        yield "One person voted: this is about his eyes, and about these trainings and their pictures."


def preference_words(found: Tally) -> str:
    """ "“More like me”: b is preferred to a. Net preference +0.32, 95 % interval +0.12 to +0.52, over 30 prompts"."""
    asked = f"“{found.question[:1].upper()}{found.question[1:]}”"
    sides = found.pool.sides
    if found.preference is None:
        names = listed([sides[place] for place in found.kept])
        if len(found.kept) == 1:
            return f"{asked}: {names}; each of the others has one that was preferred to it."
        return f"{asked}: {len(found.kept)} of {len(sides)} saves cannot be told from the best: {names}."
    estimate = found.preference.estimate
    if estimate is None or not estimate.is_clear:
        told = f"cannot tell whether {sides[1]} or {sides[0]} is preferred"
    else:
        told = f"{sides[estimate.value > 0]} is preferred to {sides[estimate.value < 0]}"
    return f"{asked}: {told}. {_number(found.preference)}."


def _number(preference: Preference) -> str:
    estimate = preference.estimate
    prompts = counted(preference.prompts, "prompt")
    if estimate is None:
        return f"Net preference {rounded(preference.value)}, too little for an interval, over {prompts}"
    scope = f"of these {prompts} only" if preference.is_of_these else f"over {prompts}"
    value, low, high = spanned(estimate)
    percent = f"{100 * preference.confidence:.0f} %"
    return f"Net preference {value}, {percent} interval {low} to {high}, {scope}"


def _counts(found: Tally) -> str:
    sides = found.pool.sides
    if found.preference is None:
        return f"{counted(found.answered, 'vote')}, each for the best and the worst of those shown."
    much = f", {found.much} of them much better" if found.much else ""
    return (
        f"{counted(found.answered, 'vote')}: {found.second} for {sides[1]}, {found.first} for {sides[0]}{much}; "
        f"{found.same} the same, {found.bad} both bad."
    )


def _standing(found: Tally, preference: Preference) -> Iterator[str]:
    """How it ended, and what that means for the interval."""
    at = f"the evidence is e = {preference.e:.3g}"
    if found.ending is Ending.CLEAR:
        yield (
            f"Ended early, as soon as it was clear ({at}): value and interval are of the first vote of each prompt, "
            "and the interval holds whenever one stops; it is wider than one for a number of votes fixed beforehand."
        )
    elif found.ending is Ending.BY_HAND:
        yield (
            f"Stopped before its planned end ({at}; 20 is enough): value and interval are of the first vote of each "
            "prompt, and the interval holds whenever one stops."
        )
    elif found.ending is Ending.NOT_CLEAR:
        yield (
            f"Ended at the planned number of votes; because it might have ended before, the interval is one of 98 % "
            f"({at})."
        )
    if preference.needed is not None:
        most = min(preference.needed, _MOST)
        more = f"{'about' if preference.needed <= _MOST else 'more than'} {counted(most, 'more prompt')}"
        size = max(abs(preference.value), 0.1)
        told = f"a net preference of {size:.2f}"
        yield f"At this spread {more} with a vote each would tell {told}."


def _about(rater: Rater, is_named: bool) -> Iterator[str]:
    who = rater.name if is_named else "You"
    if rater.consistent:
        yield (
            f"{who} chose the same again in {_share(rater.consistent)} of {counted(rater.consistent.n, 'repeat')} with "
            "swapped sides."
        )
    if rater.left and rater.is_biased:
        side, share = ("left", rater.left) if rater.left.value > 0.5 else ("right", _other(rater.left))
        yield (
            f"{who} took the {side} picture in {share.value:.0%} of {counted(share.n, 'vote')} "
            f"({chance(rater.left_chance)}). Sides are drawn by chance, so this is a habit of the eye: it makes a "
            "preference look smaller than it is, and no picture better."
        )


def _share(share: Estimate) -> str:
    return f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})"


def _other(share: Estimate) -> Estimate:
    return Estimate(1 - share.value, 1 - share.high, 1 - share.low, share.n)
