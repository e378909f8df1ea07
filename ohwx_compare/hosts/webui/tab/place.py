"""The webui's tabs "ohwx compare" and "ohwx train": empty places that javascript/ fills, and what "send to" needs."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from PIL import Image

from ohwx_compare.errors import OhwxError
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import runs_folder
from ohwx_compare.numerals import decode_json

__all__ = ["ui_tabs"]

_TARGETS = ("txt2img", "img2img", "inpaint")


class _Tab:
    """What the webui takes for a tab: it calls `render` where the tab's block is open.

    No `gr.Blocks`, each of which makes a server of its own: 12 to 25 ms of the webui's start.
    """

    children = ()  # the webui looks among them for values to save

    def __init__(
        self, name: str, hidden: Sequence[gr.components.Component] = (), wire: Callable[[], None] = lambda: None
    ):
        self._name, self._hidden, self._wire = name, hidden, wire

    def render(self) -> None:
        """An empty place, the hidden components, and what happens between them."""
        gr.HTML(f'<div id="{self._name}" class="ohwx-compare"></div>')
        with gr.Row(elem_classes=["ohwx-hidden"]):
            for component in self._hidden:
                component.render()
        self._wire()


def ui_tabs() -> list[tuple[Any, str, str]]:
    """The tabs as the webui's `on_ui_tabs` takes them: what it renders, title, elem_id. Anew for each of its pages."""
    return [(_sending(), "ohwx compare", "ohwx_compare"), (_Tab("ohwx-train"), "ohwx train", "ohwx_train")]


def _sending() -> _Tab:
    """Hidden components: the page writes what it sends, clicks "load", then the webui's own "send to" buttons.

    They take image and infotext from components, so that all parameters arrive as from a gallery. The webui wires its
    buttons before it renders the tabs.
    """
    what = gr.Textbox(label="ohwx: what to send", elem_id="ohwx_send_what", render=False)
    load = gr.Button("load", elem_id="ohwx_send_load", render=False)
    image = gr.Image(
        label="ohwx: picture to send", elem_id="ohwx_send_image", type="pil", interactive=False, render=False
    )
    text = gr.Textbox(label="ohwx: infotext to send", elem_id="ohwx_send_infotext", render=False)
    done = gr.Textbox(label="ohwx: sent", elem_id="ohwx_send_done", render=False)
    buttons = {target: gr.Button(target, elem_id=f"ohwx_send_{target}", render=False) for target in _TARGETS}
    paste = features.pasting()
    for target, button in buttons.items():
        paste.register_paste_params_button(
            paste.ParamBinding(
                paste_button=button, tabname=target, source_text_component=text, source_image_component=image
            )
        )

    def wire() -> None:
        load.click(_load, inputs=[what], outputs=[image, text, done], show_progress=False)

    return _Tab("ohwx-compare", [what, load, image, text, done, *buttons.values()], wire)


def _load(what: str) -> tuple[Image.Image | None, str, str]:
    """Image, infotext and the page's own words again, which tell it that both arrived."""
    from ohwx_compare.files.images import load_rgb
    from ohwx_compare.files.inner import PICTURE_TYPES, inside

    try:
        asked = decode_json(what)
        path = inside(runs_folder(), f"{asked['run']}/{asked['image']}")
        is_picture = path.suffix.lower() in PICTURE_TYPES
        return (load_rgb(path) if is_picture else None), str(asked.get("infotext", "")), what
    except (ValueError, TypeError, KeyError, OSError, OhwxError):  # not from our page
        return None, "", what
