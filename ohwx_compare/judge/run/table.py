"""Scores laid out as the statistics take them: a value for each style and repeat of a checkpoint; NaN is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.judge.measure import MEASURED, DistanceMeasure, Score, SeedMeasure
from ohwx_compare.judge.run.pictures import JudgedPicture
from ohwx_compare.judge.run.scoring import MeasureScores
from ohwx_compare.judge.style_scale import StyleScale, style_scale

__all__ = ["MeasureTable", "measure_table"]

_NO_FILTER = "no filter here imitates this style, so nothing says how alike a picture of it can be"


@dataclass(frozen=True, eq=False)
class MeasureTable:
    """One measure's values of all checkpoints."""

    scored: MeasureScores
    scales: Mapping[str, StyleScale]  # by style, of a measure of distances; else empty
    by_strangers: frozenset[str]  # styles whose floor is photographs of others, for want of the base's pictures

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """Every style that the measure is asked of."""
        return tuple(dict.fromkeys(each.style for each in self.scored.scores))

    @cached_property
    def repeats(self) -> tuple[tuple[str, ...], ...]:
        """What each style is repeated by."""
        return tuple(dict.fromkeys(each.repeat for each in self.scored.scores))

    @property
    def refused(self) -> dict[str, str]:
        """Styles without a scale, and why."""
        return {style: scale.refusal for style, scale in self.scales.items() if scale.refusal}

    def of(self, checkpoint: str, *, is_last: bool = True) -> NDArray[np.float64]:
        """(K, M) of a checkpoint: its last pictures, or as they were before their face pass, if there was any."""
        return self._values[checkpoint, is_last] if (checkpoint, is_last) in self._values else self._empty()

    def value(self, picture: JudgedPicture) -> float:
        """One picture's; NaN where it has none."""
        score = self.scored.scores.get(picture)
        if score is None or score.value is None:
            return float("nan")
        if picture.style not in self.scales:
            return score.value
        found = self.scales[picture.style].of(score.value)
        return float("nan") if found is None else found

    @cached_property
    def _values(self) -> dict[tuple[str, bool], NDArray[np.float64]]:
        style = {name: i for i, name in enumerate(self.styles)}
        repeat = {name: i for i, name in enumerate(self.repeats)}
        found: dict[tuple[str, bool], NDArray[np.float64]] = {}
        by_pass = sorted(self.scored.scores, key=lambda each: not each.is_last)
        for each in by_pass:  # a picture that its face pass left alone stands in both
            for is_last in {each.is_last, False}:
                into = found.setdefault((each.checkpoint, is_last), self._empty())
                into[style[each.style], repeat[each.repeat]] = self.value(each)
        return found

    def _empty(self) -> NDArray[np.float64]:
        return np.full((len(self.styles), len(self.repeats)), np.nan)


def measure_table(scored: MeasureScores, bases: Sequence[str]) -> MeasureTable:
    """Lay out a measure's scores; those of a measure of distances on each style's own scale.

    The floor of a style is what the base's pictures of it score, else photographs of others through its filter.
    """
    measure = scored.measure
    if isinstance(measure, SeedMeasure):
        return MeasureTable(_among(scored, measure, bases), {}, frozenset())
    if not isinstance(measure, DistanceMeasure):
        return MeasureTable(scored, {}, frozenset())
    scales: dict[str, StyleScale] = {}
    by_strangers: set[str] = set()
    for style in dict.fromkeys(each.style for each in scored.scores):
        floor = [
            score.value
            for each, score in scored.scores.items()
            if each.style == style and each.checkpoint in bases and each.is_last and score.value is not None
        ]
        ceiling = measure.ceiling(style)
        if ceiling is None:
            nothing = float("nan")
            scales[style] = StyleScale(floor=nothing, ceiling=nothing, apart=nothing, refusal=_NO_FILTER)
            continue
        if not bases:
            floor = list(measure.strangers(style))
            by_strangers |= {style} if floor else set()
        scales[style] = style_scale(floor, ceiling)
    return MeasureTable(scored, scales, frozenset(by_strangers))


def _among(scored: MeasureScores, measure: SeedMeasure, bases: Sequence[str]) -> MeasureScores:
    """The scores with each picture's number among the seeds of its checkpoint and style, as a share of the base's."""
    groups: dict[tuple[str, str, bool, tuple[str, ...]], list[JudgedPicture]] = {}
    for each, score in scored.scores.items():
        if score.outcome == MEASURED:
            groups.setdefault((each.checkpoint, each.style, each.is_last, each.variant), []).append(each)
    values = {place: measure.among([scored.scores[each] for each in own]) for place, own in groups.items()}
    levels = [np.nanmean(v) for place, v in values.items() if place[0] in bases or not bases if not np.isnan(v).all()]
    unit = float(np.mean(levels)) if levels else 0.0
    found: dict[JudgedPicture, Score] = dict(scored.scores)
    for place, own in groups.items():
        for each, value in zip(own, values[place], strict=True):
            number = float(value / unit) if unit > 0 else float("nan")
            found[each] = replace(scored.scores[each], value=None if np.isnan(number) else number)
    return replace(scored, scores=found)
