"""From readings to the answer: each checkpoint's numbers, the differences between the arms, and what they say in words.

The words follow from the numbers: a difference is named where its 95 % interval leaves 0 out, and "no clear difference"
is an answer too. Arms are compared picture by picture: the same prompt and seed at the same exposures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ohwx_compare.demo.readings import FaceRead, PictureRead, Readings, TruthRead
from ohwx_compare.demo.sizes import ARMS, Trained
from ohwx_compare.judge.intervals import Estimate, mean_of, resamples, share_of
from ohwx_compare.toy.styles import PHOTO

__all__ = ["MEASURES", "Answer", "Best", "Difference", "FacePass", "Measure", "Point", "ReaderError", "answer"]

Unit = tuple[str, int]  # style and seed


@dataclass(frozen=True)
class Measure:
    """One thing that is measured of a picture."""

    title: str
    of_class: bool  # of the pictures of "a man", not of the subject's
    value: Callable[[PictureRead], float]
    counts: Callable[[PictureRead], bool] = lambda picture: True
    is_share: bool = False  # of pictures, yes or no


MEASURES: Mapping[str, Measure] = {
    "likeness": Measure("Likeness to the subject", False, lambda picture: picture.likeness),
    "style": Measure(
        "Pictures in the style asked for",
        False,
        lambda picture: float(picture.style_read == picture.style),
        lambda picture: picture.style != PHOTO,
        is_share=True,
    ),
    "drift": Measure("The subject in “photo of a man”", True, lambda picture: picture.likeness),
}


@dataclass(frozen=True)
class Point:
    """One checkpoint in numbers: an estimate for each of `MEASURES`."""

    trained: Trained
    values: Mapping[str, Estimate]


@dataclass(frozen=True)
class Difference:
    """With minus without regularization images: at each exposures, and of each picture's mean over all of them."""

    at: Mapping[int, Estimate]
    pooled: Estimate


@dataclass(frozen=True)
class Best:
    """The checkpoint with most likeness in the style asked for: a picture in another style counts 0."""

    trained: Trained
    score: Estimate
    certainty: float  # the share of resamples of prompts and seeds in which it is the best


@dataclass(frozen=True)
class FacePass:
    """The faces redrawn in small pictures: the share of their traits that is read wrong inside the box."""

    height: float  # of the boxes, px, their median
    before: Estimate
    after: Estimate
    change: Estimate
    traits: Mapping[str, tuple[float, float, int]]  # wrong before, wrong after, faces


@dataclass(frozen=True)
class ReaderError:
    """The reader on true pictures."""

    subject: Estimate  # likeness of the subject himself: what a perfect checkpoint would reach
    others: Estimate  # likeness of other men to him
    style: Estimate  # share of pictures whose style it reads rightly
    wrong: Estimate  # share of a face's traits that it reads wrong


@dataclass(frozen=True, kw_only=True)
class Answer:
    """All numbers."""

    base: Point
    arms: Mapping[str, tuple[Point, ...]]  # by exposures
    rises: Mapping[str, Mapping[str, Estimate]]  # arm -> measure -> last save minus base
    differences: Mapping[str, Difference]  # measure -> reg minus no-reg
    best: Best
    faces: FacePass | None  # None where no two faces were redrawn
    reader: ReaderError


def answer(readings: Readings) -> Answer:
    """Compute the answer; every checkpoint needs all its pictures."""
    saves = sorted({p.trained for p in readings.subject}, key=lambda one: (one.exposures, one.arm or ""))
    base = next(one for one in saves if one.arm is None)
    arms = {arm: tuple(one for one in saves if one.arm == arm) for arm in ARMS}
    tables = {name: _table(measure, readings) for name, measure in MEASURES.items()}
    points = {one: Point(one, {name: _estimate(name, tables[name][one]) for name in MEASURES}) for one in saves}
    return Answer(
        base=points[base],
        arms={arm: tuple(points[one] for one in own) for arm, own in arms.items()},
        rises={
            arm: {name: mean_of(_minus(table[own[-1]], table[base])) for name, table in tables.items()}
            for arm, own in arms.items()
        },
        differences={name: _difference(table, arms) for name, table in tables.items()},
        best=_best(readings, [one for one in saves if one.arm]),
        faces=_face_pass([p.face for p in readings.small if p.face]),
        reader=_reader_error(readings.truths),
    )


Table = Mapping[Trained, Mapping[Unit, float]]


def _table(measure: Measure, readings: Readings) -> Table:
    table: dict[Trained, dict[Unit, float]] = {}
    for picture in readings.drift if measure.of_class else readings.subject:
        if measure.counts(picture):
            table.setdefault(picture.trained, {})[picture.style, picture.seed] = measure.value(picture)
    return table


def _estimate(name: str, values: Mapping[Unit, float]) -> Estimate:
    if MEASURES[name].is_share:
        return share_of(int(sum(values.values())), len(values))
    return mean_of(list(values.values()))


def _minus(one: Mapping[Unit, float], other: Mapping[Unit, float]) -> list[float]:
    return [value - other[unit] for unit, value in one.items()]


def _difference(table: Table, arms: Mapping[str, Sequence[Trained]]) -> Difference:
    pairs = list(zip(arms["reg"], arms["no-reg"], strict=True))
    each = {one.exposures: _minus(table[one], table[other]) for one, other in pairs}
    pooled = mean_of(np.mean(list(each.values()), axis=0))
    return Difference({exposures: mean_of(values) for exposures, values in each.items()}, pooled)


def _best(readings: Readings, saves: Sequence[Trained]) -> Best:
    scores: dict[Trained, dict[Unit, float]] = {one: {} for one in saves}
    for p in readings.subject:
        if p.trained in scores:
            scores[p.trained][p.style, p.seed] = p.likeness * (p.style_read == p.style)
    table = np.array([list(own.values()) for own in scores.values()])  # (saves, units)
    winners = table[:, resamples(table.shape[1])].mean(axis=2).argmax(axis=0)
    first = int(table.mean(axis=1).argmax())
    return Best(saves[first], mean_of(table[first]), float((winners == first).mean()))


def _face_pass(faces: Sequence[FaceRead]) -> FacePass | None:
    if len(faces) < 2:
        return None
    before, after = ([_share(getattr(face, when).values()) for face in faces] for when in ("before", "after"))
    traits = {}
    for name in dict.fromkeys(chain.from_iterable(face.before for face in faces)):
        seen = [(face.before[name], face.after[name]) for face in faces if name in face.before]
        traits[name] = (*np.mean(seen, axis=0).tolist(), len(seen))
    change = mean_of([late - early for early, late in zip(before, after, strict=True)])
    height = float(np.median([face.height for face in faces]))
    return FacePass(height, mean_of(before), mean_of(after), change, traits)


def _reader_error(truths: Sequence[TruthRead]) -> ReaderError:
    return ReaderError(
        subject=mean_of([one.likeness for one in truths if one.is_subject]),
        others=mean_of([one.likeness for one in truths if not one.is_subject]),
        style=share_of(sum(one.style_read == one.style for one in truths), len(truths)),
        wrong=mean_of([_share(one.wrong.values()) for one in truths]),
    )


def _share(hits: Iterable[bool]) -> float:
    hits = list(hits)
    return sum(hits) / len(hits)
