"""The script's panel: one component for each of `arguments.ARGUMENTS`, in their order, and what helps to fill them in.

Helpers (filter, groups, pickers, estimate) are not arguments. Their handlers are plain functions: the webui's own
wrapper would clear the state of whatever job is running. What only a handler needs is imported there, so that the webui
starts as fast as before.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import gradio as gr
from modules.ui_components import ToolButton

from ohwx_compare.core.experiment.groups import groups
from ohwx_compare.core.experiment.titles import TITLES
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.panel.face_panel import FACE_LISTS, FacePanel, face_choices, face_panel
from ohwx_compare.hosts.webui.panel.sheet_panel import sheet_fields
from ohwx_compare.hosts.webui.request.arguments import ARGUMENTS, AXES, NOTHING, Panel

__all__ = ["Choices", "ScriptPanel", "paste_fields", "script_panel"]

_TITLES = (NOTHING, *(title for kind, title in TITLES.items() if kind != "checkpoint"))
_ESTIMATE = '<p class="ohwx-estimate">{}</p>'


class Choices(NamedTuple):
    """What this webui offers; all but the checkpoints is read again each time."""

    checkpoints: Callable[[], Sequence[str]]  # as they were at the last refresh
    of_kind: Callable[[str], Sequence[str]]  # known values of a kind of axis, () where there is no list
    found: Callable[[str], Sequence[str]]  # the same as they were when first asked for, to build the panels by
    find: Callable[[Sequence[str]], list[str]]  # the names of `checkpoints` for what infotexts call them, else theirs
    refresh: Callable[[], None]  # reads the checkpoint folders again, and lets the webui do so
    has_adetailer: Callable[[], bool]


class _List(NamedTuple):
    """A list that may grow while the webui runs."""

    shows: gr.components.Component
    inputs: Sequence[gr.components.Component]
    looks: Callable[..., Any]  # values of `inputs` -> how `shows` looks now


class ScriptPanel(NamedTuple):
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
        for name in (*(f"values_{i}" for i in AXES), "more_axes"):
            values = self.arguments[ARGUMENTS.index(name)]
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
    chosen, helpers, lists, reread = _checkpoints(elem_id, choices)
    control = _control(elem_id, choices)
    lists.append(_List(control[0], control[:1], lambda held: gr.update(choices=_bases(choices, held))))
    axes: list[gr.components.Component] = []
    for number in AXES:
        kind, text, picker = _axis(elem_id, choices, number)
        axes += [kind, text]
        helpers.append(picker)
        lists.append(_List(picker, [kind], lambda title: gr.update(choices=_values(choices, title))))
    more = gr.Textbox(
        value="",
        label="More axes",
        placeholder="one per line, as CFG scale: 5, 7",
        lines=1,
        max_lines=8,
        elem_id=elem_id("more_axes"),
    )
    faces = face_panel(elem_id, choices.of_kind, choices.found, has_adetailer=choices.has_adetailer())
    helpers.append(faces.offer)
    _reread(reread, [*lists, *_face_lists(faces, choices)], choices)
    with gr.Row(elem_classes=["ohwx-row"]):
        before = gr.Checkbox(
            value=default.keep_before, label="Show the pictures before the face pass", elem_id=elem_id("before")
        )
        name = gr.Textbox(
            value="",
            label="Run folder",
            placeholder="named by time",
            elem_id=elem_id("name"),
        )
    sheet = sheet_fields(elem_id)
    with gr.Row(elem_classes=["ohwx-row"]):
        button = gr.Button("What will it cost?", elem_id=elem_id("estimate"), size="sm", scale=0, min_width=160)
        told = gr.HTML(value=_ESTIMATE.format(features.refusal() or ""), elem_id=elem_id("estimate_text"))
    arguments = [
        *(json_text, chosen, *axes, *faces.arguments.values()),
        *(before, name, *control, more, *sheet),
    ]
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
            value = values[name]
            if name in FACE_LISTS:
                return gr.update(choices=_with(face_choices(name, choices.of_kind), [value]), value=value)
            if name == "control" and value != NOTHING:
                (value,) = choices.find([value])
            if name == "control":
                return gr.update(choices=_bases(choices, value), value=value)
            if name == "checkpoints":
                value = choices.find(value)
                return gr.update(choices=_with(choices.checkpoints(), value), value=value)
            return gr.update(value=value)

        return read

    return [(component, reader(name)) for name, component in zip(ARGUMENTS, components, strict=True)]


def _with(listed: Sequence[str], held: Iterable[str] | None) -> list[str]:
    """What a list offers: what is there, and what was asked for and is not, so that it is seen and not lost."""
    return [*(name for name in held or () if name not in listed), *listed]


def _checkpoints(
    elem_id: Callable[[str], str], choices: Choices
) -> tuple[gr.components.Component, list[gr.components.Component], list[_List], gr.components.Component]:
    """The checkpoints; as helpers what narrows their list and what adds a run or folder; their lists; the button."""
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
        value = list(dict.fromkeys([*(held or ()), *more]))
        return gr.update(choices=_with(files, held), value=value), gr.update(value=None)

    shown.change(narrowed, inputs=[shown, chosen], outputs=[chosen], show_progress="hidden")
    add.click(add_shown, inputs=[shown, chosen], outputs=[chosen], show_progress="hidden")
    group.input(add_group, inputs=[group, chosen], outputs=[chosen, group], show_progress="hidden")
    lists = [
        _List(chosen, [shown, chosen], narrowed),
        _List(group, [], lambda: gr.update(choices=[group.name for group in groups(choices.checkpoints())])),
    ]
    return chosen, [shown, group], lists, reread


def _face_lists(faces: FacePanel, choices: Choices) -> list[_List]:
    def looks(name: str) -> Callable[[str | None], Any]:
        return lambda held: gr.update(choices=_with(face_choices(name, choices.of_kind), filter(None, [held])))

    detector = faces.arguments["detector"]
    offer = _List(faces.offer, [detector], lambda held: faces.offered(held, choices.of_kind))
    return [*(_List(faces.arguments[name], [faces.arguments[name]], looks(name)) for name in FACE_LISTS), offer]


def _reread(button: gr.components.Component, lists: Sequence[_List], choices: Choices) -> None:
    """Let `button` read the folders again, then show all lists: in one handler, for gradio runs several at once."""

    def read_again(*values: Any) -> tuple[Any, ...]:
        choices.refresh()
        left = iter(values)
        return tuple(one.looks(*islice(left, len(one.inputs))) for one in lists)

    inputs = [component for one in lists for component in one.inputs]
    button.click(read_again, inputs=inputs, outputs=[one.shows for one in lists], show_progress="hidden")


def _control(elem_id: Callable[[str], str], choices: Choices) -> tuple[gr.components.Component, ...]:
    """The checkpoint that is asked for the class, and which words that changes."""
    default = Panel()

    with gr.Row(elem_classes=["ohwx-row"]):
        base = gr.Dropdown(
            _bases(choices, NOTHING),
            value=NOTHING,
            label="Add the base as control",
            elem_id=elem_id("control"),
        )
        token = gr.Textbox(value=default.class_token, label="Class token", elem_id=elem_id("class_token"))
        words = gr.Textbox(value="", label="Class", placeholder="as in the token", elem_id=elem_id("class"))
    return base, token, words


def _bases(choices: Choices, held: str) -> list[str]:
    return _with([NOTHING, *choices.checkpoints()], [held])


def _narrowed(files: Sequence[str], text: str, held: Sequence[str] | None) -> list[str]:
    """Names that hold every word of `text`, in the files' order, and those that are chosen already."""
    words = (text or "").casefold().split()
    shown = [name for name in files if name in (held or ()) or all(word in name.casefold() for word in words)]
    return _with(shown, held)


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
        from ohwx_compare.core.experiment.axes import KINDS

        known = _values(choices, title)
        hint = next((one.form.value for one in KINDS.values() if one.title == title), "")
        return gr.update(placeholder=hint), gr.update(choices=known, value=None, visible=bool(known))

    def picked(value: str, typed: str) -> tuple[Any, Any]:
        from ohwx_compare.core.infotext.xyz import to_csv

        return gr.update(value=", ".join(filter(None, (typed.strip(" ,"), to_csv([value]))))), gr.update(value=None)

    kind.change(of_kind, inputs=[kind], outputs=[text, picker], show_progress="hidden")
    picker.input(picked, inputs=[picker, text], outputs=[text, picker], show_progress="hidden")
    return kind, text, picker


def _values(choices: Choices, title: str) -> list[str]:
    """What an axis of this title can be given by a click."""
    from ohwx_compare.core.experiment.axis_text import kind_called

    return list(choices.of_kind(kind_called(title)))
