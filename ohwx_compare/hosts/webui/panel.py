"""The script's panel: one component for each of `request.ARGUMENTS`, in their order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from modules.ui_common import create_refresh_button

from ohwx_compare.core.axes import KINDS, CheckpointRef
from ohwx_compare.hosts.webui.paste import pasted
from ohwx_compare.hosts.webui.request import ARGUMENTS, NO_AXIS, Panel

__all__ = ["panel", "paste_fields"]

_AXES = (NO_AXIS, *(kind for kind in KINDS if kind != "checkpoint"))
_HOW = "comma-separated; ranges like 1-5 or 5-9 (+0.5) for numbers; prompts one a line; on, off for the face pass"


def panel(
    elem_id: Callable[[str], str],
    checkpoints: Callable[[], Sequence[str]],
    detectors: Sequence[str],
    refresh: Callable[[], None],
) -> list[gr.components.Component]:
    """Build the panel inside the block that is open. It may be called several times; it registers nothing.

    elem_id: the webui's own way to name a script's elements.
    refresh: makes the webui read its checkpoint folders again.
    """
    default = Panel()
    json_text = gr.Textbox(value="", label="JSON (API)", elem_id=elem_id("json"), visible=False)
    with gr.Row():
        chosen = gr.Dropdown(
            list(checkpoints()), value=[], multiselect=True, label="Checkpoints to compare", elem_id=elem_id("files")
        )
        create_refresh_button(chosen, refresh, lambda: {"choices": list(checkpoints())}, elem_id("files_refresh"))
    axes: list[gr.components.Component] = []
    for number in (1, 2):
        with gr.Row():
            kind = gr.Dropdown(list(_AXES), value=NO_AXIS, label=f"Axis {number}", elem_id=elem_id(f"axis_{number}"))
            text = gr.Textbox(
                "", label=f"Values {number}", lines=1, placeholder=_HOW, elem_id=elem_id(f"values_{number}")
            )
        axes += [kind, text]
    faces = _face_panel(elem_id, detectors, default)
    with gr.Row():
        before = gr.Checkbox(
            value=default.keep_before, label="Show the pictures before the face pass too", elem_id=elem_id("before")
        )
        name = gr.Textbox(
            value="",
            label="Run folder",
            placeholder="named by time; the same settings go on with it",
            elem_id=elem_id("name"),
        )
    components = [json_text, chosen, *axes, *faces, before, name]
    for component in components:
        component.do_not_save_to_config = True  # an old ui-config.json would override newer defaults
    return components


def paste_fields(
    components: Sequence[gr.components.Component], checkpoints: Callable[[], Sequence[str]]
) -> list[tuple[gr.components.Component, Callable[[Mapping[str, Any]], Any]]]:
    """What the webui calls for each component when an infotext is pasted; None leaves the component as it is."""

    def reader(name: str) -> Callable[[Mapping[str, Any]], Any]:
        def read(parameters: Mapping[str, Any]) -> Any:
            values = pasted(parameters)
            if name not in values:
                return None
            value = values[name]
            return gr.update(value=_known(value, checkpoints()) if name == "checkpoints" else value)

        return read

    return [(component, reader(name)) for name, component in zip(ARGUMENTS, components, strict=True)]


def _known(names: Sequence[str], files: Sequence[str]) -> list[str]:
    """The dropdown's own entries for names as infotexts write them: with a hash, or without folder and suffix."""
    found = []
    for name in names:
        plain = CheckpointRef.parse(name)
        same = [file for file in files if file == plain.name or CheckpointRef(file).stem == plain.stem]
        found += sorted(same, key=lambda file: file != plain.name)[:1]
    return list(dict.fromkeys(found))


def _face_panel(
    elem_id: Callable[[str], str], detectors: Sequence[str], default: Panel
) -> list[gr.components.Component]:
    def slider(name: str, label: str, least: float, most: float, step: float) -> gr.Slider:
        return gr.Slider(least, most, value=getattr(default, name), step=step, label=label, elem_id=elem_id(name))

    with gr.Row():
        is_on = gr.Checkbox(
            value=default.faces, label="Face pass (ADetailer is left out then)", elem_id=elem_id("faces")
        )
        names = list(dict.fromkeys([default.detector, *detectors]))
        detector = gr.Dropdown(names, value=default.detector, label="Face detector", elem_id=elem_id("detector"))
    with gr.Row():
        found = [
            slider("confidence", "Face confidence", 0.0, 1.0, 0.01),
            slider("top_k", "Largest faces only (0: all)", 0, 10, 1),
        ]
    with gr.Row():
        masked = [slider("dilate", "Mask dilation", -128, 128, 4), slider("blur", "Face mask blur", 0, 64, 1)]
    with gr.Row():
        denoise = slider("denoise", "Face denoising strength", 0.0, 1.0, 0.01)
        only = gr.Checkbox(value=default.only_masked, label="Face only masked", elem_id=elem_id("only_masked"))
        padding = slider("padding", "Face padding", 0, 256, 4)
        steps = slider("steps", "Face steps (0: as the picture)", 0, 150, 1)
    with gr.Row():
        prompt = gr.Textbox(value="", label="Face prompt", placeholder="as the picture", elem_id=elem_id("prompt"))
        negative = gr.Textbox(
            value="", label="Face negative", placeholder="as the picture", elem_id=elem_id("negative")
        )
    return [is_on, detector, *found, *masked, denoise, only, padding, steps, prompt, negative]
