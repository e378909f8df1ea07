"""Whose checkpoints they are: which training saved each, after how many exposures, and which one is the base.

A checkpoint that our trainer saved carries the record of its training. Of any other the name tells: files that differ
in the number of the epoch or step alone are saves of one training.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ohwx_compare.core.experiment.groups import save_name
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.json_file import json_text, parse_json
from ohwx_compare.files.listing import list_checkpoints
from ohwx_compare.judge.run.pictures import JudgedColumn, JudgedRun

__all__ = ["JudgedSave", "SaveGroup", "SavePairs", "TrainedSaves", "pair_saves", "trained_in"]

_OWN = ("seed", "name", "output", "epochs", "max_steps", "save_every_epochs", "keep_last")  # of one training alone
_NEAR = 0.1  # of the exposures: saves as near as this are compared with each other


@dataclass(frozen=True, kw_only=True)
class JudgedSave:
    """A checkpoint that a training saved."""

    checkpoint: str  # the name of its column
    label: str
    training: str  # the training that saved it
    number: float  # exposures, else epochs or steps by its name
    unit: str  # "exposure", "epoch", "step", or "" where nothing tells


@dataclass(frozen=True, kw_only=True)
class SaveGroup:
    """The saves of one recipe, of one training or of several."""

    name: str  # "with regularization images", else the training's name
    trainings: tuple[tuple[JudgedSave, ...], ...]  # each by its numbers
    has_reg: bool | None = None  # None where no record tells

    @property
    def saves(self) -> tuple[JudgedSave, ...]:
        """All of them."""
        return tuple(save for training in self.trainings for save in training)


@dataclass(frozen=True, kw_only=True)
class TrainedSaves:
    """Who is who in a run."""

    bases: tuple[str, ...]  # names of the columns that the base drew: the control's, or one among the checkpoints
    groups: tuple[SaveGroup, ...]
    class_token: str = ""  # "ohwx man" by the records, "" without one
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SavePairs:
    """Saves of two groups' trainings side by side, at about the same exposures."""

    numbers: tuple[float, ...]  # of the first group's
    unit: str
    first: tuple[tuple[JudgedSave, ...], ...]  # of each training, one for each number
    second: tuple[tuple[JudgedSave, ...], ...]
    notes: tuple[str, ...] = ()


def trained_in(run: JudgedRun, base_sha256: str = "", checkpoints: Path | None = None) -> TrainedSaves:
    """Read the records where the files still lie, or below the folder `checkpoints`; else the names.

    base_sha256: of the base, which may be among the checkpoints.
    """
    records = {column.name: _record(_file_of(column, checkpoints)) for column in run.columns}
    told = {str(record["base_sha256"]) for record in records.values() if "base_sha256" in record}
    known = (told | {base_sha256}) - {""}
    bases = [c.name for c in run.columns if c.is_control or (c.sha256 and any(k.startswith(c.sha256) for k in known))]
    others = [column for column in run.columns if column.name not in bases]
    captions = {str(each) for record in records.values() for each in _list(record.get("captions"))}
    found: dict[str, dict[str, list[JudgedSave]]] = {}
    regs: dict[str, bool | None] = {}
    for column in others:
        record = records[column.name]
        recipe, save = _recipe(record, column), _save(record, column)
        found.setdefault(recipe, {}).setdefault(save.training, []).append(save)
        regs[recipe] = bool(record["recipe"].get("reg")) if record else None
    groups = [_group(trainings, regs[recipe]) for recipe, trainings in found.items()]
    notes = [*_unplaced(groups)]
    return TrainedSaves(
        bases=tuple(bases), groups=tuple(_named(sorted(groups, key=lambda group: bool(group.has_reg)))),
        class_token=_class_token(captions), notes=tuple(notes),
    )  # fmt: skip


