"""Which styles a checkpoint still draws, once a run is judged: what may stay in its styles.csv."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.errors import MeasureError
from ohwx_compare.files.styles import write_styles
from ohwx_compare.judge.measure import STYLE_KEPT
from ohwx_compare.judge.run.judgement import Judgement

__all__ = ["styles_still_drawn", "write_still_drawn"]


def styles_still_drawn(found: Judgement, axes: tuple[Axis, ...]) -> Mapping[str, tuple[Style, ...]]:
    """By the checkpoint's label the styles of the run's axis that half of its pictures or more show.

    A style whose pictures could not be measured is in none. Raises MeasureError where the run has no axis of styles, or
    nothing measured whether they were kept.
    """
    axis = next((axis for axis in axes if axis.kind == "styles"), None)
    table = found.tables.get(STYLE_KEPT)
    if axis is None or table is None:
        what = "no axis of styles" if axis is None else "no measure of the style kept; it takes pictures of the base"
        raise MeasureError(f"The styles that a checkpoint still draws cannot be told: the run has {what}.")
    by_label = {label: value for label, value in zip(axis.labels, axis.values, strict=True) if len(value) == 1}
    kept: dict[str, tuple[Style, ...]] = {}
    for point in found.points:
        if point.save:
            values = table.of(point.name)
            shown = [s for s, own in zip(table.styles, values, strict=True) if not np.isnan(own).all()]
            kept[point.label] = tuple(by_label[s][0] for s in shown if s in by_label and s not in point.lost)
    return kept


def write_still_drawn(kept: Mapping[str, tuple[Style, ...]], folder: Path) -> tuple[Path, ...]:
    """One styles.csv for each checkpoint, "styles of NAME.csv". Raises ExperimentError where it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for label, styles in kept.items():
        written.append(folder / f"styles of {_plain(label)}.csv")
        write_styles(written[-1], styles)
    return tuple(written)


def _plain(label: str) -> str:
    """A label as a file's name on any system."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", label)
