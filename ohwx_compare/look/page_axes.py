"""The axes of a run for its page: their values, the prompts that they make, and which saves stand side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from ohwx_compare.core.experiment.axes import KINDS, CheckpointRef
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.judge.run.pictures import JudgedRun, judged_columns
from ohwx_compare.judge.run.trained import JudgedSave, trained_in
from ohwx_compare.words import counted

__all__ = ["axes_data", "filmstrip", "prompts_of"]

_MOST_TEXT = 1_000_000  # characters of all prompts on a page
_NEAR = 0.1  # of the number: saves as near as this stand in one column


def axes_data(run: Run) -> list[dict[str, Any]]:
    """Each axis: kind, title, and its values with their labels and, of checkpoints, hashes."""
    return [
        {"kind": axis.kind, "title": KINDS[axis.kind].title, "values": list(_values(run, i))}
        for i, axis in enumerate(run.experiment.axes)
    ]


def prompts_of(run: Run) -> dict[str, Any]:
    """`{"axes": [places], "texts": [[prompt, negative]]}`: which axes make the prompt, and all that they make of it.

    The texts stand in the order of the product of those axes. [] where they are too long for a page. A control's are
    left out: they name the class instead.
    """
    axes, control = run.experiment.axes, run.experiment.control
    at = next(i for i, axis in enumerate(axes) if axis.kind == "checkpoint")
    refs = axes[at].values
    first = next(i for i, ref in enumerate(refs) if control is None or ref != control.checkpoint)
    sizes = [1 if i == at else len(axis.values) for i, axis in enumerate(axes)]

    def text(chosen: Sequence[int]) -> list[str]:
        place = 0
        for size, value in zip(sizes, chosen, strict=True):
            place = place * size + value
        job = run.cells[first * prod(sizes) + place].cell.job
        return [job.prompt, job.negative]

    def varied(i: int) -> bool:
        texts = (text([value if j == i else 0 for j in range(len(axes))]) for value in range(sizes[i]))
        return len({tuple(each) for each in texts}) > 1

    telling = [i for i in range(len(axes)) if varied(i)]
    texts = [
        text([dict(zip(telling, chosen, strict=True)).get(i, 0) for i in range(len(axes))])
        for chosen in product(*(range(sizes[i]) for i in telling))
    ]
    is_short = sum(len(part) for pair in texts for part in pair) <= _MOST_TEXT
    return {"axes": telling, "texts": texts if is_short else []}


def filmstrip(run: Run) -> dict[str, Any]:
    """`{"columns": [label], "strips": [{"name", "values"}]}`: one strip a training, its saves under equal exposures.

    values: places in the checkpoint axis, None where a training has no save there.
    """
    columns = tuple(judged_columns(run))
    if not has_own_mark(run.folder / LEDGER_FILE):  # paths in a stranger's ledger are not looked at
        columns = tuple(replace(column, path=None) for column in columns)
    found = trained_in(JudgedRun(folder=run.folder, columns=columns, pictures=()))
    place = {str(ref): i for i, ref in enumerate(run.experiment.checkpoints)}
    trainings = [training for group in found.groups for training in group.trainings]
    names = [group.name for group in found.groups for _ in group.trainings]
    marks, rows = _aligned(trainings)
    strips = [
        {"name": name, "values": [None if save is None else place[save.checkpoint] for save in row]}
        for name, row in zip(names, rows, strict=True)
    ]
    bases = [{"name": "base", "values": [place[name]]} for name in found.bases if name in place]
    return {"columns": marks, "strips": [*strips, *bases]}


def _values(run: Run, at: int) -> Iterator[dict[str, Any]]:
    used = {row.ref: row.sha256 for row in run.checkpoints}
    for value, label in zip(run.experiment.axes[at].values, run.experiment.labels_of(at), strict=True):
        known = (used.get(str(value)) or value.short_hash) if isinstance(value, CheckpointRef) else None
        name = {"name": value.name} if isinstance(value, CheckpointRef) else {}
        yield {"label": label, "hash": known, **name}


def _aligned(trainings: Sequence[Sequence[JudgedSave]]) -> tuple[list[str], list[list[JudgedSave | None]]]:
    """Labels of the columns, and for each training its save or None in each.

    Of one unit, by the numbers; of different units and equal counts, in their order; else each by itself.
    """
    units = {save.unit for training in trainings for save in training}
    if len(units) > 1 and len({len(training) for training in trainings}) == 1:
        return [_label(save) for save in trainings[0]], [list(training) for training in trainings]
    stops: list[JudgedSave] = []
    for save in sorted((save for training in trainings for save in training), key=lambda save: save.number):
        if not stops or not _is_near(save, stops[-1]):
            stops.append(save)
    rows = [
        [next((save for save in training if _is_near(save, stop)), None) for stop in stops] for training in trainings
    ]
    return [_label(stop) for stop in stops], rows


def _is_near(save: JudgedSave, stop: JudgedSave) -> bool:
    return save.unit == stop.unit and abs(save.number - stop.number) <= _NEAR * stop.number


def _label(save: JudgedSave) -> str:
    return counted(round(save.number), save.unit) if save.unit else ""
