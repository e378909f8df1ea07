"""Which cells of a run stand where: axes as columns and rows, the values that are shown, and the order of it all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ohwx_compare.core.experiment.axes import KINDS, Axis
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["Arrangement", "arranged", "axis_named", "divided", "values_named"]

_PROMPTS = ("prompt", "prompt s/r")


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Axes by their places in the experiment, the slowest first, and the cells' numbers from 1, line by line."""

    columns: tuple[int, ...]
    rows: tuple[int, ...]
    lines: tuple[tuple[int, ...], ...]  # all of one length

    @property
    def numbers(self) -> tuple[int, ...]:
        """The cells that are shown, line by line."""
        return tuple(number for line in self.lines for number in line)


def arranged(
    run: Run,
    columns: Sequence[int] = (),
    rows: Sequence[int] = (),
    shown: Mapping[int, Sequence[int]] | None = None,
    *,
    swap: bool = False,
) -> Arrangement:
    """The axes `columns` and `rows` there, others in further rows; axes that change the prompt vary slowest of these.

    columns: () takes the experiment's own; shown: which values of an axis, all where it is not named; swap: rows for
    columns. Raises ExperimentError for an axis in both, and where none is left for the columns.
    """
    axes = run.experiment.axes
    if both := set(columns) & set(rows):
        raise ExperimentError(f"The axis {axes[min(both)].kind!r} cannot be columns and rows at once; name it once.")
    across = tuple(columns) or (run.experiment.column_axis or 0,)
    if set(across) & set(rows):
        raise ExperimentError("No axis is left for the columns; name one.")
    rest = [i for i in range(len(axes)) if i not in (*across, *rows)]
    rest.sort(key=lambda i: axes[i].kind not in _PROMPTS)
    down = (*rows, *rest)
    if swap:
        across, down = tuple(i for i in down if len(axes[i].values) > 1) or down[:1], across
        down = (*down, *(i for i in range(len(axes)) if i not in (*across, *down)))
    chosen = [tuple((shown or {}).get(i, range(len(axis.values)))) for i, axis in enumerate(axes)]
    numbers = {cell.cell.coordinates: cell.cell.number for cell in run.cells}
    lines = []
    for low in product(*(chosen[i] for i in down)):
        at = dict(zip(down, low, strict=True))
        places = (at | dict(zip(across, high, strict=True)) for high in product(*(chosen[i] for i in across)))
        lines.append(tuple(numbers[tuple(place[i] for i in range(len(axes)))] for place in places))
    return Arrangement(columns=across, rows=down, lines=tuple(lines))


def divided(run: Run, whole: Arrangement, by: Sequence[int]) -> list[tuple[str, Arrangement]]:
    """One arrangement for each combination of values of the axes `by` that `whole` shows, with what it is called."""
    parts: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for line in whole.lines:
        groups: dict[tuple[int, ...], list[int]] = {}
        for number in line:
            at = run.cells[number - 1].cell.coordinates
            groups.setdefault(tuple(at[i] for i in by), []).append(number)
        for key, numbers in groups.items():
            parts.setdefault(key, []).append(tuple(numbers))
    labels = {i: run.experiment.labels_of(i) for i in by}
    return [
        (", ".join(labels[i][value] for i, value in zip(by, key, strict=True)), replace(whole, lines=tuple(lines)))
        for key, lines in parts.items()
    ]


def axis_named(experiment: Experiment, name: str) -> int:
    """The place of the axis of that kind or title. Raises ExperimentError with the nearest name."""
    wanted = " ".join(name.split()).casefold()
    for i, axis in enumerate(experiment.axes):
        if wanted in (axis.kind.casefold(), KINDS[axis.kind].title.casefold()):
            return i
    kinds = [axis.kind for axis in experiment.axes]
    raise ExperimentError(f"The run has no axis {quoted(name)}; {did_you_mean(name, kinds)}")


def values_named(axis: Axis, labels: Sequence[str], names: Iterable[str]) -> list[int]:
    """The places of the values that are called so, or whose labels hold a name, in the order of the axis.

    Raises ExperimentError for a name that none has.
    """
    found: set[int] = set()
    for name in names:
        called = [{label, str(KINDS[axis.kind].write(value))} for label, value in zip(labels, axis.values, strict=True)]
        exact = {i for i, own in enumerate(called) if name in own}
        held = {i for i, label in enumerate(labels) if name.casefold() in label.casefold()}
        if not (exact or held):
            raise ExperimentError(
                f"No value of the axis {axis.kind!r} is called {quoted(name)}; {did_you_mean(name, labels)}"
            )
        found |= exact or held
    return sorted(found)
