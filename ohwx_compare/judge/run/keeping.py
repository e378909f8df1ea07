"""Which checkpoints to keep, for any weight of likeness against style, and which of them were shown the least."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.keep import keep_set
from ohwx_compare.judge.measure import LIKENESS, STYLE_KEPT
from ohwx_compare.judge.run.table import MeasureTable
from ohwx_compare.judge.run.trained import JudgedSave

__all__ = ["EVEN", "KeptAt", "keep_sets"]

EVEN = 0.5  # of the weight of style: as much as likeness
_WEIGHTS = tuple(step / 10 for step in range(11))


@dataclass(frozen=True, kw_only=True)
class KeptAt:
    """The keep set at one weight: no other save is better than any of these by more than chance."""

    style: float  # the weight of style, 0 to 1; that of likeness is the rest
    saves: tuple[JudgedSave, ...]
    score: float  # of a save chosen by it, on styles that had no say in the choice

    @property
    def earliest(self) -> tuple[JudgedSave, ...]:
        """Those of the fewest exposures; of saves that count in different units none is earlier."""
        if len({save.unit for save in self.saves}) > 1:
            return self.saves
        least = min(save.number for save in self.saves)
        return tuple(save for save in self.saves if save.number == least)


def keep_sets(saves: Sequence[JudgedSave], tables: Mapping[str, MeasureTable]) -> tuple[KeptAt, ...]:
    """The keep set at each weight from all likeness to all style; of one measure alone, at its end.

    A style without a scale of likeness counts for style alone only where likeness has no weight. () where neither
    measure can tell.
    """
    there = [tables[name] for name in (LIKENESS, STYLE_KEPT) if name in tables and _tells(tables[name], saves)]
    if not there or len(saves) < 2:
        return ()
    if len(there) == 1:
        weights: Sequence[float] = (0.0 if there[0].scored.measure.name == LIKENESS else 1.0,)
    else:
        weights = _WEIGHTS
    found = []
    for weight in weights:
        parts = [(1 - weight, tables.get(LIKENESS)), (weight, tables.get(STYLE_KEPT))]
        used = [(share, table) for share, table in parts if share > 0 and table is not None]
        scores = [np.add.reduce([share * table.of(save.checkpoint) for share, table in used]) for save in saves]
        with suppress(ExperimentError):
            kept = keep_set(np.stack(scores))
            found.append(KeptAt(style=weight, saves=tuple(saves[i] for i in kept.places), score=kept.score))
    return tuple(found)


def _tells(table: MeasureTable, saves: Sequence[JudgedSave]) -> bool:
    return any(not np.isnan(table.of(save.checkpoint)).all() for save in saves)
