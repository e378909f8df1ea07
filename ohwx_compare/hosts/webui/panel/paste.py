"""An infotext that is pasted into the webui, as the panel's values: ours, X/Y/Z's and ADetailer's of any version."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ohwx_compare.core.experiment.axes import KINDS
from ohwx_compare.core.experiment.axis_text import axis_line, write_values
from ohwx_compare.core.experiment.control import Control
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.plotted import axes_of, kept, kind_of
from ohwx_compare.core.infotext.infotext import Infotext, extra, faces, parse, xyz
from ohwx_compare.core.infotext.xyz import SCRIPT
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import OhwxError
from ohwx_compare.hosts.webui.request.arguments import ARGUMENTS, AS_PICTURE, AXES, NO_DETECTOR, NOTHING, Panel
from ohwx_compare.hosts.webui.request.sheets import sheet_arguments

__all__ = ["corrections", "is_comparison", "is_ours", "pasted_arguments"]

_OURS = "ohwx"
_PROMPTS = ("Prompt", "Negative prompt")
_NAMED_BY_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d-\d\d-[0-9a-f]{8}")


def is_ours(parameters: Mapping[str, Any]) -> bool:
    """Whether the text was written by a comparison."""
    return _OURS in parameters


def is_comparison(parameters: Mapping[str, Any]) -> bool:
    """Whether the text asks for a comparison that the panel can say, so that the script shall be chosen.

    Our sheets do, and X/Y/Z plots of checkpoints whose every axis is one here. One cell of ours is a picture.
    """
    try:
        infotext = _infotext(parameters)
        if is_ours(parameters):
            return any(f"{letter} Type" in parameters for letter in "XYZ") or "experiment" in extra(infotext)
        plot = xyz(infotext)
        kinds = [kind_of(axis) for axis in plot.axes] if plot else []
        return all(kinds) and any(kind.name == "checkpoint" for kind in kinds if kind)
    except OhwxError:
        return False


def corrections(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the webui's own fields need as well: an experiment's base, where its first cell has something else."""
    try:
        ours = kept(_infotext(parameters))
    except OhwxError:
        return {}
    base = ours.get("base", {})
    keys = {"prompt": "Prompt", "negative": "Negative prompt", "schedule": "Schedule type"}
    found = {key: base[name] for name, key in keys.items() if isinstance(base.get(name), str)}
    if "prompt" in base or "negative" in base:
        found["Styles array"] = [str(style["name"]) for style in ours.get("styles", []) if "name" in style]
    return found


def pasted_arguments(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name (`arguments.ARGUMENTS`) that `parameters`, as the webui parsed them, say; the rest stays.

    {} for a text with neither plot nor face pass, for one cell of ours, for a plot with an axis that the panel does not
    have, and for a text that cannot be read: pasting must never fail.
    """
    is_plot = is_ours(parameters) or any(f"{letter} Type" in parameters for letter in "XYZ")
    if is_plot and not is_comparison(parameters):
        return {}
    try:
        infotext = _infotext(parameters)
        return {**_grid(infotext, parameters), **_face(infotext), **_shown(infotext)}
    except OhwxError:
        return {}


def _infotext(parameters: Mapping[str, Any]) -> Infotext:
    infotext = parse("Steps: 1, Sampler: Euler, CFG scale: 1")
    for key, value in parameters.items():
        if isinstance(value, str) and key not in _PROMPTS:
            infotext = infotext.with_value(key, value)
    is_plot = any(f"{letter} Type" in parameters for letter in "XYZ")
    return infotext.with_value("Script", SCRIPT) if is_plot else infotext  # another script may be chosen by now


def _grid(infotext: Infotext, parameters: Mapping[str, Any]) -> dict[str, Any]:
    axes = axes_of(infotext)
    ours = is_ours(parameters)
    if not axes and not ours:
        return {}
    checkpoints = next(([str(ref) for ref in axis.values] for axis in axes if axis.kind == "checkpoint"), None)
    if checkpoints is None and ours and "Model" in parameters:
        checkpoints = [str(parameters["Model"])]
    varied = [axis for axis in axes if axis.kind != "checkpoint"]
    others = [(KINDS[axis.kind].title, write_values(axis)) for axis in varied]
    found: dict[str, Any] = {} if checkpoints is None else {"checkpoints": checkpoints}
    found |= _control(infotext) if ours else {}
    for i, (title, text) in zip(AXES, [*others, *[(NOTHING, "")] * len(AXES)], strict=False):
        found |= {f"axis_{i}": title, f"values_{i}": text}
    return {**found, "more_axes": "\n".join(map(axis_line, varied[len(AXES) :]))}


def _control(infotext: Infotext) -> dict[str, Any]:
    """The control, which is one of the checkpoints too; none where the text names none."""
    told = kept(infotext).get("control")
    if told is None:
        return {name: getattr(Panel(), name) for name in ("control", "class_token", "class_words")}
    found = Control.read(told)
    return {"control": str(found.checkpoint), "class_token": found.class_token, "class_words": found.class_words}


def _face(infotext: Infotext) -> dict[str, Any]:
    ours = kept(infotext).get("faces")
    base = {"job": {"prompt": "", "seed": 0}, "faces": ours}
    tabs = faces(infotext) if ours is None else Experiment.from_dict(base).faces
    if not tabs:
        return {"faces": False} if is_ours({pair.key: pair for pair in infotext.pairs}) else {}
    tab, more = tabs[0], tabs[1:]
    if set(_changed(tab)) - {"model", *ARGUMENTS}:  # what the panel has no field for
        rest = _tabs_text(tabs)
        return {"faces": True, "adetailer": False, "detector": NO_DETECTOR, "more_tabs": rest}
    same = {name: value for name, value in asdict(tab).items() if name in ARGUMENTS}
    zeros = {name: same[name] or 0 for name in ("steps", "width", "height", "cfg")}
    named = {name: same[name] or AS_PICTURE for name in ("sampler", "schedule")}
    rest = _tabs_text(more) if more else ""
    return {**same, **zeros, **named, "faces": True, "adetailer": False, "detector": tab.model, "more_tabs": rest}


def _tabs_text(tabs: Sequence[FaceSettings]) -> str:
    return json.dumps([_changed(tab) for tab in tabs], ensure_ascii=False)


def _changed(tab: FaceSettings) -> dict[str, Any]:
    default = asdict(FaceSettings())
    return {name: value for name, value in asdict(tab).items() if name == "model" or value != default[name]}


def _shown(infotext: Infotext) -> dict[str, Any]:
    """Which pictures were shown, on what sheets, and the run folder where the user named it."""
    ours = extra(infotext)
    found: dict[str, Any] = {}
    run = ours.get("run")
    if isinstance(run, str):
        found["name"] = "" if _NAMED_BY_TIME.fullmatch(run) else run
    if "cell" in ours or "sheet" in ours or run:
        found["keep_before"] = ours.get("keep_before") is not False
        found |= sheet_arguments(ours.get("show", {}))
    return found
