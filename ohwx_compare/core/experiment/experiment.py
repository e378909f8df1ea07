"""An experiment: a base picture, what varies, and the cells that follow from it.

Cells are numbered from 1 in the order of generation, which visits each checkpoint once: the checkpoint is the slowest
axis, the others keep their order. Adding a checkpoint at the end therefore renumbers nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from itertools import product
from math import prod
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from ohwx_compare.core.experiment.axes import KINDS, Axis, CheckpointRef, require_parts
from ohwx_compare.core.experiment.axis_text import given_axis
from ohwx_compare.core.experiment.control import Control
from ohwx_compare.core.experiment.key_text import completed
from ohwx_compare.core.experiment.kind import Applied
from ohwx_compare.core.experiment.plotted import axes_of, kept, plotted_axes, require_drawn_axis
from ohwx_compare.core.infotext.infotext import (
    Infotext,
    faces,
    model,
    notes_of,
    require_from_noise,
    require_supported,
    to_job,
    xyz,
)
from ohwx_compare.core.infotext.sampler_names import split_sampler
from ohwx_compare.core.prompt.parts import strip_comments
from ohwx_compare.core.prompt.styles import Style, known, styled, unstyled
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.errors import ExperimentError, InfotextError
from ohwx_compare.words import counted, did_you_mean, quoted

__all__ = ["Cell", "Experiment", "checkpoint_of"]

_MOST_CELLS = 50_000
_MOST_LETTERS = 50_000_000  # of all prompts: 1,000 for each of the most cells
_WORDS = MappingProxyType(
    {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}
)
Settings = TypeVar("Settings", Job, FaceSettings, Style)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One place of the grid: what is generated there and how it is labelled."""

    number: int  # from 1, drawing order
    coordinates: tuple[int, ...]  # index into each axis' values, in the order of the experiment's axes
    labels: tuple[str, ...]  # one an axis
    checkpoint: CheckpointRef
    job: Job
    faces: tuple[FaceSettings, ...]  # () draws no face pass
    digits: int = 4  # of all numbers of the experiment in file names, so that they sort
    is_control: bool = False  # the class is asked for in place of the subject

    @property
    def label(self) -> str:
        """All labels on one line."""
        return ", ".join(self.labels)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A base job, its axes and its face pass. Raises ExperimentError for what cannot be generated as written."""

    job: Job
    axes: tuple[Axis, ...] = ()  # at most one a kind, but for "prompt s/r"
    faces: tuple[FaceSettings, ...] = ()  # ADetailer's tabs in order; () draws no face pass
    columns: str = "checkpoint"  # the kind whose values are the columns of the grid; the rest are rows
    styles: tuple[Style, ...] = ()  # merged into every prompt, but for those that a styles axis chooses from
    notes: tuple[str, ...] = ()  # what the reader of the result should know, in words
    control: Control | None = None  # one of the checkpoints; see `with_control`

    def __post_init__(self) -> None:
        kinds = [axis.kind for axis in self.axes]
        twice = [kind for kind in set(kinds) if kinds.count(kind) > 1 and kind != "prompt s/r"]
        if twice:
            raise ExperimentError(f"The experiment has two {twice[0]!r} axes; put their values into one.")
        if self.columns not in KINDS:
            raise ExperimentError(f"The columns name no known axis: {quoted(self.columns)}. Known: {', '.join(KINDS)}.")
        if not self.faces and any(KINDS[kind].varies_faces for kind in kinds):
            raise ExperimentError("An axis varies the face pass, but there is no face pass; add one, or drop the axis.")
        if (cells := prod(len(axis.values) for axis in self.axes)) > _MOST_CELLS:
            raise ExperimentError(
                f"The experiment has {counted(cells, 'cell')}, expected at most {_MOST_CELLS:,}; split it."
            )
        self._require_control()
        require_parts(self.axes, [job for job, _ in self._pictures])
        for job, tabs in dict.fromkeys((*self._pictures, *self._controls)):
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
        """The same experiment over other checkpoints; the axis keeps its place, or comes first. The control stays."""
        axis = Axis("checkpoint", tuple(refs))
        others = [axis if old.kind == "checkpoint" else old for old in self.axes]
        axes = tuple(others if self.checkpoints else [axis, *others])
        return replace(self, axes=axes, control=None).with_control(self.control)

    def with_control(self, control: Control | None) -> "Experiment":
        """The same experiment with that control: the checkpoint of its name, else one more at the end."""
        if control is None:
            return replace(self, control=None)
        if same := [ref for ref in self.checkpoints if ref.name == control.checkpoint.name]:
            return replace(self, control=replace(control, checkpoint=same[0]))
        more = replace(self, control=None).with_checkpoints((*self.checkpoints, control.checkpoint))
        return replace(more, control=control)

    def labels_of(self, at: int) -> tuple[str, ...]:
        """What a person reads beside each value of the axis of that index."""
        axis, control = self.axes[at], self.control
        if axis.kind != "checkpoint" or control is None:
            return axis.labels
        marks = [f" (control: {control.class_words})" * (ref == control.checkpoint) for ref in axis.values]
        return tuple(map("".join, zip(axis.labels, marks, strict=True)))

    def as_typed(self) -> "Experiment":
        """What the webui makes of these settings when a user types them into it, for experiments written by hand.

        `#` comments are removed from the prompts, and a schedule from the sampler's name ("DPM++ 2M Karras"). Not for
        infotexts: they hold what is left, and a `#` in one was part of the prompt (before 1.8 there were no comments).
        """
        sampler, schedule = split_sampler(self.job.sampler, self.job.schedule, None)
        prompt, negative = strip_comments(self.job.prompt), strip_comments(self.job.negative)
        return replace(
            self,
            job=replace(self.job, prompt=prompt, negative=negative, sampler=sampler, schedule=schedule),
            axes=tuple(_typed(axis) for axis in self.axes),
            faces=tuple(map(_typed_face, self.faces)),
        )

    def cells(self, start: int = 0, stop: int | None = None) -> tuple[Cell, ...]:
        """The cells in the order of generation, all or a slice. Raises ExperimentError without a checkpoint."""
        if not self.checkpoints:
            raise ExperimentError("The experiment names no checkpoint; add a checkpoint axis.")
        at = next(i for i, axis in enumerate(self.axes) if axis.kind == "checkpoint")
        places = tuple(product(*self._ranges))
        cells = []
        for i in range(len(self.checkpoints) * len(places))[start:stop]:
            ref, place = divmod(i, len(places))
            before, after = places[place][:at], places[place][at + 1 :]
            cells.append(self._cell(i + 1, (*before, ref, *after), place))
        return tuple(cells)

    def to_dict(self) -> dict[str, Any]:
        """The experiment as JSON values; `from_dict` gives the same experiment back. Every setting is written."""
        return {
            "job": asdict(self.job),
            "axes": [axis.to_json() for axis in self.axes],
            "faces": [asdict(tab) for tab in self.faces],
            "columns": self.columns,
            **({"styles": [asdict(style) for style in self.styles]} if self.styles else {}),
            "notes": list(self.notes),
            **({"control": self.control.to_json()} if self.control else {}),
        }

    @classmethod
    def from_dict(cls, data: Any, styles: Mapping[str, Style] | None = None) -> "Experiment":
        """Read an experiment file: `{"job": {...}, "axes": [{"kind": ..., "values": [...]}], "faces": [{...}]}`.

        Values may be one text too. `job` and each of `faces` take the fields of `Job` and `FaceSettings`; one left out
        has its default; `columns`, `styles`, `notes` and `control` may be left out. Styles are names, looked up in
        `styles`, or objects of name, prompt and negative. Raises ExperimentError, with the nearest name.
        """
        _known(data, ("job", "axes", "faces", "columns", "styles", "notes", "control"), "the experiment")
        lists = {name: data.get(name, []) for name in ("axes", "faces", "styles", "notes")}
        if wrong := next((name for name, value in lists.items() if not isinstance(value, list)), None):
            raise ExperimentError(f"`{wrong}` must be a list, got {quoted(lists[wrong])}.")
        for axis in lists["axes"]:
            _known(axis, ("kind", "values"), "an axis")
        axes = (given_axis(str(axis.get("kind")), axis.get("values")) for axis in lists["axes"])
        named = (Style(style) if isinstance(style, str) else _read(Style, style, "styles") for style in lists["styles"])
        control = None if data.get("control") is None else Control.read(data["control"])
        plain = cls(
            job=_read(Job, data.get("job", {}), "job"),
            axes=tuple(_with_texts(axis, styles or {}) for axis in axes),
            faces=tuple(_read(FaceSettings, tab, "faces") for tab in lists["faces"]),
            columns=str(data.get("columns", "checkpoint")),
            styles=known(named, styles or {}),
            notes=tuple(map(str, lists["notes"])),
        )
        return plain.with_control(control) if control else plain

    @classmethod
    def from_infotext(
        cls, infotext: Infotext, styles: Mapping[str, Style] | None = None, *, by_engine: bool = True
    ) -> "Experiment":
        """The experiment that an infotext asks for: its sheet's or plot's axes, else the one cell of its checkpoint.

        X gives the columns. styles: the webui's, by name, for an axis of them; the first one is removed from the prompt
        again. by_engine: for our own engine; without it for a webui, which supports more, and what is unknown here is
        left out. Raises UnsupportedKeyError for an axis or key that is not supported yet, by name, and for img2img,
        InfotextError or ExperimentError for values that mean nothing.
        """
        ours = kept(infotext)
        if by_engine:
            require_supported(infotext)
            require_from_noise(infotext)
        axes = axes_of(infotext) if "axes" in ours or not by_engine else plotted_axes(infotext)
        for axis in axes if by_engine else ():
            require_drawn_axis(axis)
        axes = tuple(_with_texts(axis, styles or {}) for axis in axes)
        ref = checkpoint_of(infotext)
        if ref and not any(axis.kind == "checkpoint" for axis in axes):
            axes = (*axes, Axis("checkpoint", (ref,)))
        job, plot = to_job(infotext), xyz(infotext)
        for axis in axes:
            if axis.kind == "styles" and "base" not in ours:
                job = unstyled(job, axis.values[0])
        written = {
            "job": asdict(job) | ours.get("base", {}),
            "axes": [axis.to_json() for axis in axes],
            "faces": ours.get("faces", [asdict(tab) for tab in faces(infotext)]),
            "columns": ours.get("columns", axes[0].kind if plot and plot.x else "checkpoint"),
            "styles": ours.get("styles", []),
            "notes": list(notes_of(infotext)), "control": ours.get("control"),
        }  # fmt: skip
        return cls.from_dict(completed(written), styles)

    def kept_beside(self, infotext: Infotext) -> dict[str, Any]:
        """What the text of our sheet needs under the key `ohwx` (see `plotted.kept`) to give these cells back.

        infotext: the first cell's with the X/Y/Z keys. {} where they say it all.
        """
        try:
            if Experiment.from_infotext(infotext).cells() == self.cells():
                return {}
        except (ExperimentError, InfotextError):  # what X/Y/Z keys cannot say, or what our engine does not draw
            pass
        job, written = to_job(infotext), self.to_dict()
        base = {name: value for name, value in written["job"].items() if value != getattr(job, name)}
        beside = {name: written[name] for name in ("axes", "columns", "styles", "control") if name in written}
        return beside | {"base": base} | ({"faces": written["faces"]} if faces(infotext) != self.faces else {})

    def _cell(self, number: int, coordinates: tuple[int, ...], place: int) -> Cell:
        axes = zip(self.axes, coordinates, strict=True)
        checkpoint = next(axis.values[i] for axis, i in axes if axis.kind == "checkpoint")
        is_control = self.control is not None and checkpoint == self.control.checkpoint
        job, faces = (self._controls if is_control else self._pictures)[place]
        return Cell(
            number=number,
            digits=self._digits,
            coordinates=coordinates,
            labels=tuple(labels[i] for labels, i in zip(self._labels, coordinates, strict=True)),
            checkpoint=checkpoint,
            job=job,
            faces=faces,
            is_control=is_control,
        )

    def _require_control(self) -> None:
        """Raise ExperimentError for a control that is none of the checkpoints, or asks for what all ask for."""
        if self.control is None:
            return
        if self.control.checkpoint not in self.checkpoints:
            raise ExperimentError(f"The control {self.control.checkpoint} is none of the experiment's checkpoints.")
        if self._controls == self._pictures:
            raise ExperimentError(
                f"The control would have {quoted(self.control.class_words)} in place of "
                f"{quoted(self.control.class_token)}, which is in no prompt; name the words of your prompts."
            )

    @cached_property
    def _pictures(self) -> tuple[Applied, ...]:
        """What is generated at every place of one checkpoint, in the order of the other axes."""
        order = list(KINDS)
        axes = sorted(enumerate(self.axes), key=lambda numbered: order.index(numbered[1].kind))
        plain = [one for one in axes if order.index(one[1].kind) < order.index("styles")]
        later, styles = axes[len(plain) :], self._own_styles

        def at(coordinates: tuple[int, ...]) -> Applied:
            job, faces = _applied(plain, coordinates, self.job, self.faces)
            return _applied(later, coordinates, styled(job, styles), faces)

        return tuple(_bounded(map(at, product(*self._ranges))))

    @cached_property
    def _controls(self) -> tuple[Applied, ...]:
        """What the control is asked for at the same places; () without one."""
        return tuple(_bounded(self.control.applied(self._pictures))) if self.control else ()

    @cached_property
    def _labels(self) -> tuple[tuple[str, ...], ...]:
        return tuple(map(self.labels_of, range(len(self.axes))))

    @cached_property
    def _digits(self) -> int:
        return max(4, len(str(prod(len(axis.values) for axis in self.axes))))

    @property
    def _ranges(self) -> tuple[range, ...]:
        """The coordinates of one checkpoint's places, axis by axis."""
        return tuple(range(1 if axis.kind == "checkpoint" else len(axis.values)) for axis in self.axes)

    @property
    def _own_styles(self) -> tuple[Style, ...]:
        chosen = {style.name for axis in self.axes if axis.kind == "styles" for value in axis.values for style in value}
        return tuple(style for style in self.styles if style.name not in chosen)


