"""A picture as one line for the webui's script "Prompts from file or textbox".

Source: `cmdargs` and `prompt_tags` of scripts/prompts_from_file.py, webui 1.10.1: the line is split as a shell does,
each `--name` takes one value.
"""

import re

from ohwx_compare.files.folder_infos import Info

__all__ = ["prompt_line"]

_WHOLE = {"Seed": "seed", "Steps": "steps"}


def prompt_line(info: Info) -> str:
    """The line; "" for a picture that has no prompt. What the script does not take is left out."""
    said = info.parameters
    if not info.prompt and not info.negative:
        return ""
    found = [("prompt", _quoted(info.prompt))]
    found += [("negative_prompt", _quoted(info.negative))] if info.negative else []
    found += [(name, said[key]) for key, name in _WHOLE.items() if re.fullmatch(r"\d{1,19}", said.get(key, ""))]
    if re.fullmatch(r"\d{1,4}(\.\d{1,6})?", said.get("CFG scale", "")):
        found.append(("cfg_scale", said["CFG scale"]))
    if said.get("Sampler"):
        found.append(("sampler_name", _quoted(said["Sampler"])))
    if size := re.fullmatch(r"(\d{1,5})x(\d{1,5})", said.get("Size", "")):
        found += [("width", size[1]), ("height", size[2])]
    return " ".join(f"--{name} {value}" for name, value in found)


def _quoted(text: str) -> str:
    """On one line, in double quotes."""
    plain = re.sub(r"\s+", " ", text).strip()
    escaped = re.sub(r'(["\\])', r"\\\1", plain)
    return f'"{escaped}"'
