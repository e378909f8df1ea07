"""The webui's tabs "ohwx compare" and "ohwx train": empty places that javascript/ fills, and what "send to" needs."""

import json
import sys
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from ohwx_compare.errors import OhwxError
from ohwx_compare.hosts.webui.folders import runs_folder

__all__ = ["tabs"]

_TARGETS = ("txt2img", "img2img", "inpaint")


def tabs() -> list[tuple[Any, str, str]]:
    """The tabs as the webui's `on_ui_tabs` takes them: block, title, elem_id. Built anew for each of its pages.

    The second is no `gr.Blocks`, each of which makes a server of its own: 12 to 25 ms of the webui's start.
    """
    with gr.Blocks(analytics_enabled=False) as compare:
        gr.HTML('<div id="ohwx-compare" class="ohwx-compare"></div>')
        with gr.Row(elem_classes=["ohwx-hidden"]):
            _sender()
    train = gr.HTML('<div id="ohwx-train" class="ohwx-compare"></div>', render=False)
    return [(compare, "ohwx compare", "ohwx_compare"), (train, "ohwx train", "ohwx_train")]


def _sender() -> None:
    """Hidden components: the page writes what it sends, clicks "load", then the webui's own "send to" buttons.

    They take image and infotext from components, so that all parameters arrive as from a gallery.
    """
    what = gr.Textbox(label="ohwx: what to send", elem_id="ohwx_send_what")
    load = gr.Button("load", elem_id="ohwx_send_load")
    image = gr.Image(label="ohwx: picture to send", elem_id="ohwx_send_image", type="pil", interactive=False)
    text = gr.Textbox(label="ohwx: infotext to send", elem_id="ohwx_send_infotext")
    done = gr.Textbox(label="ohwx: sent", elem_id="ohwx_send_done")
    load.click(_load, inputs=[what], outputs=[image, text, done], show_progress=False)
    paste = _paste_module()
    for target in _TARGETS:
        button = gr.Button(target, elem_id=f"ohwx_send_{target}")
        paste.register_paste_params_button(
            paste.ParamBinding(
                paste_button=button, tabname=target, source_text_component=text, source_image_component=image
            )
        )
    for component in (what, image, text, done):
        component.do_not_save_to_config = True


def _load(what: str) -> tuple[Image.Image | None, str, str]:
    """Image, infotext and the page's own words again, which tell it that both arrived."""
    from ohwx_compare.hosts.webui.served import TYPES, inside

    try:
        asked = json.loads(what)
        path = inside(runs_folder(), f"{asked['run']}/{asked['image']}")
        is_picture = path.suffix.lower() in TYPES
        return (_open(path) if is_picture else None), str(asked.get("infotext", "")), what
    except (ValueError, TypeError, KeyError, OSError, OhwxError):  # not from our page
        return None, "", what


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _paste_module() -> Any:
    """The webui's own pasting, loaded by now: it has the first name since 1.8."""
    names = ("modules.infotext_utils", "modules.generation_parameters_copypaste")
    return next(sys.modules[name] for name in names if name in sys.modules)
