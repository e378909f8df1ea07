"""The section "ohwx compare" of the webui's settings."""

from typing import Any

import gradio as gr
from modules import shared

__all__ = ["NESTED_SCRIPTS", "RUNS_FOLDER", "add_settings", "setting"]

RUNS_FOLDER, NESTED_SCRIPTS = "ohwx_runs_folder", "ohwx_nested_scripts"
_SECTION = ("ohwx", "ohwx compare")
_DEFAULTS = {
    RUNS_FOLDER: "",
    NESTED_SCRIPTS: "dynamic_prompting,dynamic_thresholding,hypertile_script,lora_block_weight,negpip,soft_inpainting,"
    "wildcard_recursive,wildcards",
}


def add_settings() -> None:
    """Add the section; the webui calls it before it builds its interface, without one perhaps never."""
    labels = {
        RUNS_FOLDER: "Folder of the runs, absolute or below the webui's data folder (empty: outputs/ohwx/compare)",
        NESTED_SCRIPTS: "Always-on scripts that run in the face pass too: file names, comma-separated",
    }
    for key, label in labels.items():
        shared.opts.add_option(key, shared.OptionInfo(_DEFAULTS[key], label, gr.Textbox, section=_SECTION))


def setting(key: str) -> Any:
    """The user's value, or the default where the webui does not know the setting yet."""
    return shared.opts.data.get(key, _DEFAULTS[key])
