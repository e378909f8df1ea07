"""The script's panel: one component for each of `arguments.ARGUMENTS`, in their order, and what helps to fill them in.

Helpers (filter, groups, pickers, estimate) are not arguments. Their handlers are plain functions: the webui's own
wrapper would clear the state of whatever job is running. What only a handler needs is imported there, so that the webui
starts as fast as before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from modules.ui_components import ToolButton

from ohwx_compare.core.experiment.axes import KINDS, CheckpointRef
from ohwx_compare.core.experiment.groups import groups
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.panel.face_panel import FACE_LISTS, FacePanel, face_choices, face_panel
from ohwx_compare.hosts.webui.request.arguments import ARGUMENTS, AXES, NOTHING, Panel

__all__ = ["Choices", "ScriptPanel", "paste_fields", "script_panel"]

_TITLES = (NOTHING, *(kind.title for kind in KINDS.values() if kind.name != "checkpoint"))
_ESTIMATE = '<p class="ohwx-estimate">{}</p>'


@dataclass(frozen=True)
class Choices:
    """What this webui offers; read again each time."""

    checkpoints: Callable[[], Sequence[str]]
    of_kind: Callable[[str], Sequence[str]]  # known values of a kind of axis, () where there is no list
    refresh: Callable[[], None]  # makes the webui read its checkpoint folders again
    has_adetailer: Callable[[], bool]


@dataclass(frozen=True)
class ScriptPanel:
    """The arguments' components in order, and those that show the estimate."""

    arguments: list[gr.components.Component]
    estimate: gr.components.Component
    button: gr.components.Component

    def show_estimate(self, tell: Callable[..., str], others: Sequence[gr.components.Component]) -> None:
        """Let `tell(values of others..., of arguments...)` fill the estimate in: on the button and on changes."""
        inputs = [*others, *self.arguments]
        wiring = {"fn": tell, "inputs": inputs, "outputs": [self.estimate], "show_progress": "hidden"}
        self.button.click(**wiring)
        chosen = ("checkpoints", "control", "faces", "adetailer", "detector", "sampler", "schedule")
        for name in (*chosen, *(f"axis_{i}" for i in AXES)):
            self.arguments[ARGUMENTS.index(name)].change(**wiring)
        for i in AXES:
            values = self.arguments[ARGUMENTS.index(f"values_{i}")]
            for event in (values.blur, values.submit) if features.has_blur(values) else (values.change,):
                event(**wiring)


def script_panel(elem_id: Callable[[str], str], choices: Choices) -> ScriptPanel:
    """Build the panel inside the block that is open. It may be called several times; it registers nothing.

    elem_id: the webui's own way to name a script's elements.
    """
    with gr.Column(elem_classes=["ohwx-panel"]):
        return _built(elem_id, choices)


def _built(elem_id: Callable[[str], str], choices: Choices) -> ScriptPanel:
    default = Panel()
    json_text = gr.Textbox(value="", label="JSON (API)", elem_id=elem_id("json"), visible=False)
    chosen, helpers, reread = _checkpoints(elem_id, choices)
    control = _control(elem_id, choices, reread)
    axes: list[gr.components.Component] = []
    for number in AXES:
        kind, text, picker = _axis(elem_id, choices, number)
        axes += [kind, text]
        helpers.append(picker)
    faces = face_panel(elem_id, choices.of_kind, has_adetailer=choices.has_adetailer())
    helpers.append(faces.offer)
    _reread_faces(reread, faces, choices)
    with gr.Row(elem_classes=["ohwx-row"]):
        before = gr.Checkbox(
            value=default.keep_before, label="Show the pictures before the face pass", elem_id=elem_id("before")
        )
        name = gr.Textbox(
            value="",
            label="Run folder",
            placeholder="named by time; the same settings resume the run in it",
            elem_id=elem_id("name"),
        )
    with gr.Row(elem_classes=["ohwx-row"]):
        button = gr.Button("What will it cost?", elem_id=elem_id("estimate"), size="sm", scale=0, min_width=160)
        told = gr.HTML(value=_ESTIMATE.format(features.refusal() or ""), elem_id=elem_id("estimate_text"))
    arguments = [json_text, chosen, *axes, *faces.arguments.values(), before, name, *control]
    for component in (*arguments, *helpers):
        component.do_not_save_to_config = True  # an old ui-config.json would override newer defaults
    return ScriptPanel(arguments, told, button)


def paste_fields(
    components: Sequence[gr.components.Component], choices: Choices
) -> list[tuple[gr.components.Component, Callable[[Mapping[str, Any]], Any]]]:
    """The functions that the webui calls when an infotext is pasted; None leaves the component as it is."""

    def reader(name: str) -> Callable[[Mapping[str, Any]], Any]:
        def read(parameters: Mapping[str, Any]) -> Any:
            from ohwx_compare.hosts.webui.panel.paste import pasted_arguments

            values = pasted_arguments(parameters)
            if name not in values:
                return None
            if name == "detector":  # one that is not there is shown as what was asked for
                listed = [values[name], *face_choices(name, choices.of_kind)]
                return gr.update(choices=list(dict.fromkeys(listed)), value=values[name])
            if name not in ("checkpoints", "control"):
                return gr.update(value=values[name])
            files = list(choices.checkpoints())
            if name == "control":
                return gr.update(choices=[NOTHING, *files], value=next(iter(_known([values[name]], files)), NOTHING))
            return gr.update(choices=files, value=_known(values[name], files))

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


