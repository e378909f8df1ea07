"""What an effect says, in one of four words: more, less, the same, cannot tell."""

from bisect import bisect_left
from dataclasses import dataclass
from enum import Enum
from math import ceil, hypot, sqrt

from ohwx_compare.judge.effects import Effect, Unit
from ohwx_compare.judge.intervals import CONFIDENCE
from ohwx_compare.judge.student import quantile

__all__ = ["BAND", "MOST_NEEDED", "Verdict", "Word", "verdict"]

BAND = 0.05  # differences up to this do not matter, of a scale of 1, unless the user says another
MOST_NEEDED = 1000  # more units than that are not counted
_EVERY = (1 + CONFIDENCE) / 2  # of the 95 % interval, two-sided
_EACH = CONFIDENCE  # of the 90 % interval: 5 % at each end


class Word(str, Enum):
    """The four answers, in this order of precedence."""

    MORE = "more"
    LESS = "less"
    SAME = "the same"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Verdict:
    """A word and what belongs to it.

    is_within: the 90 % interval lies inside the band; more or less may be so too, and then it matters little.
    needed: of "cannot tell", how many more of the effect's units (of a seed: of each style, of a training: of each arm)
    would tell, spread as these; `MOST_NEEDED` + 1 for any number beyond. Else None.
    of_these_seeds: with the interval that holds other seeds too the word would be "cannot tell".
    """

    word: Word
    band: float
    is_within: bool
    needed: int | None
    of_these_seeds: bool = False


def verdict(effect: Effect, band: float = BAND, *, is_share: bool = False, wider: Effect | None = None) -> Verdict:
    """The word for an effect; `band` > 0: differences up to it do not matter; `is_share`: the measure is yes or no.

    wider: what `other_seeds` gave; it does not change the word, but whether the word is of these seeds only.

    More or less where the 95 % interval leaves 0 out; else the same where the 90 % interval lies inside the band: two
    one-sided tests at 5 % (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657); else cannot tell.

    Of yes-or-no data, and wherever all units are equal, Student's t trusts a spread that a rare failure has not shown
    yet, and "the same" is false in up to 21 % (docs/judge.md). There it must also survive one more unit that differs in
    every picture, either way; and without an interval a sign is believed by sign flips.
    """
    is_share = is_share or effect.is_even
    word, within = _word(effect, band, is_share=is_share)
    needed = _needed(effect, band, is_share=is_share) if word is Word.CANNOT_TELL else None
    of_these = wider is not None and _word(wider, band, is_share=is_share)[0] is not word
    return Verdict(word, band, within, needed, of_these)


def _word(effect: Effect, band: float, *, is_share: bool) -> tuple[Word, bool]:
    within = _is_within(effect, band, is_share=is_share)
    if effect.p <= 1 - CONFIDENCE if effect.is_even else effect.is_clear:
        return (Word.MORE if effect.value > 0 else Word.LESS), within
    return (Word.SAME if within else Word.CANNOT_TELL), within


def _is_within(effect: Effect, band: float, *, is_share: bool) -> bool:
    n, freedom = effect.n, effect.freedom
    reaches = [abs(effect.value) + quantile(_EACH, freedom) * effect.error]
    if is_share:  # the mean and error with one more unit of -1 or 1; n * error² is the units' variance
        for one in (-1.0, 1.0):
            mean = (n * effect.value + one) / (n + 1)
            squares = n * (n - 1) * effect.error**2 + n / (n + 1) * (one - effect.value) ** 2
            reaches.append(abs(mean) + quantile(_EACH, freedom + 1) * sqrt(squares / (n * (n + 1))))
    return max(reaches) <= band


def _needed(effect: Effect, band: float, *, is_share: bool) -> int:
    """More units, for a seed a style and for a training an arm, until no outcome is "cannot tell".

    Where t(.975) and t(.95) times the error are no more than the band, an interval that holds 0 lies inside it.
    """
    n, spent = effect.n, effect.n - effect.freedom

    def tells(units: int) -> bool:
        error, more = effect.error * sqrt(n / units), 1 / (units + 1) if is_share else 0.0
        largest = quantile(_EVERY, units - spent) * error
        return largest + more + quantile(_EACH, units - spent) * hypot(error, more) <= band

    apart = {Unit.STYLE: 1, Unit.SEED: effect.styles, Unit.TRAINING: 2}[effect.unit]
    more = bisect_left(range(n + 1, n + 1 + apart * MOST_NEEDED), True, key=tells) + 1
    return ceil(more / apart)
