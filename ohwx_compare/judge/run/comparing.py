"""Two trainings' saves, or two saves of one, held against each other by one measure after the other."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.effects import Effect, Unit, effect, mean_where
from ohwx_compare.judge.factorial import Contrast, factorial
from ohwx_compare.judge.many import Screened, screen
from ohwx_compare.judge.matching import Matched, match
from ohwx_compare.judge.measure import LIKENESS, STYLE_KEPT
from ohwx_compare.judge.planner import Design, designs, spread_of
from ohwx_compare.judge.run.table import MeasureTable
from ohwx_compare.judge.run.trained import JudgedSave, SaveGroup, SavePairs, pair_saves
from ohwx_compare.judge.seeds import other_seeds
from ohwx_compare.judge.style_kept import PHOTOGRAPH
from ohwx_compare.judge.trainings import compare_trainings
from ohwx_compare.judge.verdict import verdict
from ohwx_compare.judge.words import Clause
from ohwx_compare.words import counted

__all__ = ["Comparison", "MeasureComparison", "StyleEffect", "compare_measures", "comparisons_of"]

_KEPT = 0.5  # of the measure of style: from here on the style was drawn
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is held against what: second minus first."""

    first: str
    second: str
    factor: str  # what they differ in, as a planned contrast is called
    pairs: SavePairs
    course: tuple[JudgedSave, ...] = ()  # all saves of the one training, where it is held against itself

    @property
    def trainings(self) -> tuple[int, int]:
        """Trainings of each."""
        return len(self.pairs.first), len(self.pairs.second)


@dataclass(frozen=True, kw_only=True)
class StyleEffect:
    """One style's own effect, all exposures together; exploratory."""

    style: str
    effect: Effect | None  # None where there is too little
    is_found: bool = False  # by the screen of all styles


@dataclass(frozen=True, kw_only=True)
class MeasureComparison:
    """A comparison by one measure."""

    name: str  # the measure's
    clause: Clause | None  # None where nothing can be told, and then `why`
    why: str = ""
    at: Mapping[float, Effect | None]  # by exposures
    contrasts: tuple[Contrast, ...] = ()
    styles: tuple[StyleEffect, ...] = ()
    matched: Matched | None = None  # of likeness, where a measure tells whether the style was kept
    designs: tuple[Design, ...] = ()  # that would find a difference of the band


def comparisons_of(groups: Sequence[SaveGroup]) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """What can be compared: every other recipe with the first one; where no two can, each one's last save with its
    first. And a note for each pair that cannot.
    """
    found: list[Comparison] = []
    notes: list[str] = []
    for group in groups[1:]:
        pairs = pair_saves(groups[0], group)
        if pairs is None:
            notes.append(f"{group.name} and {groups[0].name} have no saves at about the same exposures.")
            continue
        notes += pairs.notes
        factor = "regularization" if group.has_reg != groups[0].has_reg else group.name
        found.append(Comparison(first=groups[0].name, second=group.name, factor=factor, pairs=pairs))
    return tuple(found or chain.from_iterable(map(_within, groups))), tuple(dict.fromkeys(notes))


def compare_measures(
    comparison: Comparison, tables: Mapping[str, MeasureTable], band: float, *, has_face_pass: bool
) -> tuple[MeasureComparison, ...]:
    """The comparison by each measure, in the order of `tables`."""
    kept = tables.get(STYLE_KEPT)
    return tuple(_compared(comparison, table, kept, band, has_face_pass) for table in tables.values())


def _within(group: SaveGroup) -> Sequence[Comparison]:
    """The last save against the first, of the first training with several."""
    for saves in group.trainings:
        if len(saves) > 1:
            first, last = saves[0], saves[-1]
            pairs = SavePairs(numbers=(last.number,), unit=last.unit, first=((first,),), second=((last,),))
            names = [counted(round(each.number), each.unit) if each.unit else each.label for each in (first, last)]
            return [Comparison(first=names[0], second=names[1], factor="exposures", pairs=pairs, course=saves)]
    return []