def _checkpoints(
    elem_id: Callable[[str], str], choices: Choices
) -> tuple[gr.components.Component, list[gr.components.Component], gr.components.Component]:
    """The checkpoints; as helpers what narrows their list and what adds a run or folder; what reads folders again."""
    files = list(choices.checkpoints())
    with gr.Row():
        chosen = gr.Dropdown(
            files, value=[], multiselect=True, label="Checkpoints to compare", elem_id=elem_id("files")
        )
        reread = ToolButton(value="\U0001f504", elem_id=elem_id("files_refresh"), tooltip="Read the folders again")
    with gr.Row(elem_classes=["ohwx-row"]):
        shown = gr.Textbox(
            value="", label="Show only names with", placeholder="part of a name or folder", elem_id=elem_id("filter")
        )
        add = gr.Button("Add all shown", elem_id=elem_id("add_shown"), size="sm", scale=0, min_width=120)
        group = gr.Dropdown(
            [group.name for group in groups(files)], value=None, label="Add a run or folder", elem_id=elem_id("group")
        )

    def narrowed(text: str, held: Sequence[str]) -> Any:
        return gr.update(choices=_narrowed(choices.checkpoints(), text, held))

    def add_shown(text: str, held: Sequence[str]) -> Any:
        names = _narrowed(choices.checkpoints(), text, held)
        return gr.update(choices=names, value=list(dict.fromkeys([*(held or ()), *names])))

    def add_group(name: str, held: Sequence[str]) -> tuple[Any, Any]:
        files = list(choices.checkpoints())
        more = next((group.checkpoints for group in groups(files) if group.name == name), ())
        return gr.update(choices=files, value=list(dict.fromkeys([*(held or ()), *more]))), gr.update(value=None)

    def read_again(text: str, held: Sequence[str]) -> tuple[Any, Any]:
        choices.refresh()
        return narrowed(text, held), gr.update(choices=[group.name for group in groups(choices.checkpoints())])

    shown.change(narrowed, inputs=[shown, chosen], outputs=[chosen], show_progress="hidden")
    add.click(add_shown, inputs=[shown, chosen], outputs=[chosen], show_progress="hidden")
    group.input(add_group, inputs=[group, chosen], outputs=[chosen, group], show_progress="hidden")
    reread.click(read_again, inputs=[shown, chosen], outputs=[chosen, group], show_progress="hidden")
    return chosen, [shown, group], reread


def _reread_faces(button: gr.components.Component, faces: FacePanel, choices: Choices) -> None:
    """Let `button` list the detectors, samplers and schedules of the face pass again."""
    detector = faces.arguments["detector"]

    def read_again(chosen: str | None) -> tuple[Any, ...]:
        lists = (gr.update(choices=face_choices(name, choices.of_kind)) for name in FACE_LISTS)
        return *lists, faces.offered(chosen, choices.of_kind)

    lists = [*(faces.arguments[name] for name in FACE_LISTS), faces.offer]
    button.click(read_again, inputs=[detector], outputs=lists, show_progress="hidden")


def _control(
    elem_id: Callable[[str], str], choices: Choices, reread: gr.components.Component
) -> tuple[gr.components.Component, ...]:
    """The checkpoint that is asked for the class, and which words that changes."""
    default = Panel()

    def files() -> list[str]:
        return [NOTHING, *choices.checkpoints()]

    with gr.Row(elem_classes=["ohwx-row"]):
        base = gr.Dropdown(
            files(),
            value=NOTHING,
            label="Add the base as control",
            elem_id=elem_id("control"),
        )
        token = gr.Textbox(value=default.class_token, label="Class token", elem_id=elem_id("class_token"))
        words = gr.Textbox(
            value="", label="Class", placeholder="the class token without its first word", elem_id=elem_id("class")
        )
    reread.click(lambda: gr.update(choices=files()), inputs=[], outputs=[base], show_progress="hidden")
    return base, token, words


def _narrowed(files: Sequence[str], text: str, held: Sequence[str] | None) -> list[str]:
    """Names that hold every word of `text`, in the files' order, and those that are chosen already."""
    words = (text or "").casefold().split()
    return [name for name in files if name in (held or ()) or all(word in name.casefold() for word in words)]


def _axis(elem_id: Callable[[str], str], choices: Choices, number: int) -> tuple[gr.components.Component, ...]:
    """Kind and values of one axis, and a picker for kinds whose values are known."""
    with gr.Row():
        kind = gr.Dropdown(
            list(_TITLES), value=NOTHING, label=f"Axis {number}", elem_id=elem_id(f"axis_{number}"), scale=1
        )
        text = gr.Textbox(value="", label=f"Values {number}", lines=1, elem_id=elem_id(f"values_{number}"), scale=3)
        picker = gr.Dropdown(
            [], value=None, label=f"Add to values {number}", visible=False, elem_id=elem_id(f"pick_{number}"), scale=1
        )

    def of_kind(title: str) -> tuple[Any, Any]:
        from ohwx_compare.core.experiment.axis_text import kind_called

        name = kind_called(title)
        known = list(choices.of_kind(name))
        hint = KINDS[name].form.value if name in KINDS else ""
        return gr.update(placeholder=hint), gr.update(choices=known, value=None, visible=bool(known))

    def picked(value: str, typed: str) -> tuple[Any, Any]:
        from ohwx_compare.core.infotext.xyz import to_csv

        return gr.update(value=", ".join(filter(None, (typed.strip(" ,"), to_csv([value]))))), gr.update(value=None)

    kind.change(of_kind, inputs=[kind], outputs=[text, picker], show_progress="hidden")
    picker.input(picked, inputs=[picker, text], outputs=[text, picker], show_progress="hidden")
    return kind, text, picker
