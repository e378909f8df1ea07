"""An experiment: a base picture, what varies, and the cells that follow from it.

Cells are numbered from 1 in drawing order, which visits each checkpoint once: the checkpoint is the slowest axis,
the others keep their order. Adding a checkpoint at the end therefore renumbers nothing.
"""

from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, fields, replace
from difflib import get_close_matches
from itertools import product
from typing import Any, TypeVar, get_args

from ohwx_compare.core.axes import KINDS, Axis, CheckpointRef
from ohwx_compare.core.face import FaceSettings
from ohwx_compare.core.infotext import (
    Infotext,
    XyzAxis,
    faces,
    model,
    require_from_noise,
    require_supported,
    to_job,
    xyz,
)
from ohwx_compare.core.job import Job
from ohwx_compare.core.limits import require_valid
from ohwx_compare.core.prompt import strip_comments
from ohwx_compare.core.sampler_names import SAMPLERS, SCHEDULES, read_version, split_sampler
from ohwx_compare.errors import ExperimentError, UnsupportedKeyError

__all__ = ["Cell", "Experiment", "checkpoint_of"]

Settings = TypeVar("Settings", Job, FaceSettings)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One place of the grid: what is drawn there and how it is labelled."""

    number: int  # from 1, drawing order
    coordinates: tuple[int, ...]  # index into each axis' values, in the order of the experiment's axes
    labels: tuple[str, ...]  # one an axis
    checkpoint: CheckpointRef
    job: Job
    faces: tuple[FaceSettings, ...]  # () draws no face pass

    @property
    def label(self) -> str:
        """All labels on one line."""
        return ", ".join(self.labels)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A base job, its axes and its face pass. Raises ExperimentError for what cannot be drawn as written."""

    job: Job
    axes: tuple[Axis, ...] = ()  # at most one a kind, but for "prompt s/r"
    faces: tuple[FaceSettings, ...] = ()  # ADetailer's tabs in order; () draws no face pass
    columns: str = "checkpoint"  # the kind whose values are the columns of the grid; the rest are rows
    notes: tuple[str, ...] = ()  # what the reader of the result should know, in words

    def __post_init__(self) -> None:
        kinds = [axis.kind for axis in self.axes]
        twice = [kind for kind in set(kinds) if kinds.count(kind) > 1 and kind != "prompt s/r"]
        if twice:
            raise ExperimentError(f"The experiment has two {twice[0]!r} axes; put their values into one.")
        if self.columns not in KINDS:
            raise ExperimentError(f"No such axis for the columns: {self.columns!r}. Known: {', '.join(KINDS)}.")
        if not self.faces and {"face denoise", "face pass"} & set(kinds):
            raise ExperimentError("An axis varies the face pass, but the experiment has no face settings; add `faces`.")
        for job, tabs in dict.fromkeys(self._drawn()):
            require_valid(job)
            for tab in tabs:
                require_valid(tab)

    @property
    def checkpoints(self) -> tuple[CheckpointRef, ...]:
        """The checkpoints in the order of the grid; () while none is named."""
        return next((axis.values for axis in self.axes if axis.kind == "checkpoint"), ())

    @property
    def column_axis(self) -> int | None:
        """Index of the axis whose values are the columns: `columns`, else the first; None without axes."""
        kinds = [axis.kind for axis in self.axes]
        return kinds.index(self.columns) if self.columns in kinds else (0 if kinds else None)

    def with_checkpoints(self, refs: Iterable[CheckpointRef]) -> "Experiment":
        """The same experiment over other checkpoints; the axis keeps its place, or comes first."""
        axis = Axis("checkpoint", tuple(refs))
        if not self.checkpoints:
            return replace(self, axes=(axis, *self.axes))
        return replace(self, axes=tuple(axis if old.kind == "checkpoint" else old for old in self.axes))

    def as_typed(self) -> "Experiment":
        """What the webui makes of these settings when a user types them into it, for experiments written by hand.

        `#` comments are taken out of the prompts, and a schedule out of the sampler's name ("DPM++ 2M Karras"). Not for
        infotexts: those tell what is left, and a `#` in one was drawn (before 1.8 the webui knew no comments).
        """
        sampler, schedule = split_sampler(self.job.sampler, self.job.schedule, None)
        prompt, negative = strip_comments(self.job.prompt), strip_comments(self.job.negative)
        return replace(
            self,
            job=replace(self.job, prompt=prompt, negative=negative, sampler=sampler, schedule=schedule),
            axes=tuple(_typed(axis) for axis in self.axes),
            faces=tuple(map(_typed_face, self.faces)),
        )

    def cells(self) -> tuple[Cell, ...]:
        """All cells in drawing order. Raises ExperimentError without a checkpoint."""
        if not self.checkpoints:
            raise ExperimentError("The experiment names no checkpoint; add a checkpoint axis (or --all).")
        at = next(i for i, axis in enumerate(self.axes) if axis.kind == "checkpoint")
        everywhere = product(*(range(len(axis.values)) for axis in self.axes))
        order = sorted(everywhere, key=lambda coordinates: coordinates[at])  # stable: the other axes keep theirs
        return tuple(self._cell(number, coordinates) for number, coordinates in enumerate(order, 1))

    def to_dict(self) -> dict[str, Any]:
        """The experiment as JSON values; `from_dict` gives the same experiment back. Every setting is written."""
        return {
            "job": asdict(self.job),
            "axes": [axis.to_json() for axis in self.axes],
            "faces": [asdict(tab) for tab in self.faces],
            "columns": self.columns,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: Any) -> "Experiment":
        """Read an experiment file: `{"job": {...}, "axes": [{"kind": ..., "values": [...]}], "faces": [{...}]}`.

        `job` and each of `faces` take the fields of `Job` and `FaceSettings`, what is left out has their defaults;
        `columns` and `notes` may be left out too. Raises ExperimentError: an unknown name is answered with the nearest.
        """
        _known(data, ("job", "axes", "faces", "columns", "notes"), "the experiment")
        lists = {name: data.get(name, []) for name in ("axes", "faces", "notes")}
        for name, value in lists.items():
            if not isinstance(value, list):
                raise ExperimentError(f"`{name}` must be a list, got {value!r}.")
        for axis in lists["axes"]:
            _known(axis, ("kind", "values"), "an axis")
        return cls(
            job=_read(Job, data.get("job", {}), "job"),
            axes=tuple(Axis.read(str(axis.get("kind")), axis.get("values")) for axis in lists["axes"]),
            faces=tuple(_read(FaceSettings, tab, "faces") for tab in lists["faces"]),
            columns=str(data.get("columns", "checkpoint")),
            notes=tuple(map(str, lists["notes"])),
        )

    @classmethod
    def from_infotext(cls, infotext: Infotext) -> "Experiment":
        """The experiment that an infotext asks for: an X/Y/Z plot's axes, else one cell of its one checkpoint.

        X gives the columns. Raises UnsupportedKeyError for an axis or key that is not drawn yet, by name, and for
        img2img, InfotextError or ExperimentError for values that mean nothing.
        """
        require_supported(infotext)
        require_from_noise(infotext)
        plot = xyz(infotext)
        axes = tuple(_plotted(axis, infotext) for axis in (plot.axes if plot else ()))
        ref = checkpoint_of(infotext)
        if ref and not any(axis.kind == "checkpoint" for axis in axes):
            axes = (*axes, Axis("checkpoint", (ref,)))
        return cls(
            job=to_job(infotext),
            axes=axes,
            faces=faces(infotext),
            columns=axes[0].kind if plot and plot.x else "checkpoint",
        )

    def _cell(self, number: int, coordinates: tuple[int, ...]) -> Cell:
        job, faces = self._at(coordinates)
        chosen = [(axis.kind, axis.values[i]) for axis, i in zip(self.axes, coordinates, strict=True)]
        return Cell(
            number=number,
            coordinates=coordinates,
            labels=tuple(axis.labels[i] for axis, i in zip(self.axes, coordinates, strict=True)),
            checkpoint=dict(chosen)["checkpoint"],
            job=job,
            faces=faces,
        )

    def _at(self, coordinates: tuple[int, ...]) -> tuple[Job, tuple[FaceSettings, ...]]:
        job, faces = self.job, self.faces
        order = sorted(range(len(self.axes)), key=lambda i: list(KINDS).index(self.axes[i].kind))
        for i in order:
            axis = self.axes[i]
            job, faces = KINDS[axis.kind].apply(job, faces, axis.values[coordinates[i]], axis.values[0])
        return job, faces

    def _drawn(self) -> Iterable[tuple[Job, tuple[FaceSettings, ...]]]:
        ranges = (range(1 if axis.kind == "checkpoint" else len(axis.values)) for axis in self.axes)
        return map(self._at, product(*ranges))