def _compared(
    comparison: Comparison, table: MeasureTable, kept: MeasureTable | None, band: float, has_face_pass: bool
) -> MeasureComparison:
    measure, pairs = table.scored.measure, comparison.pairs
    first, second = (_stacked(table, trainings) for trainings in (pairs.first, pairs.second))  # (R, E, K, M)
    each = mean_where(second, 0) - mean_where(first, 0)  # (E, K, M)
    pooled = mean_where(each, 0)
    at = {number: _effect(values) for number, values in zip(pairs.numbers, each, strict=True)}
    try:
        found = compare_trainings(mean_where(first, 1), mean_where(second, 1))
    except ExperimentError as error:
        return MeasureComparison(name=measure.name, clause=None, why=_why(table, error), at=at)
    wider = None if found.unit is Unit.TRAINING else other_seeds(pooled)
    words = measure.words
    clause = Clause(
        subject=words.subject, more=words.more, less=words.less, effect=found, wider=wider,
        verdict=verdict(found, band, is_share=words.is_share, wider=wider),
    )  # fmt: skip
    is_alone = comparison.trainings == (1, 1)
    return MeasureComparison(
        name=measure.name, clause=clause, at=at, styles=tuple(_styles(table.styles, pooled)),
        contrasts=_contrasts(comparison, table, has_face_pass) if is_alone else (),
        matched=_matched(comparison, table, kept, each) if kept and measure.name == LIKENESS else None,
        designs=_designs(pooled, band),
    )  # fmt: skip


def _stacked(table: MeasureTable, trainings: Sequence[Sequence[JudgedSave]], *, is_last: bool = True) -> Values:
    return np.stack([np.stack([table.of(one.checkpoint, is_last=is_last) for one in saves]) for saves in trainings])


def _effect(values: Values) -> Effect | None:
    with suppress(ExperimentError):
        return effect(values)
    return None


def _why(table: MeasureTable, error: ExperimentError) -> str:
    refused = len(table.refused)
    if refused and refused == len(table.styles):
        return "refused in this style" if refused == 1 else f"refused in all {counted(refused, 'style')}"
    return str(error)


def _styles(styles: Sequence[str], pooled: Values) -> Sequence[StyleEffect]:
    screened: Sequence[Screened | None] = screen(pooled)
    return [
        StyleEffect(style=style, effect=_effect(values[None]), is_found=bool(found and found.is_found))
        for style, values, found in zip(styles, pooled, screened, strict=True)
    ]


def _contrasts(comparison: Comparison, table: MeasureTable, has_face_pass: bool) -> tuple[Contrast, ...]:
    """Planned contrasts of two recipes' saves, or of one recipe's by its face pass."""
    passes = (False, True) if has_face_pass else (True,)
    sides = [comparison.course] if comparison.course else [comparison.pairs.first[0], comparison.pairs.second[0]]
    numbers = [each.number for each in sides[0]]
    cells = np.stack([np.stack([_stacked(table, (own,), is_last=last)[0] for last in passes], 1) for own in sides])
    with suppress(ExperimentError):
        return factorial(cells, numbers, comparison.factor)
    return ()


def _matched(comparison: Comparison, table: MeasureTable, kept: MeasureTable, each: Values) -> Matched | None:
    """Likeness where both drew the style asked for; with several trainings of each the first ones."""
    places = [kept.styles.index(style) for style in table.styles if style in kept.styles]
    if len(places) < len(table.styles) or kept.repeats != table.repeats:
        return None
    sides = (comparison.pairs.first, comparison.pairs.second)
    photographs = [all(score.outcome == PHOTOGRAPH for each, score in kept.scored.scores.items() if each.style == style)
                   for style in table.styles]  # fmt: skip
    is_free = np.array(photographs)[:, None]  # a photograph has no style to lose
    is_kept = [is_free | (_stacked(kept, side[:1])[0][:, places] >= _KEPT) for side in sides]
    with suppress(ExperimentError):
        first, second = (one.transpose(1, 2, 0) for one in is_kept)
        return match(table.styles, each.transpose(1, 2, 0), first, second)
    return None


def _designs(pooled: Values, band: float) -> tuple[Design, ...]:
    with suppress(ExperimentError):
        return designs(spread_of(pooled), band)
    return ()
