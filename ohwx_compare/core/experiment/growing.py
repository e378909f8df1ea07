"""An experiment that grows: more values on its axes, and two that are one experiment put together.

Every cell of what was there is a cell of what comes out, so a run folder that holds some keeps them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from ohwx_compare.core.experiment.axes import KINDS, Axis, CheckpointRef, PromptPair
from ohwx_compare.core.experiment.axis_text import given_axis
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.folder_text import CellRequests
from ohwx_compare.core.prompt.style_families import expanded_styles
from ohwx_compare.core.prompt.styles import Style, known
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import quoted

__all__ = ["as_called", "grown", "united"]


def grown(experiment: Experiment, more: Mapping[str, Any], styles: Mapping[str, Style] | None = None) -> Experiment:
    """`experiment` with more values, by kind as a person calls it, each a list or as typed; what is there stays.

    An axis that it lacks begins with the picture's own value, so that the cells that are there are among the new ones.
    styles: the webui's, by name. Raises ExperimentError for a kind without such a value, and for values that mean
    nothing.
    """
    for kind, values in more.items():
        axis = given_axis(kind, values)
        if axis.kind == "styles":
            names = expanded_styles(
                [",".join(style.name for style in own) or "None" for own in axis.values], styles or {}
            )
            axis = Axis("styles", tuple(known(own, styles or {}) for own in Axis.read("styles", names).values))
        experiment = _with(experiment, axis)
    return experiment


def _styles(axis: Axis, library: Mapping[str, Style]) -> Axis:
    """An axis of styles with their texts, some of a family where it asks for them."""
    names = expanded_styles([",".join(style.name for style in own) or "None" for own in axis.values], library)
    return Axis("styles", tuple(known(own, library) for own in Axis.read("styles", names).values))


def as_called(other: Experiment, one: Experiment) -> Experiment:
    """`other` with its checkpoints called as `one` calls them: a name with its hash and without it are the same."""

    def called(ref: CheckpointRef) -> CheckpointRef:
        same = (own for own in one.checkpoints if own.name == ref.name)
        return next((own for own in same if not (own.short_hash and ref.short_hash)), ref)

    control = other.control and replace(other.control, checkpoint=called(other.control.checkpoint))
    return replace(other, control=None).with_checkpoints(map(called, other.checkpoints)).with_control(control)


def united(one: Experiment, other: Experiment) -> Experiment:
    """One experiment with the cells of both, those of `one` first; it may ask for more, since it is a whole grid.

    other: `as_called` by `one`. Raises ExperimentError where they are not of one experiment.
    """
    try:
        whole = one if one.control else one.with_control(other.control)
        for axis in other.axes:
            whole = _with(whole, axis)
        for kind in {axis.kind for axis in one.axes} - {axis.kind for axis in other.axes}:
            whole = _with(whole, Axis(kind, (_own_value(other, kind),)))
    except ExperimentError as error:
        raise ExperimentError(f"These are not runs of one experiment: {_difference(one, other) or error}") from error
    requests = CellRequests()
    asked = {requests.of(cell)[0] for cell in whole.cells()}
    if not asked.issuperset(requests.of(cell)[0] for each in (one, other) for cell in each.cells()):
        why = _difference(one, other) or "their axes cannot stand in one grid."
        raise ExperimentError(f"These are not runs of one experiment: {why}")
    return whole


def _with(experiment: Experiment, axis: Axis) -> Experiment:
    """`experiment` with the values of `axis` behind its own."""
    if axis.kind == "checkpoint":
        names = {ref.name for ref in experiment.checkpoints}
        more = (ref for ref in axis.values if ref.name not in names)
        return experiment.with_checkpoints((*experiment.checkpoints, *more))
    same = [own for own in experiment.axes if own.kind == axis.kind]
    if len(same) > 1:
        raise ExperimentError(f"It has two {axis.kind!r} axes, so nothing tells which one grows.")
    there = same[0].values if same else (_own_value(experiment, axis.kind),)
    values = tuple(dict.fromkeys((*there, *axis.values)))
    if len(values) == 1:
        return experiment
    longer = Axis(axis.kind, values)
    axes = tuple(longer if own.kind == axis.kind else own for own in experiment.axes)
    return replace(experiment, axes=axes if same else (*axes, longer))


def _own_value(experiment: Experiment, kind: str) -> Any:
    """What the picture itself has of a kind. Raises ExperimentError for a kind that is no single field of it."""
    if kind == "prompt":
        return PromptPair(experiment.job.prompt)
    if kind == "styles":
        return ()
    own = [name for name in _fields_of(kind) if hasattr(experiment.job, name)]
    if len(own) != 1:
        raise ExperimentError(f"It has no axis of {kind!r} that could grow.")
    return getattr(experiment.job, own[0])


def _difference(one: Experiment, other: Experiment) -> str:
    """What they differ in besides their axes, in a sentence; "" for nothing."""
    varied = {name for axis in (*one.axes, *other.axes) for name in _fields_of(axis.kind)}
    for field in fields(Job):
        values: Sequence[Any] = [getattr(each.job, field.name) for each in (one, other)]
        if field.name not in varied and values[0] != values[1]:
            return f"{field.name} is {quoted(values[0])} in one and {quoted(values[1])} in the other."
    parts = {"face passes": "faces", "styles": "styles", "controls": "control"}
    for words, name in parts.items():
        if getattr(one, name) != getattr(other, name):
            return f"their {words} differ."
    return ""


def _fields_of(kind: str) -> tuple[str, ...]:
    """The fields of the job that an axis of this kind sets; one of a job's own fields is called like it."""
    return (
        {"prompt": ("prompt", "negative"), "sampler": ("sampler", "schedule")}.get(kind)
        or KINDS[kind].fields
        or (kind,)
    )
