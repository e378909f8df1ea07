"""The answer in words, each sentence computed from the numbers that stand in it."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from ohwx_compare.demo.answer import Answer
from ohwx_compare.demo.sizes import ARMS, Trained
from ohwx_compare.judge import words
from ohwx_compare.judge.effects import Effect
from ohwx_compare.judge.matching import LEAST_PAIRS
from ohwx_compare.judge.verdict import BAND, Word, verdict
from ohwx_compare.judge.words import Clause, line, listed, scope, signed, trainings

__all__ = ["findings", "headline", "limits", "name_of", "sentences"]

# of each measure: its name, where regularization images raise it, where they lower it
_EFFECTS: Mapping[str, tuple[str, str, str]] = MappingProxyType({
    "likeness": ("likeness", "more likeness", "less likeness"),
    "style": ("style kept", "the style asked for kept more often", "the style asked for kept less often"),
    "drift": ("what “a man” looks like", "“a man” more like the subject", "“a man” less like the subject"),
})  # fmt: skip


def headline(found: Answer) -> str:
    """What regularization images did, over all saves."""
    return words.one_sentence("With regularization images", list(_clauses(found)))


def findings(found: Answer) -> Iterator[str]:
    """The clauses one by one, likeness at matched style, and of how many trainings all this is."""
    yield from map(line, _clauses(found))
    yield _matched(found)
    yield trainings(1, 1)


def sentences(found: Answer) -> Iterator[str]:
    """The rest: what training did, which checkpoint to keep, what the face pass did."""
    yield _training(found)
    yield _drift(found)
    yield _keep(found)
    if faces := found.faces:
        did = _moved(faces.change, "raises", "lowers", f"changes by less than {BAND:.0%}", "may or may not change")
        yield (
            f"On {faces.faces} small faces, {faces.height:.0f} px high, the face pass {did} the share of traits "
            f"that are wrong: {faces.before:.0%} before, {faces.after:.0%} after "
            f"({signed(faces.change, percent=True)}, {scope(faces.change)})."
        )


def limits(found: Answer) -> Iterator[str]:
    """How the numbers came to be and what they cannot tell."""
    reader = found.reader
    yield (
        "Below each number its 95 % interval and n. Seeds of one style are no independent witnesses, so each style is "
        "one value, the mean over its seeds, and n counts styles; of fewer than six styles n counts pictures, and the "
        "interval is of these styles only. All styles share the same seeds; where these agree across styles, it is "
        "said how far other seeds may lead. Differences are with minus without, of the same prompts, seeds and "
        "exposures, so they are surer than the two numbers beside them; bold where the interval leaves 0 out, which "
        "one in twenty would do by chance. The last row takes each prompt and seed once, as the mean over all "
        "exposures, and it alone answers: the others are there to look at."
    )
    yield (
        f"More or less is said where the 95 % interval leaves 0 out, the same where the 90 % interval lies within "
        f"±{BAND:g}, cannot tell where neither does. How many more styles would tell is reckoned from how much these "
        "styles differ."
    )
    yield (
        "Whom a picture shows and in what style is read by a small network that was trained on true pictures of the "
        "toy world. Likeness is the mean probability that it gives to the subject's own traits, as far as the style "
        "shows them: a pencil sketch has no colours."
    )
    yield (
        f"The reader's own error, on {reader.style.n} true pictures drawn for this page: it names the style rightly in "
        f"{reader.style.value:.0%} and {reader.wrong.value:.0%} of the face's traits wrongly; the subject himself "
        f"reads as {reader.subject.value:.2f}, other men as {reader.others.value:.2f}."
    )
    yield (
        "The intervals hold the chance of prompts and seeds. They do not hold another training seed, subject, class or "
        "learning rate, and this is a model of a few million weights: what a large one would do, they cannot say."
    )


def name_of(arm: str) -> str:
    """An arm as people call it."""
    return {"no-reg": "without regularization images", "reg": "with regularization images"}[arm]


def _clauses(found: Answer) -> Iterator[Clause]:
    for name, (subject, more, less) in _EFFECTS.items():
        own = found.differences[name]
        yield Clause(subject=subject, more=more, less=less, effect=own.pooled, verdict=own.verdict, wider=own.wider)


def _matched(found: Answer) -> str:
    both, subject = found.matched, "likeness where both kept the style asked for"
    raw = f"{signed(both.raw)} over all pairs"
    if both.matched is None:
        return f"{subject.capitalize()}: cannot tell, no style has {LEAST_PAIRS} such pairs; {raw}."
    clause = Clause(subject=subject, more="", less="", effect=both.matched, verdict=verdict(both.matched))
    missing = f"; {listed(both.missing)} not among them, with fewer than {LEAST_PAIRS}" if both.missing else ""
    return (
        f"{line(clause)} {both.pairs} such pairs{missing}; {raw}. A picture that ignores its style is a photograph, "
        "and so more like him; these pairs leave that out, and speak of themselves alone."
    )


def _training(found: Answer) -> str:
    last = found.arms["reg"][-1].trained.exposures
    reader = found.reader
    return (
        f"The base draws “ohwx man” with a likeness of {found.base.values['likeness'].value:.2f}; after {last} "
        f"exposures it is {_ends(found, 'likeness')}. True pictures of him read as "
        f"{reader.subject.value:.2f}, of other men as {reader.others.value:.2f}."
    )


def _drift(found: Answer) -> str:
    return (
        f"The base's “photo of a man” has a likeness to him of {found.base.values['drift'].value:.2f}; at the end it "
        f"is {_ends(found, 'drift')}."
    )


def _keep(found: Answer) -> str:
    kept, count = found.keep, sum(map(len, found.arms.values()))
    if len(kept.saves) == 1:
        which = f"{_saves(kept.saves)} exposures, the one save that no other is better than"
    else:
        which = f"{len(kept.saves)} of {count} saves cannot be told from the best: {_saves(kept.saves)} exposures"
    return (
        f"Which to keep, by likeness in the style asked for (a picture in another style counts 0): {which}. The "
        f"earliest: {_saves(kept.earliest)}. A save chosen in this way scores {kept.score:.2f} on pictures that "
        "had no say in the choice."
    )


def _saves(saves: Sequence[Trained]) -> str:
    """Each arm with its exposures: "without regularization images 30 and 60"."""
    by_arm = {arm: [str(one.exposures) for one in saves if one.arm == arm] for arm in ARMS}
    return ", ".join(f"{name_of(arm)} {listed(exposures)}" for arm, exposures in by_arm.items() if exposures)


def _ends(found: Answer, name: str) -> str:
    """Where each arm's last save stands, and whether that is another place than the base's."""
    said = []
    for arm, points in found.arms.items():
        rise = found.rises[arm][name]
        moved = _moved(rise, "risen", "fallen", f"the same within {BAND:g}", "whether changed, cannot tell")
        said.append(f"{points[-1].values[name].value:.2f} {name_of(arm)} ({moved}: {signed(rise)})")
    return listed(said)


def _moved(difference: Effect, up: str, down: str, same: str, unknown: str) -> str:
    by_word = {Word.MORE: up, Word.LESS: down, Word.SAME: same, Word.CANNOT_TELL: unknown}
    return by_word[verdict(difference).word]