def checkpoint_of(infotext: Infotext) -> CheckpointRef | None:
    """The checkpoint that drew a picture, called by its hash where the text tells no name; None where it tells none."""
    name, short_hash = model(infotext)
    return CheckpointRef(name or short_hash, short_hash and short_hash.lower()) if name or short_hash else None


def _typed(axis: Axis) -> Axis:
    if axis.kind != "prompt":
        return axis
    pairs = (
        replace(
            pair,
            prompt=strip_comments(pair.prompt),
            negative=None if pair.negative is None else strip_comments(pair.negative),
        )
        for pair in axis.values
    )
    return Axis("prompt", tuple(pairs))


def _typed_face(tab: FaceSettings) -> FaceSettings:
    if tab.sampler is None:
        return tab
    sampler, schedule = split_sampler(tab.sampler, tab.schedule, None)
    return replace(tab, sampler=sampler, schedule=tab.schedule if schedule == "Automatic" else schedule)


def _plotted(axis: XyzAxis, infotext: Infotext) -> Axis:
    kind = next((kind for kind in KINDS.values() if kind.xyz == axis.type), None)
    if kind is None:
        known = ", ".join(kind.xyz for kind in KINDS.values() if kind.xyz)
        raise UnsupportedKeyError(f"The X/Y/Z axis {axis.type!r} is not drawn yet; known: {known}.")
    values = list(axis.values)
    if kind.name == "sampler":  # what a bare name means depends on the webui that wrote it
        version, schedule = read_version(infotext.get("Version")), infotext.get("Schedule type")
        named = [split_sampler(name, schedule, version) for name in values]
        values = [" ".join(pair) for pair in named]
        _drawn_ones("sampler", [sampler for sampler, _ in named], SAMPLERS)
    if kind.name == "schedule":
        _drawn_ones("schedule", values, SCHEDULES)
    return Axis.read(kind.name, values)


