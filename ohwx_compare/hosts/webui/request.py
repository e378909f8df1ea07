"""What a user of the script asks for: the panel's values, or one JSON object from the API, as an experiment."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ohwx_compare.core.axes import KINDS
from ohwx_compare.core.experiment import Experiment
from ohwx_compare.core.face_payload import from_payload
from ohwx_compare.core.infotext import XyzAxis, parse, xyz
from ohwx_compare.core.job import Job
from ohwx_compare.core.xyz import SCRIPT
from ohwx_compare.errors import ExperimentError

__all__ = ["ARGUMENTS", "NO_AXIS", "Panel", "Request", "read_request"]

NO_AXIS = "-"
_KEYS = ("axes", "checkpoints", "columns", "faces", "job", "keep_before", "name")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The script's arguments in their order; the defaults are the article's face pass."""

    json: Any = ""  # the API's one argument: a JSON object or its text; the rest does not count then
    checkpoints: Sequence[str] = ()
    axis_1: str = NO_AXIS
    values_1: str = ""
    axis_2: str = NO_AXIS
    values_2: str = ""
    faces: bool = True
    detector: str = "face_yolov8n.pt"
    confidence: float = 0.3
    top_k: int = 1
    dilate: int = 4
    blur: int = 4
    denoise: float = 0.5
    only_masked: bool = True
    padding: int = 32
    steps: int = 80  # 0: as the picture
    prompt: str = ""
    negative: str = ""
    keep_before: bool = True
    name: str = ""

    @classmethod
    def of(cls, arguments: Sequence[Any]) -> "Panel":
        """Read a list that may be too short, or hold None where the API has no value; both mean the default."""
        pairs = zip(fields(cls), arguments, strict=False)
        return cls(**{field.name: value for field, value in pairs if value is not None})


ARGUMENTS = tuple(field.name for field in fields(Panel))
"""Names of the script's arguments, in order."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """An experiment and what shall be shown of it."""

    experiment: Experiment
    keep_before: bool  # show the pictures before the face pass too
    name: str  # of the run folder; "" gives it one


def read_request(arguments: Sequence[Any], job: Job, pictures: int = 1) -> Request:
    """What `arguments` (the script's, in the order of `ARGUMENTS`) ask for around the picture `job`.

    pictures: batch count x batch size; above 1 it becomes an axis of consecutive seeds, unless seeds are an axis.
    Raises ExperimentError, naming the key or value that cannot be understood.
    """
    panel = Panel.of(arguments)
    asked = _object(panel.json) or _of_panel(panel)
    if unknown := sorted(set(asked) - set(_KEYS)):
        raise ExperimentError(f"ohwx compare knows no {', '.join(map(repr, unknown))}; it knows {', '.join(_KEYS)}.")
    axes = _axes(asked)
    if pictures > 1 and "seed" not in [axis["kind"] for axis in axes]:
        axes.append({"kind": "seed", "values": [job.seed + i for i in range(pictures)]})
    experiment = Experiment.from_dict({
        "job": {**asdict(job), **_mapping(asked.get("job", {}), "job")},
        "axes": axes,
        "faces": _faces(asked.get("faces", [])),
        "columns": asked.get("columns", "checkpoint"),
    })  # fmt: skip
    if not experiment.checkpoints:
        raise ExperimentError("No checkpoint is chosen; choose at least one to compare.")
    return Request(
        experiment=experiment, keep_before=bool(asked.get("keep_before", True)), name=str(asked.get("name", "")).strip()
    )


def _object(value: Any) -> dict[str, Any]:
    """The API's JSON argument, {} where there is none."""
    if isinstance(value, str):
        if not value.strip():
            return {}
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ExperimentError(f"The first argument of ohwx compare is no JSON object: {error}.") from error
    return dict(_mapping(value, "the first argument of ohwx compare"))


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ExperimentError(f"{what} must be a JSON object, got {value!r}.")
    return value


def _of_panel(panel: Panel) -> dict[str, Any]:
    chosen = ((panel.axis_1, panel.values_1), (panel.axis_2, panel.values_2))
    axes = [{"kind": kind, "values": _values(kind, text)} for kind, text in chosen if kind != NO_AXIS]
    tab = {
        "model": panel.detector,
        "prompt": panel.prompt,
        "negative": panel.negative,
        "only_masked": panel.only_masked,
        **{name: _number(name, getattr(panel, name)) for name in ("confidence", "denoise")},
        **{name: int(_number(name, getattr(panel, name))) for name in ("top_k", "dilate", "blur", "padding")},
        "steps": int(_number("steps", panel.steps)) or None,
    }
    return {
        "checkpoints": list(panel.checkpoints),
        "axes": axes,
        "faces": [tab] if panel.faces else [],
        "keep_before": panel.keep_before,
        "name": panel.name,
    }


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ExperimentError(f"The argument {name!r} of ohwx compare must be a number, got {value!r}.") from error


def _axes(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The checkpoints' axis first, then the others; `axes` is a list of kind and values, or an object of them."""
    axes = asked.get("axes", [])
    if isinstance(axes, Mapping):
        axes = [{"kind": kind, "values": values} for kind, values in axes.items()]
    if not isinstance(axes, list):
        raise ExperimentError(f"`axes` must be a list or an object, got {axes!r}.")
    read = []
    for axis in axes:
        axis = dict(_mapping(axis, "an axis"))
        if isinstance(axis.get("values"), str):
            axis["values"] = _values(str(axis.get("kind")), axis["values"])
        read.append(axis)
    checkpoints = asked.get("checkpoints") or []
    return [{"kind": "checkpoint", "values": list(checkpoints)}, *read] if checkpoints else read


def _faces(tabs: Any) -> list[dict[str, Any]]:
    """Tabs under our names or ADetailer's."""
    if not isinstance(tabs, list):
        raise ExperimentError(f"`faces` must be a list of tabs, got {tabs!r}.")
    read = []
    for tab in tabs:
        tab = _mapping(tab, "a tab of `faces`")
        is_adetailers = any(str(key).startswith("ad_") for key in tab)
        settings = from_payload(tab) if is_adetailers else dict(tab)
        if settings is not None:
            read.append(settings)
    return read


def _values(kind: str, text: str) -> list[Any]:
    """The values of an axis as X/Y/Z reads them: commas, ranges of numbers; prompts one a line. Raises ExperimentError.

    "on" and "off" switch the face pass.
    """
    if kind == "prompt":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind == "face pass":
        words = [word.strip().lower() for word in text.split(",") if word.strip()]
        if unknown := [word for word in words if word not in ("on", "off")]:
            raise ExperimentError(f"The axis 'face pass' takes on and off, got {unknown[0]!r}.")
        return [word == "on" for word in words]
    xyz_name = "Denoising" if kind == "face denoise" else KINDS[kind].xyz if kind in KINDS else None
    if xyz_name is None:
        return [text]  # refused by name where the experiment is read
    line = io.StringIO()
    csv.writer(line).writerow([part for row in csv.reader(io.StringIO(text), skipinitialspace=True) for part in row])
    infotext = parse("Steps: 1, Sampler: Euler, CFG scale: 1")
    for key, value in (("Script", SCRIPT), ("X Type", xyz_name), ("X Values", line.getvalue().strip())):
        infotext = infotext.with_value(key, value)
    axis: XyzAxis = xyz(infotext).x
    return list(axis.values)
