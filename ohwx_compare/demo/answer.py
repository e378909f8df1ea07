"""From readings to the answer: each checkpoint's numbers, the differences between the arms, and which to keep.

Arms are compared picture by picture: the same prompt and seed at the same exposures. The statistics are those of every
comparison (`judge/`): the style is the unit, exposures and seeds are averaged inside it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.demo.readings import PictureRead, Readings, TruthRead
from ohwx_compare.demo.sizes import ARMS, Trained
from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.effects import Effect, effect, mean_where
from ohwx_compare.judge.factorial import Contrast, factorial
from ohwx_compare.judge.intervals import Estimate, mean_of, share_of
from ohwx_compare.judge.keep import keep_set
from ohwx_compare.judge.many import Screened, screen
from ohwx_compare.judge.matching import Matched, match
from ohwx_compare.judge.seeds import other_seeds
from ohwx_compare.judge.verdict import Verdict, verdict
from ohwx_compare.toy.styles import PHOTO

__all__ = ["MEASURES", "Answer", "Difference", "FacePass", "Keep", "Measure", "Point", "ReaderError", "answer"]


@dataclass(frozen=True)
class Measure:
    """One thing that is measured of a picture, 0 to 1."""

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
    """One checkpoint in numbers: an effect for each of `MEASURES`, its interval cut to 0..1."""

    trained: Trained
    values: Mapping[str, Effect]


@dataclass(frozen=True)
class Difference:
    """With minus without regularization images: at each exposures, and over all of them, with what that says."""

    at: Mapping[int, Effect]
    pooled: Effect
    wider: Effect | None  # the same with other seeds too, where that matters
    verdict: Verdict
    contrasts: tuple[Contrast, ...]  # regularization x exposures x face pass


@dataclass(frozen=True)
class Keep:
    """The saves that nothing tells from the best, by likeness in the style asked for: a picture in another counts 0."""

    saves: tuple[Trained, ...]
    score: float  # of a save chosen by it, on styles that had no say in the choice

    @property
    def earliest(self) -> tuple[Trained, ...]:
        """Those of least exposures, of one arm or both."""
        least = min(one.exposures for one in self.saves)
        return tuple(one for one in self.saves if one.exposures == least)


@dataclass(frozen=True)
class FacePass:
    """The faces redrawn in small pictures: the share of their traits that is read wrong inside the box."""

    faces: int
    height: float  # of the boxes, px, their median
    before: float
    after: float
    change: Effect
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
    rises: Mapping[str, Mapping[str, Effect]]  # arm -> measure -> last save minus base
    differences: Mapping[str, Difference]  # by measure
    matched: Matched  # likeness, all exposures: where both arms drew the style asked for
    screened: tuple[Screened | None, ...]  # likeness, style by style, in the order of `matched.styles`
    keep: Keep
    faces: FacePass | None  # None where too few faces were redrawn
    reader: ReaderError


def answer(readings: Readings) -> Answer:
    """Compute the answer; every checkpoint needs all its pictures."""
    saves = sorted({p.trained for p in readings.subject}, key=lambda one: (one.exposures, one.arm or ""))
    base = next(one for one in saves if one.arm is None)
    arms = {arm: tuple(one for one in saves if one.arm == arm) for arm in ARMS}
    tables = {name: _table(measure, readings, saves) for name, measure in MEASURES.items()}
    points = {one: Point(one, {name: _level(table[one]) for name, table in tables.items()}) for one in saves}
    return Answer(
        base=points[base],
        arms={arm: tuple(points[one] for one in own) for arm, own in arms.items()},
        rises={
            arm: {name: effect(table[own[-1]] - table[base]) for name, table in tables.items()}
            for arm, own in arms.items()
        },
        differences={name: _difference(MEASURES[name], readings, table, arms) for name, table in tables.items()},
        matched=_matched(readings, tables["likeness"], arms),
        screened=screen(mean_where(_pairs(tables["likeness"], arms), 0)),
        keep=_keep(readings, [one for one in saves if one.arm]),
        faces=_face_pass(readings.small),
        reader=_reader_error(readings.truths),
    )


Table = Mapping[Trained, NDArray[np.float64]]  # (styles, seeds) of each save


def _table(measure: Measure, readings: Readings, saves: Sequence[Trained]) -> Table:
    pictures = readings.drift if measure.of_class else readings.subject
    return _values(measure.value, filter(measure.counts, pictures), saves)


def _values(value: Callable[[PictureRead], float], pictures: Iterable[PictureRead], saves: Sequence[Trained]) -> Table:
    pictures = list(pictures)
    styles = list(dict.fromkeys(picture.style for picture in pictures))
    seeds = list(dict.fromkeys(picture.seed for picture in pictures))
    table = {one: np.full((len(styles), len(seeds)), np.nan) for one in saves}
    for picture in pictures:
        if picture.trained in table:
            table[picture.trained][styles.index(picture.style), seeds.index(picture.seed)] = value(picture)
    return table


def _level(values: NDArray[np.float64]) -> Effect:
    found = effect(values)
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def _pairs(table: Table, arms: Mapping[str, Sequence[Trained]]) -> NDArray[np.float64]:
    """With minus without, (E, K, M)."""
    return np.stack([table[one] - table[other] for one, other in zip(arms["reg"], arms["no-reg"], strict=True)])


def _difference(
    measure: Measure, readings: Readings, table: Table, arms: Mapping[str, Sequence[Trained]]
) -> Difference:
    pairs, exposures = _pairs(table, arms), [one.exposures for one in arms["reg"]]
    pooled, wider = effect(mean_where(pairs, 0)), other_seeds(mean_where(pairs, 0))
    passes = [table]
    if not measure.of_class and any(picture.before for picture in readings.subject):
        passes.insert(0, _table(measure, replace(readings, subject=tuple(map(_before, readings.subject))), list(table)))
    cells = [[[one[save] for one in passes] for save in arms[arm]] for arm in ARMS]
    return Difference(
        at={each: effect(values) for each, values in zip(exposures, pairs, strict=True)},
        pooled=pooled,
        wider=wider,
        verdict=verdict(pooled, is_share=measure.is_share, wider=wider),
        contrasts=factorial(cells, exposures),
    )


def _before(picture: PictureRead) -> PictureRead:
    """As it was before its face pass, which may have left it alone."""
    seen = picture.before
    return replace(picture, likeness=seen.likeness, style_read=seen.style_read) if seen else picture


def _matched(readings: Readings, likeness: Table, arms: Mapping[str, Sequence[Trained]]) -> Matched:
    table = _values(MEASURES["style"].value, readings.subject, list(likeness))  # of photographs too
    kept = {arm: np.stack([table[one] for one in own], 2) == 1 for arm, own in arms.items()}
    styles = list(dict.fromkeys(picture.style for picture in readings.subject))
    return match(styles, _pairs(likeness, arms).transpose(1, 2, 0), kept["no-reg"], kept["reg"])


def _keep(readings: Readings, saves: Sequence[Trained]) -> Keep:
    table = _values(lambda picture: picture.likeness * MEASURES["style"].value(picture), readings.subject, saves)
    found = keep_set([table[one] for one in saves])
    return Keep(tuple(saves[place] for place in found.places), found.score)


def _face_pass(pictures: Sequence[PictureRead]) -> FacePass | None:
    faces = [picture.face for picture in pictures if picture.face]
    saves = list(dict.fromkeys(picture.trained for picture in pictures))
    change = _values(_changed, (picture for picture in pictures if picture.face), saves)
    try:
        found = effect(mean_where(np.stack([change[one] for one in saves]), 0)) if faces else None
    except ExperimentError:  # too few faces
        found = None
    if found is None:
        return None
    traits = {}
    for name in dict.fromkeys(chain.from_iterable(face.before for face in faces)):
        seen = [(face.before[name], face.after[name]) for face in faces if name in face.before]
        traits[name] = (_share(early for early, _ in seen), _share(late for _, late in seen), len(seen))
    return FacePass(
        faces=len(faces),
        height=float(np.median([face.height for face in faces])),
        before=float(np.mean([_share(face.before.values()) for face in faces])),
        after=float(np.mean([_share(face.after.values()) for face in faces])),
        change=found,
        traits=traits,
    )


def _changed(picture: PictureRead) -> float:
    face = picture.face
    return _share(face.after.values()) - _share(face.before.values()) if face else 0.0


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
