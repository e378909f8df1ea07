"""Several pictures' infotexts as one experiment: what differs between them becomes its axes.

Checkpoints come first, then prompts, then the rest. What only follows from an earlier axis (each prompt has a seed of
its own) does not become an axis: the first value is used and a note says so, since every combination is generated. The
host is the webui, so nothing is refused here; what is not used is noted too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.experiment.axes import KINDS, Axis, CheckpointRef, PromptPair
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.plotted import kind_of
from ohwx_compare.core.infotext.infotext import Infotext, unsupported, xyz
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError, InfotextError, OhwxError
from ohwx_compare.words import counted

__all__ = ["Draft", "draft_experiment"]


@dataclass(frozen=True)
class Draft:
    """An experiment and what its reader should know about where it came from."""

    experiment: Experiment
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Picture:
    number: int  # from 1, as given
    job: Job
    faces: tuple[FaceSettings, ...]
    checkpoint: CheckpointRef | None
    axes: Mapping[str, tuple[Any, ...]]  # what a plot varies, by kind


_VALUES: Mapping[str, Callable[[_Picture], Any]] = MappingProxyType({
    "checkpoint": lambda picture: picture.checkpoint,
    "prompt": lambda picture: PromptPair(picture.job.prompt, picture.job.negative),
    "seed": lambda picture: picture.job.seed,
    "cfg": lambda picture: picture.job.cfg,
    "steps": lambda picture: picture.job.steps,
    "sampler": lambda picture: f"{picture.job.sampler} {picture.job.schedule}",
    "face denoise": lambda picture: picture.faces[0].denoise if picture.faces else None,
})  # fmt: skip
_VARIES = 1.5  # values at one place of the earlier axes, in the mean, that make an axis
_VARIED = ("prompt", "negative", "seed", "steps", "sampler", "schedule", "cfg", "denoise")
_FIXED = tuple(field.name for field in fields(Job) if field.name not in _VARIED)  # no axis varies them
_WEBUIS_OWN = ("Sampler:", "Schedule type:", "RNG:", "Lora hashes:", "TI hashes:", "<")  # the webui draws these


def draft_experiment(texts: Sequence[Infotext], styles: Mapping[str, Style] | None = None) -> Draft:
    """One experiment of one or more infotexts: ours, the webui's own, X/Y/Z plots' and ADetailer's of any version.

    styles: the webui's, by name. Raises the first text's error where none of them can be read, ExperimentError for
    values that no host accepts.
    """
    read: list[tuple[int, Experiment]] = []
    notes: list[str] = []
    errors: list[OhwxError] = []
    for number, text in enumerate(texts, 1):
        try:
            read.append((number, _read(number, text, styles, notes)))
        except OhwxError as error:
            errors.append(error)
            notes.append(f"Text {number} is left out: {error}")
    if not read:
        raise errors[0] if errors else InfotextError("There is no infotext; paste one, or drop a picture that has one.")
    experiment = read[0][1] if len(read) == 1 else _merged([_picture(*one) for one in read], notes)
    return Draft(experiment, tuple(dict.fromkeys(notes)))


def _read(number: int, text: Infotext, styles: Mapping[str, Style] | None, notes: list[str]) -> Experiment:
    experiment = Experiment.from_infotext(text, styles, by_engine=False)
    ignored = [what for what in unsupported(text) if not what.startswith(_WEBUIS_OWN) and "Denoising" not in what]
    plot = xyz(text)
    ignored += [f"axis {axis.type}" for axis in (plot.axes if plot else ()) if kind_of(axis) is None]
    notes += experiment.notes
    if ignored:
        notes.append(f"Not used: {'; '.join(ignored)}.")
    if experiment.job.denoise is None:
        return experiment
    notes.append(f"Text {number} belongs to an img2img picture; here it is generated with txt2img.")
    return replace(experiment, job=replace(experiment.job, denoise=None))


def _picture(number: int, experiment: Experiment) -> _Picture:
    axes = {axis.kind: axis.values for axis in experiment.axes}
    checkpoint = experiment.checkpoints[0] if experiment.checkpoints else None
    return _Picture(number, experiment.job, experiment.faces, checkpoint, axes)


def _merged(pictures: Sequence[_Picture], notes: list[str]) -> Experiment:
    axes = _axes(pictures, notes)
    _say_fixed(pictures, notes)
    experiment = _built(pictures[0].job, axes, _faces(pictures, notes), notes)
    cells = len(experiment.cells()) if experiment.checkpoints else 0
    if len(pictures) < cells:
        texts = counted(len(pictures), "text")
        notes.append(f"{texts} become {counted(cells, 'cell')}: every combination of what differs is generated.")
    return experiment


def _axes(pictures: Sequence[_Picture], notes: list[str]) -> dict[str, tuple[Any, ...]]:
    """The values of each kind that varies, and always those of the checkpoints."""
    axes: dict[str, tuple[Any, ...]] = {}
    for kind in dict.fromkeys((*_VALUES, *(kind for picture in pictures for kind in picture.axes))):
        values = _distinct(kind, pictures)
        if len(values) < 2 and not (kind == "checkpoint" and values):
            continue
        is_plotted = kind not in _VALUES or any(len(picture.axes.get(kind, ())) > 1 for picture in pictures)
        if is_plotted or kind == "checkpoint" or not _follows(kind, axes, pictures):
            axes[kind] = values
        else:
            shown = KINDS[kind].show(values[0])
            notes.append(
                f"The {kind} changes together with the {' and '.join(axes)} ({counted(len(values), 'value')}), so "
                f"{shown} is used for all. Add a {kind} axis to compare more of them."
            )
    return axes


def _distinct(kind: str, pictures: Sequence[_Picture]) -> tuple[Any, ...]:
    values: dict[Any, None] = {}
    for picture in pictures:
        own = picture.axes.get(kind) or ((_VALUES[kind](picture),) if kind in _VALUES else ())
        values |= dict.fromkeys(value for value in own if value is not None)
    if kind == "checkpoint":
        by_name = {ref.stem.casefold(): ref for ref in reversed(values)}  # with hash or without
        return tuple(by_name.values())[::-1]
    return tuple(values)


def _follows(kind: str, axes: Mapping[str, Any], pictures: Sequence[_Picture]) -> bool:
    """Whether pictures that agree in all of `axes` mostly agree in `kind` too."""
    places: dict[tuple[str, ...], set[Any]] = {}
    for picture in pictures:
        place = tuple(str(_VALUES[other](picture)) for other in axes if other in _VALUES)
        if (value := _VALUES[kind](picture)) is not None:
            places.setdefault(place, set()).add(value)
    return sum(map(len, places.values())) < _VARIES * len(places) and any(len(values) > 1 for values in axes.values())


def _say_fixed(pictures: Sequence[_Picture], notes: list[str]) -> None:
    for field in _FIXED:
        values = list(dict.fromkeys(getattr(picture.job, field) for picture in pictures))
        if len(values) > 1:
            notes.append(
                f"The texts differ in {field.replace('_', ' ')} ({', '.join(map(str, values))}); {values[0]} is used."
            )


def _faces(pictures: Sequence[_Picture], notes: list[str]) -> tuple[FaceSettings, ...]:
    """The first face pass; "face denoise" is an axis of its own."""
    drawn = [picture for picture in pictures if picture.faces]
    if not drawn:
        return ()
    first = drawn[0].faces
    if len(drawn) < len(pictures):
        notes.append(
            f"{len(pictures) - len(drawn)} of {counted(len(pictures), 'picture')} had no face pass; here every picture "
            "gets one, and the pictures before it are kept."
        )
    if any(_but_denoise(picture.faces) != _but_denoise(first) for picture in drawn):
        notes.append(f"The face passes of the texts differ; the one of text {drawn[0].number} is used.")
    return first


def _but_denoise(tabs: Sequence[FaceSettings]) -> list[FaceSettings]:
    return [replace(tab, denoise=0.0) for tab in tabs]


def _built(
    job: Job, axes: Mapping[str, tuple[Any, ...]], tabs: tuple[FaceSettings, ...], notes: list[str]
) -> Experiment:
    axes = {kind: values for kind, values in axes.items() if tabs or not KINDS[kind].varies_faces}
    made = tuple(Axis(kind, values) for kind, values in axes.items())
    try:
        return Experiment(job=job, axes=made, faces=tabs)
    except ExperimentError as error:
        if "prompt s/r" not in axes:
            raise
        notes.append(f"The Prompt S/R axis is not used: {error}")
        return _built(job, {kind: values for kind, values in axes.items() if kind != "prompt s/r"}, tabs, notes)