def pair_saves(first: SaveGroup, second: SaveGroup) -> SavePairs | None:
    """Which saves stand at about the same exposures; else, of equal counts, in their order. None where nothing does."""
    a, notes = first.trainings[0], []
    rows = [_row(a, other) for other in (*first.trainings, *second.trainings)]
    places = [i for i in range(len(a)) if all(row[i] is not None for row in rows)]
    if not places and all(len(other) == len(a) for other in (*first.trainings, *second.trainings)):
        rows, places = [list(other) for other in (*first.trainings, *second.trainings)], list(range(len(a)))
        notes = ["The saves count in different units, so they are compared in their order."] if len(a) > 1 else []
    if not places:
        return None
    if left := sum(len(each) - len(places) for each in (*first.trainings, *second.trainings)):
        notes.append(f"{left} of the saves have no counterpart at about the same number and are not compared.")
    chosen = [tuple(save for i in places if (save := row[i])) for row in rows]
    return SavePairs(
        numbers=tuple(a[i].number for i in places), unit=a[0].unit, notes=tuple(notes),
        first=tuple(chosen[: len(first.trainings)]), second=tuple(chosen[len(first.trainings) :]),
    )  # fmt: skip


def _file_of(column: JudgedColumn, folder: Path | None) -> Path | None:
    if column.path and column.path.is_file():
        return column.path
    if folder is None:
        return None
    names = [n for n in list_checkpoints(folder) if Path(n).stem == column.label or n == column.name]
    return folder / names[0] if names else None


def _record(path: Path | None) -> dict[str, Any]:
    """What our trainer wrote into the file; {} for any other."""
    if path is None:
        return {}
    with suppress(CheckpointError, KeyError, ValueError, OSError):
        record = parse_json(read_header(path).metadata["ohwx.training"])
        if isinstance(record, dict) and isinstance(record.get("recipe"), dict) and _is_number(record.get("exposures")):
            return record
    return {}


def _recipe(record: Mapping[str, Any], column: JudgedColumn) -> str:
    """The same text for trainings that differ by chance alone."""
    if not record:
        return save_name(column.name.partition(" [")[0]).run
    return json_text({key: value for key, value in record["recipe"].items() if key not in _OWN})


def _save(record: Mapping[str, Any], column: JudgedColumn) -> JudgedSave:
    if record:
        training = f"{record['recipe'].get('name') or 'training'} {record['recipe'].get('seed', 0)}"
        number, unit = float(record["exposures"]), "exposure"
    else:
        name = save_name(column.name.partition(" [")[0])
        training, number, unit = name.run, float(name.number), name.unit
    return JudgedSave(checkpoint=column.name, label=column.label, training=training, number=number, unit=unit)


def _group(trainings: Mapping[str, Sequence[JudgedSave]], has_reg: bool | None) -> SaveGroup:
    ordered = tuple(tuple(_numbered(saves)) for saves in trainings.values())
    return SaveGroup(name=next(iter(trainings)).rpartition("/")[2], trainings=ordered, has_reg=has_reg)


def _numbered(saves: Iterable[JudgedSave]) -> Iterator[JudgedSave]:
    """By number; a final save, whose name has none, is as far behind the last as that is behind the one before."""
    saves = list(saves)
    known = sorted((save for save in saves if save.unit), key=lambda save: save.number)
    yield from known
    step = known[-1].number - (known[-2].number if len(known) > 1 else 0) if known else 0.0
    for save in saves:
        if not save.unit:
            yield replace(save, number=known[-1].number + step, unit=known[-1].unit) if known else save


def _named(groups: Sequence[SaveGroup]) -> Iterator[SaveGroup]:
    """Two recipes, one with and one without regularization images, are called by that."""
    is_the_question = sorted(str(group.has_reg) for group in groups) == ["False", "True"]
    for group in groups:
        name = ("with" if group.has_reg else "without") + " regularization images"
        yield replace(group, name=name) if is_the_question else group


def _unplaced(groups: Sequence[SaveGroup]) -> Iterator[str]:
    if any(not save.unit for group in groups for save in group.saves if len(group.saves) > 1):
        yield "Some checkpoints say neither their exposures nor a number of epochs or steps."


def _row(wanted: Sequence[JudgedSave], there: Sequence[JudgedSave]) -> list[JudgedSave | None]:
    """For each wanted save the nearest one of the same unit, if it is near."""
    row: list[JudgedSave | None] = []
    for save in wanted:
        same = [each for each in there if each.unit == save.unit]
        nearest = min(same, key=lambda each: abs(each.number - save.number), default=None)
        is_near = nearest is not None and abs(nearest.number - save.number) <= _NEAR * save.number
        row.append(nearest if is_near else None)
    return row


def _class_token(captions: Iterable[str]) -> str:
    """The caption of all pictures, where it is one of two words or more, as a folder of Kohya's names it; else ""."""
    only, *others = [*captions, ""]
    return only if not any(others) and len(only.split()) > 1 else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
