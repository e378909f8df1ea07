"""The face pass in the script's panel: the settings of the article in sight, the rest in an accordion."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import gradio as gr

from ohwx_compare.hosts.webui.request.arguments import ARGUMENTS, AS_PICTURE, NO_DETECTOR, Panel

__all__ = ["FACE_LISTS", "FacePanel", "face_choices", "face_panel"]

_DETECTOR = Panel().detector
FACE_LISTS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType({
    "detector": ("face model", (_DETECTOR, NO_DETECTOR)),
    "sampler": ("face sampler", (AS_PICTURE,)),
    "schedule": ("face schedule", (AS_PICTURE,)),
})  # fmt: skip
"""The lists that may grow while the webui runs: a kind of axis, and what stands first."""


def face_choices(name: str, of_kind: Callable[[str], Sequence[str]]) -> list[str]:
    """What the list of this argument offers now."""
    kind, first = FACE_LISTS[name]
    known = of_kind(kind)
    return list(dict.fromkeys([*(one for one in first if one != _DETECTOR or one in known), *known]))


def is_detector(name: str | None, of_kind: Callable[[str], Sequence[str]]) -> bool:
    """Whether the face detector is there, or is the word for none."""
    return name in face_choices("detector", of_kind)


class FacePanel(NamedTuple):
    """The face pass's components, by argument in the order of `arguments.ARGUMENTS`, and what helps to fill them in."""

    arguments: dict[str, gr.components.Component]
    offer: gr.components.Component  # the detectors that are there, shown while the chosen one is not

    def offered(self, name: str | None, of_kind: Callable[[str], Sequence[str]]) -> Any:
        """How the offer looks while the detector `name` is chosen."""
        return gr.update(**_offer(name, of_kind))


class _Parts:
    """Makes components under the names of their arguments."""

    def __init__(self, elem_id: Callable[[str], str], of_kind: Callable[[str], Sequence[str]]):
        self.made: dict[str, gr.components.Component] = {}
        self._elem_id, self._of_kind, self._default = elem_id, of_kind, Panel()

    def _common(self, name: str, label: str) -> dict[str, Any]:
        return {"value": getattr(self._default, name), "label": label, "elem_id": self._elem_id(name)}

    def slider(self, name: str, label: str, least: float, most: float, step: float) -> None:
        self.made[name] = gr.Slider(least, most, step=step, **self._common(name, label))

    def checkbox(self, name: str, label: str, *, visible: bool = True) -> None:
        self.made[name] = gr.Checkbox(visible=visible, **self._common(name, label))

    def choice(self, name: str, label: str, kind: str = "") -> None:
        names = list(self._of_kind(kind)) if kind else face_choices(name, self._of_kind)
        common = self._common(name, label)
        if common["value"] not in names:  # a detector that is not there is not chosen beforehand
            common["value"] = None
        self.made[name] = gr.Dropdown(names, **common)

    def text(self, name: str, label: str, placeholder: str, lines: int = 1) -> None:
        self.made[name] = gr.Textbox(placeholder=placeholder, lines=lines, **self._common(name, label))


def face_panel(
    elem_id: Callable[[str], str],
    of_kind: Callable[[str], Sequence[str]],
    found: Callable[[str], Sequence[str]],
    *,
    has_adetailer: bool,
) -> FacePanel:
    """Build it inside the block that is open.

    of_kind: known values of a kind of axis; `found` those that it begins with.
    """
    parts = _Parts(elem_id, found)
    with gr.Row():
        parts.checkbox("faces", "Find and inpaint faces (ADetailer stays off)")
        parts.checkbox("adetailer", "Take the settings from ADetailer's panel", visible=has_adetailer)
    with gr.Column() as settings:
        offer = _offer_radio(elem_id("detectors"), found)
        _common(parts)
        with gr.Accordion("More face settings (0: as the picture)", open=False, elem_id=elem_id("more_faces")):
            _rare(parts)
    both = [parts.made["faces"], parts.made["adetailer"]]

    def visible(faces: bool, adetailer: bool) -> Any:
        return gr.update(visible=bool(faces and not adetailer))

    for switch in both:
        switch.change(visible, inputs=both, outputs=[settings], show_progress="hidden")
    panel = FacePanel({name: parts.made[name] for name in ARGUMENTS if name in parts.made}, offer)
    detector = parts.made["detector"]
    detector.change(
        lambda name: panel.offered(name, of_kind), inputs=[detector], outputs=[offer], show_progress="hidden"
    )
    offer.input(lambda name: gr.update(value=name), inputs=[offer], outputs=[detector], show_progress="hidden")
    return panel


def _offer_radio(elem_id: str, of_kind: Callable[[str], Sequence[str]]) -> gr.components.Component:
    looks = _offer(_DETECTOR, of_kind)
    return gr.Radio(looks.pop("choices"), value=None, elem_id=elem_id, **looks)


def _offer(name: str | None, of_kind: Callable[[str], Sequence[str]]) -> dict[str, Any]:
    there = list(of_kind("face model"))
    label = f"There is no face detector {name or _DETECTOR}. Choose one that is there:"
    return {"choices": there, "label": label, "visible": not is_detector(name, of_kind)}


def _common(parts: _Parts) -> None:
    with gr.Row():
        parts.choice("detector", "Face detector")
        parts.slider("confidence", "Face confidence", 0.0, 1.0, 0.01)
        parts.slider("top_k", "Face top k (0: all)", 0, 10, 1)
    with gr.Row():
        parts.slider("denoise", "Face denoise", 0.0, 1.0, 0.01)
        parts.slider("steps", "Face steps (0: as the picture)", 0, 150, 1)
        parts.slider("padding", "Face padding", 0, 256, 4)
    with gr.Row():
        parts.slider("dilate", "Face mask dilation", -128, 128, 4)
        parts.slider("blur", "Face mask blur", 0, 64, 1)
        parts.checkbox("only_masked", "Face only masked")
    parts.text("prompt", "Face prompt", "as the picture; [SEP] between faces, [SKIP] skips one, [PROMPT]: its prompt")


def _rare(parts: _Parts) -> None:
    parts.text("negative", "Face negative prompt", "as the picture")
    with gr.Row():
        parts.slider("width", "Face width", 0, 2048, 8)
        parts.slider("height", "Face height", 0, 2048, 8)
        parts.slider("cfg", "Face CFG", 0.0, 30.0, 0.5)
    with gr.Row():
        parts.choice("sampler", "Face sampler")
        parts.choice("schedule", "Face schedule")
        parts.choice("sort", "Face order", "face sort")
    with gr.Row():
        parts.choice("top_k_by", "Face top k by", "face top k by")
        parts.slider("min_ratio", "Face min area", 0.0, 1.0, 0.001)
        parts.slider("max_ratio", "Face max area", 0.0, 1.0, 0.001)
    with gr.Row():
        parts.choice("merge", "Face mask merging", "face merge")
        parts.slider("x_offset", "Face mask x offset", -200, 200, 1)
        parts.slider("y_offset", "Face mask y offset", -200, 200, 1)
    parts.text(
        "more_tabs", "More face tabs (JSON); with detector None: all of them", '[{"ad_model": "hand_yolov8n.pt"}]'
    )
