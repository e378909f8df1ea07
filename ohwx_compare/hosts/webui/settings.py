"""The section "ohwx compare" of the webui's settings."""

from typing import Any

import gradio as gr
from modules import shared

__all__ = ["NESTED_SCRIPTS", "RUNS_FOLDER", "TRUST_SAMPLES", "add_settings", "setting"]

RUNS_FOLDER, NESTED_SCRIPTS, TRUST_SAMPLES = "ohwx_runs_folder", "ohwx_nested_scripts", "ohwx_trust_samples"
_SECTION = ("ohwx", "ohwx compare")
_DEFAULTS = {
    RUNS_FOLDER: "",
    NESTED_SCRIPTS: "dynamic_prompting,dynamic_thresholding,hypertile_script,lora_block_weight,negpip,soft_inpainting,"
    "wildcard_recursive,wildcards",
    TRUST_SAMPLES: False,
}


def add_settings() -> None:
    """Add the section; the webui calls it before it builds its interface, without one perhaps never."""
    labels = {
        RUNS_FOLDER: "Folder of the runs, absolute or below the webui's data folder (empty: outputs/ohwx/compare)",
        NESTED_SCRIPTS: "Always-on scripts that run in the face pass too: file names, comma-separated",
        TRUST_SAMPLES: "Trust a sample of a checkpoint that was hashed before, instead of reading it whole",
    }
    for key, label in labels.items():
        field = gr.Checkbox if isinstance(_DEFAULTS[key], bool) else gr.Textbox
        shared.opts.add_option(key, shared.OptionInfo(_DEFAULTS[key], label, field, section=_SECTION))


def setting(key: str) -> Any:
    """The user's value, or the default where the webui does not know the setting yet."""
    return shared.opts.data.get(key, _DEFAULTS[key])
