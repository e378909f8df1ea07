"""What a user of the script asks for: the panel's values, or one JSON object from the API, as an experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ohwx_compare.core.experiment.axes import KINDS
from ohwx_compare.core.experiment.axis_text import kind_called, read_axis_lines, read_values
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext.face_payload import from_payload
from ohwx_compare.core.infotext.sampler_names import split_sampler
from ohwx_compare.core.prompt.style_families import expanded_styles
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.hosts.webui.request.arguments import AS_PICTURE, AXES, NO_DETECTOR, NOTHING, Panel
from ohwx_compare.hosts.webui.request.context import TabContext
from ohwx_compare.hosts.webui.request.sheets import AS_USUAL, SheetAsked, panel_sheet, read_sheet, require_each
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import quoted

__all__ = ["Request", "face_settings", "read_request"]

_WITH_SCHEDULE = (1, 8)  # the last webui that names a schedule with its sampler
_LONGEST_NAME = 1_000  # letters of a checkpoint's, with its folders
_KEYS = ("axes", "checkpoints", "columns", "control", "faces", "job", "keep_before", "name", "sheet", "styles")
_REAL = ("confidence", "denoise", "min_ratio", "max_ratio")
_WHOLE = ("top_k", "dilate", "blur", "padding", "x_offset", "y_offset")


@dataclass(frozen=True, kw_only=True)
class Request:
    """An experiment and what shall be shown of it."""

    experiment: Experiment
    keep_before: bool  # show the pictures before the face pass too
    name: str  # of the run folder; "" gives it one
    sheet: SheetAsked = AS_USUAL


def read_request(arguments: Sequence[Any], job: Job, pictures: int = 1, given: TabContext = TabContext()) -> Request:
    """What `arguments` (the script's, in the order of `ARGUMENTS`) ask for around the picture `job`.

    pictures: batch count x batch size; above 1 it becomes an axis of consecutive seeds, unless seeds are an axis.
    Raises ExperimentError, naming the key or value that cannot be understood.
    """
    panel = Panel.of(arguments)
    asked = _object(panel.json) or _of_panel(panel)
    if unknown := sorted(set(asked) - set(_KEYS)):
        raise ExperimentError(f"ohwx compare has no {', '.join(map(repr, unknown))}; it has {', '.join(_KEYS)}.")
    axes = _axes(asked, given.known_styles)
    if given.is_before_schedules:
        axes = _with_schedules(axes)
    if pictures > 1 and "seed" not in [axis["kind"] for axis in axes]:
        axes.append({"kind": "seed", "values": [job.seed + i for i in range(pictures)]})
    if not any(axis["kind"] == "checkpoint" for axis in axes):
        raise ExperimentError("No checkpoint is selected; select at least one to compare.")
    parts = {KINDS[axis["kind"]].part for axis in axes if axis["kind"] in KINDS}
    for part in filter(None, parts):
        job = replace(job, **given.part(part))
    experiment = Experiment.from_dict({
        "job": {**asdict(job), **_mapping(asked.get("job", {}), "job")},
        "axes": axes,
        "faces": _faces(asked.get("faces", []), given),
        "columns": asked.get("columns", "checkpoint"),
        "styles": asked.get("styles", [asdict(style) for style in given.styles]),
        "control": asked.get("control"),
    }, given.known_styles)  # fmt: skip
    sheet = read_sheet(asked.get("sheet") or {})
    require_each(sheet, experiment)
    return Request(
        experiment=experiment.as_typed() if given.has_comments else experiment,
        keep_before=bool(asked.get("keep_before", True)),
        name=str(asked.get("name", "")).strip(),
        sheet=sheet,
    )


def _object(value: Any) -> dict[str, Any]:
    """The API's JSON argument, {} where there is none."""
    if isinstance(value, str):
        if not value.strip():
            return {}
        value = _json(value, "The first argument of ohwx compare is not a JSON object")
    return dict(_mapping(value, "the first argument of ohwx compare"))


def _json(text: str, what: str) -> Any:
    try:
        return decode_json(text)
    except ValueError as error:
        raise ExperimentError(f"{what}: {error}.") from error


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ExperimentError(f"{what} must be a JSON object, got {quoted(value)}.")
    return value


def _of_panel(panel: Panel) -> dict[str, Any]:
    chosen = [(getattr(panel, f"axis_{i}"), getattr(panel, f"values_{i}")) for i in AXES]
    chosen = [(kind, text) for kind, text in chosen if kind not in ("", NOTHING)]
    axes = [{"kind": kind, "values": values} for kind, values in (*chosen, *read_axis_lines(panel.more_axes))]
    own = [] if panel.detector == NO_DETECTOR else [_face(panel)]
    faces: Any = "adetailer" if panel.adetailer else [*own, *_more_tabs(panel.more_tabs)]
    return {
        "checkpoints": list(panel.checkpoints),
        "axes": axes,
        "faces": faces if panel.faces else [],
        "control": None if panel.control in ("", NOTHING) else _control(panel),
        "keep_before": panel.keep_before,
        "name": panel.name,
        "sheet": panel_sheet(panel),
    }


def _control(panel: Panel) -> dict[str, str]:
    return {"checkpoint": panel.control, "class_token": panel.class_token, "class": panel.class_words}


def _face(panel: Panel) -> dict[str, Any]:
    same = ("prompt", "negative", "only_masked", "top_k_by", "sort", "merge")
    return {
        "model": panel.detector or Panel().detector,  # nothing is chosen while the usual one is not there
        **{name: getattr(panel, name) for name in same},
        **{name: _number(name, getattr(panel, name)) for name in _REAL},
        **{name: int(_number(name, getattr(panel, name))) for name in _WHOLE},
        **{name: int(_number(name, getattr(panel, name))) or None for name in ("steps", "width", "height")},
        "cfg": _number("cfg", panel.cfg) or None,
        **{
            name: None if getattr(panel, name) == AS_PICTURE else getattr(panel, name)
            for name in ("sampler", "schedule")
        },
    }


def _more_tabs(text: str) -> list[Any]:
    tabs = _json(text, "The other face tabs are not a JSON list") if text.strip() else []
    if not isinstance(tabs, list):
        raise ExperimentError(f"The other face tabs must be a JSON list, got {quoted(tabs)}.")
    return tabs


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ExperimentError(
            f"The argument {quoted(name)} of ohwx compare must be a number, got {quoted(value)}."
        ) from error


def _axes(asked: Mapping[str, Any], library: Mapping[str, Style]) -> list[dict[str, Any]]:
    """The checkpoints' axis first, then the others; `axes` is a list of kind and values, or an object of them.

    "3 of the photo family" stands for so many styles of the `library`.
    """
    axes = asked.get("axes", [])
    if isinstance(axes, Mapping):
        axes = [{"kind": kind, "values": values} for kind, values in axes.items()]
    if not isinstance(axes, list):
        raise ExperimentError(f"`axes` must be a list or an object, got {quoted(axes)}.")
    read = []
    for axis in axes:
        axis = dict(_mapping(axis, "an axis"))
        axis["kind"] = kind_called(str(axis.get("kind")))
        if isinstance(axis.get("values"), str):
            axis["values"] = read_values(axis["kind"], axis["values"])
        if axis["kind"] == "styles" and isinstance(axis.get("values"), list):
            axis["values"] = expanded_styles(axis["values"], library)
        read.append(axis)
    checkpoints = asked.get("checkpoints") or []
    if not (isinstance(checkpoints, list | tuple) and all(_is_name(name) for name in checkpoints)):
        raise ExperimentError(f"`checkpoints` must be a list of names, got {quoted(checkpoints)}.")
    return [{"kind": "checkpoint", "values": list(checkpoints)}, *read] if checkpoints else read


def _with_schedules(axes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A bare name of a sampler means its own schedule, not the picture's; an axis of schedules gives it each."""
    if any(axis["kind"] == "schedule" for axis in axes):
        return axes
    return [
        {**axis, "values": [" ".join(split_sampler(str(name), None, _WITH_SCHEDULE)) for name in axis["values"]]}
        if axis["kind"] == "sampler" and isinstance(axis.get("values"), list)
        else axis
        for axis in axes
    ]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME


def _faces(tabs: Any, given: TabContext) -> list[dict[str, Any]]:
    """Tabs under our names or ADetailer's; "adetailer" uses those of its panel."""
    if tabs == "adetailer":
        taken = [dict(settings) for settings in given.adetailer()]
        if not taken:
            raise ExperimentError("ADetailer is not on in this tab; enable it there, or set the face pass here.")
        return taken
    return face_settings(tabs)


def face_settings(tabs: Any) -> list[dict[str, Any]]:
    """Tabs under our names or ADetailer's, as settings under ours. Raises ExperimentError."""
    if not isinstance(tabs, list):
        raise ExperimentError(f'`faces` must be a list of tabs, or "adetailer", got {quoted(tabs)}.')
    read = []
    for settings in tabs:
        settings = _mapping(settings, "a tab of `faces`")
        is_adetailers = any(str(key).startswith("ad_") for key in settings)
        ours = from_payload(settings) if is_adetailers else dict(settings)
        if ours is not None:
            read.append(ours)
    return read
