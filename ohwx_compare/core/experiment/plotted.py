"""The axes that an infotext names: the X/Y/Z script's keys, and what has no name there under our own key.

A sheet's text has the X/Y/Z keys always, so that a plain webui takes it up; the experiment's `axes`, `columns`,
`styles`, `control`, `faces` and what its `base` job has besides stand under the key `ohwx` where those keys alone ask
for others.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.experiment.axes import KINDS, Axis, why_not_drawn
from ohwx_compare.core.experiment.kind import AxisKind, Form, PicturePart
from ohwx_compare.core.experiment.prompt_order import all_orders, parts_of
from ohwx_compare.core.infotext.hires_keys import has_hires
from ohwx_compare.core.infotext.infotext import Infotext, XyzAxis, extra, faces, xyz
from ohwx_compare.core.infotext.sampler_names import SAMPLERS, SCHEDULE_NAMES, read_version, split_sampler
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import InfotextError, UnsupportedKeyError
from ohwx_compare.words import counted, quoted

__all__ = ["as_xyz", "axes_of", "kept", "kind_of", "plotted_axes", "read_axis", "require_drawn_axis"]

_SAME = "Use same scheduler"  # ADetailer's word for None
_SWITCHES: Mapping[Any, bool] = MappingProxyType({"True": True, "False": False})

_SWITCHED = MappingProxyType({  # axes of ADetailer that do nothing while a switch of its tab is off
    "face cfg": ("cfg",),
    "face sampler": ("sampler", "schedule"),
    "face schedule": ("sampler", "schedule"),
})  # fmt: skip


def kept(infotext: Infotext) -> dict[str, Any]:
    """What our own text says of its experiment beyond the X/Y/Z keys; {} for none. Raises InfotextError if damaged."""
    ours = extra(infotext).get("experiment", {})
    if not isinstance(ours, dict) or not isinstance(ours.get("base", {}), dict):
        raise InfotextError(f"The key 'ohwx' has {quoted(ours)} as its experiment, expected a JSON object.")
    return ours


def axes_of(infotext: Infotext) -> tuple[Axis, ...]:
    """The axes of our own text, or else those of an X/Y/Z plot that have a kind here; X first, () without any.

    Raises InfotextError or ExperimentError for values that mean nothing.
    """
    ours = kept(infotext).get("axes")
    if ours is not None:
        if not isinstance(ours, list) or not all(isinstance(axis, dict) for axis in ours):
            raise InfotextError(f"The key 'ohwx' has {quoted(ours)} as its axes, expected a list of JSON objects.")
        return tuple(Axis.read(str(axis.get("kind")), axis.get("values")) for axis in ours)
    plot = xyz(infotext)
    return tuple(read_axis(axis, infotext) for axis in (plot.axes if plot else ()) if kind_of(axis))


def kind_of(axis: XyzAxis) -> AxisKind | None:
    """What an axis of the X/Y/Z script is called here; None where it is not supported."""
    return next((kind for kind in KINDS.values() if kind.xyz == axis.type), None)


def read_axis(axis: XyzAxis, infotext: Infotext) -> Axis:
    """An axis of the X/Y/Z script under our name. Raises UnsupportedKeyError for one without, ExperimentError."""
    kind = kind_of(axis)
    if kind is None and (why := why_not_drawn(axis.type)):
        raise UnsupportedKeyError(f"The X/Y/Z axis {axis.type!r} {why}.")
    if kind is None:
        known = [kind.xyz for kind in KINDS.values() if kind.xyz]
        raise UnsupportedKeyError(
            f"The X/Y/Z axis {axis.type[:80]!r} is not supported yet; supported: {', '.join(known)}."
        )
    values: list[Any] = list(dict.fromkeys(axis.values))  # what the plot drew twice is drawn once
    if kind.name == "sampler":  # what a bare name means depends on the webui that wrote it
        version, schedule = read_version(infotext.get("Version")), infotext.get("Schedule type")
        values = [" ".join(split_sampler(name, schedule, version)) for name in values]
    if kind.form is Form.PARTS:
        values = [list(order) for order in all_orders(list(map(str, values)))]
    if kind.form is Form.SWITCH:
        values = [_SWITCHES.get(value, value) for value in values]
    if kind.is_optional:
        values = [None if value == _SAME else value for value in values]
    return Axis.read(kind.name, values)


def plotted_axes(infotext: Infotext) -> tuple[Axis, ...]:
    """The axes of the X/Y/Z plot. Raises UnsupportedKeyError for one that is not supported."""
    plot = xyz(infotext)
    tabs = faces(infotext)
    for axis in plot.axes if plot else ():
        kind = kind_of(axis)
        if kind and kind.part is PicturePart.HIRES and not has_hires(infotext):
            raise UnsupportedKeyError(
                f"The X/Y/Z axis {axis.type!r} changed nothing: hires fix was off; drop the axis."
            )
        if kind and kind.varies_faces and len(tabs) > 1:
            raise UnsupportedKeyError(
                f"The X/Y/Z axis {axis.type!r} varies only the first of {counted(len(tabs), 'face tab')}, which is not "
                "supported; leave one tab, or drop the axis."
            )
        if (
            kind
            and tabs
            and kind.name in _SWITCHED
            and not any(getattr(tabs[0], name) for name in _SWITCHED[kind.name])
        ):
            raise UnsupportedKeyError(
                f"The X/Y/Z axis {axis.type!r} changed nothing: ADetailer's switch for it was off; drop the axis."
            )
    return tuple(read_axis(axis, infotext) for axis in (plot.axes if plot else ()))


def require_drawn_axis(axis: Axis) -> None:
    """Raise UnsupportedKeyError for a sampler or schedule that our engine does not support."""
    if axis.kind == "sampler":
        _drawn_ones("sampler", [split_sampler(name, None, None)[0] for name in axis.values], SAMPLERS)
    if axis.kind == "schedule":
        _drawn_ones("schedule", axis.values, SCHEDULE_NAMES)


def as_xyz(axis: Axis, tabs: Sequence[FaceSettings] = ()) -> XyzAxis | None:
    """The axis as the X/Y/Z script has it, None where it has none; whole prompts are a search and replace of the first.

    tabs: the face pass; ADetailer's axes mean its first tab, so that they say it all for one tab only.
    """
    kind = KINDS[axis.kind]
    if axis.kind == "prompt":
        whole = all(pair.negative is None for pair in axis.values)
        return XyzAxis("Prompt S/R", tuple(pair.prompt for pair in axis.values)) if whole else None
    if kind.xyz is None or (kind.varies_faces and len(tabs) != 1):
        return None
    if axis.kind == "styles":
        return XyzAxis(kind.xyz, tuple(",".join(style.name for style in styles) or "None" for styles in axis.values))
    if kind.form is Form.PARTS:
        return XyzAxis(kind.xyz, parts) if (parts := parts_of(axis.values)) else None
    if None in axis.values and axis.kind != "face schedule":
        return None
    return XyzAxis(kind.xyz, tuple(map(_xyz_value, axis.values)))


def _xyz_value(value: Any) -> int | float | str:
    if value is None:
        return _SAME
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _drawn_ones(what: str, values: Iterable[str], known: Iterable[str]) -> None:
    other = [value for value in values if value not in known]
    if other:
        raise UnsupportedKeyError(f"The {what} {quoted(other[0])} is not supported yet; supported: {', '.join(known)}.")
