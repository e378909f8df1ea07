"""Verdicts in words: a headline, and a line for each clause with the numbers it rests on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ohwx_compare.judge.effects import Effect, Unit
from ohwx_compare.judge.intervals import Estimate
from ohwx_compare.judge.verdict import MOST_NEEDED, Verdict, Word
from ohwx_compare.words import counted

__all__ = ["Clause", "chance", "line", "listed", "one_sentence", "rounded", "scope", "signed", "spanned", "trainings"]

_FINEST = 5  # digits


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One measure's part of the answer."""

    subject: str  # "likeness"
    more: str  # "more likeness"
    less: str  # "less likeness"
    effect: Effect
    verdict: Verdict
    wider: Effect | None = None  # what `other_seeds` gave


def one_sentence(opening: str, clauses: Sequence[Clause]) -> str:
    """One sentence: what is more or less first, then what is the same, then what cannot be told."""
    return f"{opening}: {'; '.join(map(_short, sorted(clauses, key=_rank)))}."


def line(clause: Clause) -> str:
    """The clause by itself with value, interval, units and, where it cannot tell, what would."""
    effect, found = clause.effect, clause.verdict
    word = found.word.value
    if found.word is Word.SAME:
        word += f" within {found.band:g}"
    elif found.word is not Word.CANNOT_TELL and found.is_within:
        word += f", though within {found.band:g}"
    flips = "" if effect.flips is None or effect.is_even else f", {chance(effect.flips)} by sign flips"
    needed = f" {_capital(_needed(clause))} tell a difference of {found.band:g}." if found.needed else ""
    return f"{_capital(clause.subject)}: {word}. {signed(effect)}, {scope(effect)}{flips}.{_seeds(clause)}{needed}"


def scope(effect: Effect) -> str:
    """What the interval is about: "over 6 styles", "in these 5 styles only"."""
    styles = counted(effect.styles, "style")
    if effect.unit is Unit.STYLE:
        return f"over {styles}"
    these = "this style" if effect.styles == 1 else f"these {styles}"
    if effect.unit is Unit.SEED:
        return f"in {these} only"
    return f"over {counted(effect.n, 'training')}, in {these}"


def trainings(first: int, second: int) -> str:
    """What the number of trainings of each arm allows to be said; it belongs on every report."""
    if first == second == 1:
        return (
            "One training of each arm: this is about these two trainings and their pictures. What the same recipes "
            "give with another training seed, it cannot say."
        )
    return (
        f"{first} and {second} trainings of the arms: the training is the unit, with {first + second - 2} degrees of "
        "freedom, in these styles."
    )


def chance(p: float) -> str:
    """ "p 0.031", "p < 0.001"."""
    return f"p {p:.2g}" if p >= 0.001 else "p < 0.001"


def rounded(value: float, form: str = "{:+.2f}") -> str:
    """A number with a minus sign of its own width, and no sign where it rounds to 0."""
    said = form.format(value)
    return (said if float(said.rstrip("%")) else form.format(0.0).replace("+", "")).replace("-", "−")


def spanned(difference: Estimate, form: str = "{:+.2f}") -> tuple[str, str, str]:
    """Value, low and high; of a difference that leaves 0 out with as many digits as it takes to show that."""
    nearest, has_sign = min(abs(difference.low), abs(difference.high)), difference.is_clear and "+" in form
    while has_sign and not float(form.format(nearest).rstrip("%")) and f".{_FINEST}" not in form:
        form = re.sub(r"\.(\d)", lambda digits: f".{int(digits[1]) + 1}", form)
    value, low, high = (rounded(each, form) for each in (difference.value, difference.low, difference.high))
    return value, low, high


def signed(difference: Estimate, *, percent: bool = False) -> str:
    """A difference with its interval: "−0.12, 95 % interval −0.20 to −0.04"; where there is none, "in every style"."""
    value, low, high = spanned(difference, "{:+.0%}" if percent else "{:+.2f}")
    if isinstance(difference, Effect) and difference.is_even:
        return f"{value} {_every(difference)}"
    return f"{value}, 95 % interval {low} to {high}"


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]


def _rank(clause: Clause) -> int:
    if clause.verdict.word is Word.CANNOT_TELL:
        return 2 if clause.effect.is_even else 3
    return 1 if clause.verdict.word is Word.SAME else 0


def _short(clause: Clause) -> str:
    found, effect = clause.verdict, clause.effect
    if found.word in (Word.MORE, Word.LESS):
        within = f", though within {found.band:g}" if found.is_within else ""
        return (clause.more if found.word is Word.MORE else clause.less) + within + _aside(clause)
    if found.word is Word.SAME:
        return f"{clause.subject}, the same within {found.band:g}{_aside(clause)}"
    if effect.is_even:
        every = "the same" if effect.value == 0 else rounded(effect.value)
        return f"{clause.subject}, {every} {_every(effect)}{_aside(clause)}"
    return f"{clause.subject}, cannot tell{_aside(clause, _needed(clause))}"


def _every(effect: Effect) -> str:
    return {Unit.STYLE: "in every style", Unit.SEED: "with every seed", Unit.TRAINING: "in every training"}[effect.unit]


def _aside(clause: Clause, *more: str) -> str:
    """In brackets: of what it speaks where that is not styles like these, and what else is to be said."""
    said = [] if clause.effect.unit is Unit.STYLE else [scope(clause.effect)]
    said += [*(["with these seeds only"] if clause.verdict.of_these_seeds else []), *more]
    return f" ({'; '.join(said)})" if said else ""


def _seeds(clause: Clause) -> str:
    if clause.wider is None:
        return ""
    low, high = rounded(clause.wider.low), rounded(clause.wider.high)
    return f" Seeds may agree across styles: with other seeds it may be {low} to {high}."


def _needed(clause: Clause) -> str:
    unit, needed = clause.effect.unit, clause.verdict.needed or 0
    of_each = {Unit.STYLE: "", Unit.SEED: " of each style", Unit.TRAINING: " of each arm"}[unit]
    count = f"{needed}" if needed <= MOST_NEEDED else f"more than {MOST_NEEDED:,}"
    return f"{count} more {unit.value}{'s' if needed != 1 else ''}{of_each} would"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