def _drawn_ones(what: str, values: Iterable[str], known: Iterable[str]) -> None:
    other = [value for value in values if value not in known]
    if other:
        raise UnsupportedKeyError(f"The {what} {other[0]!r} is not drawn yet; known: {', '.join(known)}.")


def _known(data: Any, names: Iterable[str], what: str) -> None:
    if not isinstance(data, dict):
        raise ExperimentError(f"{what} must be a JSON object, got {data!r}.")
    for name in data:
        if name not in names:
            near = get_close_matches(str(name), names, 1, 0.0)[0]
            raise ExperimentError(f"{what} has no {name!r}; did you mean {near!r}? Known: {', '.join(names)}.")


def _read(kind: type[Settings], data: Any, what: str) -> Settings:
    """Build a flat dataclass from JSON, every name and type checked."""
    known = {field.name: field for field in fields(kind)}
    _known(data, tuple(known), what)
    missing = [name for name, field in known.items() if field.default is MISSING and name not in data]
    if missing:
        raise ExperimentError(f"{what} lacks {', '.join(missing)}.")
    values = dict(data)
    for name, value in data.items():
        allowed = get_args(known[name].type) or (known[name].type,)
        if type(value) is int and float in allowed:
            values[name] = float(value)
        elif type(value) not in allowed:
            names = " or ".join("null" if t is type(None) else t.__name__ for t in allowed)
            raise ExperimentError(f"{what}.{name} must be {names}, got {value!r}.")
    return kind(**values)
