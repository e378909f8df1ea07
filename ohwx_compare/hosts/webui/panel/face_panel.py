"""The face pass in the script's panel: the settings of the article in sight, the rest in an accordion."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ohwx_compare.hosts.webui.request.arguments import ARGUMENTS, AS_PICTURE, NO_DETECTOR, Panel

__all__ = ["face_panel"]

_DETECTORS = (Panel.detector, NO_DETECTOR)


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

    def choice(self, name: str, label: str, kind: str, first: Sequence[str] = ()) -> None:
        self.made[name] = gr.Dropdown(self.names(kind, first), **self._common(name, label))

    def names(self, kind: str, first: Sequence[str]) -> list[str]:
        """`first`, then the known values of this kind as they are now."""
        return list(dict.fromkeys([*first, *self._of_kind(kind)]))

    def text(self, name: str, label: str, placeholder: str, lines: int = 1) -> None:
        self.made[name] = gr.Textbox(placeholder=placeholder, lines=lines, **self._common(name, label))


def face_panel(
    elem_id: Callable[[str], str],
    of_kind: Callable[[str], Sequence[str]],
    reread: gr.components.Component,
    *,
    has_adetailer: bool,
) -> list[gr.components.Component]:
    """Build it inside the block that is open: components in the order of `arguments.ARGUMENTS`.

    of_kind: known values of a kind of axis. reread: the button that reads the folders again, detectors' too.
    """
    parts = _Parts(elem_id, of_kind)
    with gr.Row():
        parts.checkbox("faces", "Face pass, in place of ADetailer")
        parts.checkbox("adetailer", "with the settings of ADetailer's panel", visible=has_adetailer)
    with gr.Column() as settings:
        _common(parts)
        with gr.Accordion("More face settings (0: as the picture)", open=False, elem_id=elem_id("more_faces")):
            _rare(parts)
    both = [parts.made["faces"], parts.made["adetailer"]]

    def visible(faces: bool, adetailer: bool) -> Any:
        return gr.update(visible=bool(faces and not adetailer))

    for switch in both:
        switch.change(visible, inputs=both, outputs=[settings], show_progress="hidden")

    def detectors() -> Any:
        return gr.update(choices=parts.names("face model", _DETECTORS))

    reread.click(detectors, inputs=[], outputs=[parts.made["detector"]], show_progress="hidden")
    return [parts.made[name] for name in ARGUMENTS if name in parts.made]


def _common(parts: _Parts) -> None:
    with gr.Row():
        parts.choice("detector", "Face detector", "face model", _DETECTORS)
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
        parts.choice("sampler", "Face sampler", "face sampler", [AS_PICTURE])
        parts.choice("schedule", "Face schedule", "face schedule", [AS_PICTURE])
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
