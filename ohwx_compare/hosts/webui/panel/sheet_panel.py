"""The panel's fields of the sheet: what X/Y/Z plot has too, under names that say it."""

from collections.abc import Callable

import gradio as gr

from ohwx_compare.core.experiment.titles import TITLES
from ohwx_compare.hosts.webui.request.arguments import NOTHING, Panel

__all__ = ["sheet_fields"]


def sheet_fields(elem_id: Callable[[str], str]) -> tuple[gr.components.Component, ...]:
    """Margin, legend, lone pictures and sheets of single values, in the order of the arguments."""
    default = Panel()
    with gr.Row(elem_classes=["ohwx-row"]):
        margin = gr.Textbox(
            value=default.sheet_margin,
            label="Margin of the sheet, px",
            placeholder="as its text needs",
            elem_id=elem_id("sheet_margin"),
        )
        each = gr.Dropdown(
            [NOTHING, *TITLES.values()],
            value=default.sheet_each,
            label="A sheet for each value of",
            elem_id=elem_id("sheet_each"),
        )
    with gr.Row(elem_classes=["ohwx-row"]):
        legend = gr.Checkbox(
            value=default.sheet_legend, label="Names and prompts on the sheet", elem_id=elem_id("sheet_legend")
        )
        pictures = gr.Checkbox(
            value=default.sheet_pictures, label="Each picture in the gallery too", elem_id=elem_id("sheet_pictures")
        )
    return margin, legend, pictures, each
