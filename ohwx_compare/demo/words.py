"""The answer in words, each sentence computed from the numbers that stand in it."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from ohwx_compare.demo.answer import Answer
from ohwx_compare.judge.intervals import RESAMPLES, Estimate

__all__ = ["headline", "limits", "name_of", "sentences", "signed"]

# of each measure: where regularization images raise it, where they lower it, where they do neither
_EFFECTS: Mapping[str, tuple[str, str, str]] = MappingProxyType({
    "likeness": ("more likeness", "less likeness", "likeness"),
    "style": ("the style asked for kept more often", "the style asked for kept less often", "style"),
    "drift": ("“a man” more like the subject", "“a man” less like the subject", "what “a man” looks like"),
})  # fmt: skip


def headline(found: Answer) -> str:
    """What regularization images did, over all saves."""
    clear, unclear = [], []
    for name, (more, less, neither) in _EFFECTS.items():
        pooled = found.differences[name].pooled
        if pooled.is_clear:
            clear.append(more if pooled.value > 0 else less)
        else:
            unclear.append(neither)
    if not clear:
        return f"With or without regularization images: no clear difference in {_listed(unclear)}."
    rest = f"; no clear difference in {_listed(unclear)}" if unclear else ""
    return f"With regularization images: {_listed(clear)}{rest}."


def sentences(found: Answer) -> Iterator[str]:
    """The rest: what training did, which checkpoint to keep, what the face pass did."""
    yield _training(found)
    yield _drift(found)
    best = found.best
    yield (
        f"Most likeness in the style asked for: {name_of(best.trained.arm)}, {best.trained.exposures} exposures "
        f"({best.score.value:.2f}; a picture in another style counts 0). Of {RESAMPLES:,} draws from these prompts and "
        f"seeds it is the best in {best.certainty:.0%}."
    )
    if faces := found.faces:
        did = _moved(faces.change, "raises", "lowers", "does not clearly change")
        yield (
            f"On {faces.change.n} small faces, {faces.height:.0f} px high, the face pass {did} the share of traits "
            f"that are wrong: {faces.before.value:.0%} before, {faces.after.value:.0%} after "
            f"({signed(faces.change, percent=True)})."
        )


def limits(found: Answer) -> Iterator[str]:
    """How the numbers came to be and what they cannot tell."""
    reader = found.reader
    yield (
        "Below each number its 95 % interval and n, the pictures behind it. Differences are with minus without, of "
        "the same prompts and seeds; bold where the interval leaves 0 out, which one in twenty would do by chance. "
        "The last row takes each prompt and seed once, as the mean over all exposures."
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


def signed(difference: Estimate, *, percent: bool = False) -> str:
    """A difference with its interval: "−0.12, 95 % interval −0.20 to −0.04"."""
    form = "{:+.0%}" if percent else "{:+.2f}"
    value, low, high = (form.format(each) for each in (difference.value, difference.low, difference.high))
    return f"{value}, 95 % interval {low} to {high}".replace("-", "−")


def name_of(arm: str) -> str:
    """An arm as people call it."""
    return {"no-reg": "without regularization images", "reg": "with regularization images"}[arm]


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


def _ends(found: Answer, name: str) -> str:
    """Where each arm's last save stands, and whether that is another place than the base's."""
    said = []
    for arm, points in found.arms.items():
        rise = found.rises[arm][name]
        moved = _moved(rise, "risen", "fallen", "not clearly changed")
        said.append(f"{points[-1].values[name].value:.2f} {name_of(arm)} ({moved}: {signed(rise)})")
    return _listed(said)


def _moved(difference: Estimate, up: str, down: str, neither: str) -> str:
    if not difference.is_clear:
        return neither
    return up if difference.value > 0 else down


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
