"""An infotext that is pasted into the webui, as the panel's values: ours, X/Y/Z's and ADetailer's of any version."""

from collections.abc import Mapping
from typing import Any

from ohwx_compare.core.axes import KINDS
from ohwx_compare.core.infotext import Infotext, faces, parse, xyz
from ohwx_compare.core.xyz import SCRIPT
from ohwx_compare.errors import OhwxError
from ohwx_compare.hosts.webui.request import NO_AXIS

__all__ = ["is_ours", "pasted"]

_OURS = "ohwx"
_PROMPTS = ("Prompt", "Negative prompt")


def is_ours(parameters: Mapping[str, Any]) -> bool:
    """Whether the text was written by a comparison, so that the script shall be chosen in the dropdown."""
    return _OURS in parameters


def pasted(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name (`request.ARGUMENTS`) that `parameters`, as the webui parsed them, say; the rest stays.

    {} for a text with neither plot nor face pass, or one that cannot be read: pasting must never fail.
    """
    try:
        infotext = _infotext(parameters)
        return {**_grid(infotext, parameters), **_face(infotext)}
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
    plot = xyz(infotext)
    if plot is None:
        return {"checkpoints": [str(parameters["Model"])]} if is_ours(parameters) and "Model" in parameters else {}
    kinds = {kind.xyz: kind.name for kind in KINDS.values() if kind.xyz}
    axes = [(kinds[axis.type], axis.values) for axis in plot.axes if axis.type in kinds]
    others = [(kind, ", ".join(map(_text, values))) for kind, values in axes if kind != "checkpoint"]
    others = [*others, (NO_AXIS, ""), (NO_AXIS, "")][:2]
    found = {"axis_1": others[0][0], "values_1": others[0][1], "axis_2": others[1][0], "values_2": others[1][1]}
    named = next((values for kind, values in axes if kind == "checkpoint"), None)
    return {**found, "checkpoints": list(map(str, named))} if named else found


def _face(infotext: Infotext) -> dict[str, Any]:
    tabs = faces(infotext)
    if not tabs:
        return {"faces": False} if infotext.get(_OURS) else {}
    tab = tabs[0]
    same = ("confidence", "top_k", "dilate", "blur", "denoise", "only_masked", "padding", "prompt", "negative")
    return {
        "faces": True,
        "detector": tab.model,
        "steps": tab.steps or 0,
        **{name: getattr(tab, name) for name in same},
    }


def _text(value: Any) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