def _applied(
    axes: Iterable[tuple[int, Axis]], coordinates: tuple[int, ...], job: Job, faces: tuple[FaceSettings, ...]
) -> Applied:
    """Job and face settings with the values of `axes`, each with its place among all, at `coordinates`."""
    for place, axis in axes:
        job, faces = KINDS[axis.kind].apply(job, faces, axis.values[coordinates[place]], axis.values[0])
    return job, faces


def _bounded(pictures: Iterable[Applied]) -> Iterator[Applied]:
    """The same pictures. Raises ExperimentError before their prompts fill the memory."""
    kept: set[int] = set()  # one text that many cells share takes its memory once
    letters = 0
    for picture in pictures:
        texts = {id(text): len(text) for text in (picture[0].prompt, picture[0].negative) if id(text) not in kept}
        kept |= texts.keys()
        letters += sum(texts.values())
        if letters > _MOST_LETTERS:
            raise ExperimentError(
                f"The prompts have over {_MOST_LETTERS:,} characters together; use fewer or shorter ones."
            )
        yield picture


def checkpoint_of(infotext: Infotext) -> CheckpointRef | None:
    """The checkpoint of a picture, called by its hash where the text has no name; None where it has neither."""
    name, short_hash = model(infotext)
    called = name or short_hash
    return CheckpointRef(called, short_hash and short_hash.lower()) if called else None


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


def _with_texts(axis: Axis, styles: Mapping[str, Style]) -> Axis:
    """An axis of styles with their texts."""
    return Axis("styles", tuple(known(value, styles) for value in axis.values)) if axis.kind == "styles" else axis


def _known(data: Any, names: Iterable[str], what: str) -> None:
    if not isinstance(data, dict):
        raise ExperimentError(f"{what} must be a JSON object, got {quoted(data)}.")
    for name in data:
        if name not in names:
            raise ExperimentError(f"{what} has no {quoted(name)}; {did_you_mean(name, names)}")


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
            names = " or ".join(_WORDS.get(t, t.__name__) for t in allowed)
            raise ExperimentError(f"{what}.{name} must be {names}, got {quoted(value)}.")
    return kind(**values)
