"""Which program's metadata a picture carries that has no infotext of the webui.

Sources: the pictures themselves, as ComfyUI (`prompt` and `workflow`), InvokeAI (`invokeai_metadata`, before 3.0
`sd-metadata` and `Dream`), NovelAI (`Software`), Fooocus, SwarmUI, Easy Diffusion, NMKD, Draw Things (XMP) write them.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from ohwx_compare.numerals import decode_json

__all__ = ["program_of"]

_KEYS: Mapping[str, str] = MappingProxyType({  # a text chunk that only this program writes
    "workflow": "ComfyUI", "invokeai_metadata": "InvokeAI", "invokeai_graph": "InvokeAI", "sd-metadata": "InvokeAI",
    "Dream": "InvokeAI", "fooocus_scheme": "Fooocus", "NMKDiffusion": "NMKD", "use_stable_diffusion_model":
    "Easy Diffusion", "sui_image_params": "SwarmUI",
})  # fmt: skip
_IN_TEXT: Mapping[str, str] = MappingProxyType({  # a key of its JSON, which may stand in any chunk or comment
    "sui_image_params": "SwarmUI", "metadata_scheme": "Fooocus", "adm_guidance": "Fooocus", "class_type": "ComfyUI",
    "invokeai_metadata": "InvokeAI", "request_type": "NovelAI", "use_stable_diffusion_model": "Easy Diffusion",
    "v2": "Draw Things",
})  # fmt: skip
_SOFTWARE = ("NovelAI", "Draw Things", "Fooocus", "ComfyUI", "SwarmUI", "InvokeAI")
_LONGEST = 5_000_000  # characters of JSON that is read


def program_of(texts: Mapping[str, str]) -> str | None:
    """The program that wrote `texts`, a picture's other texts by their keys; None where nothing tells."""
    for key, program in _KEYS.items():
        if key in texts:
            return program
    for text in texts.values():
        if found := _named(text) or _by_json(text):
            return found
    return None


def _named(text: object) -> str | None:
    return next((name for name in _SOFTWARE if isinstance(text, str) and text.startswith(name)), None)


def _by_json(text: str) -> str | None:
    if "Draw Things" in text and "CreatorTool" in text:  # XMP
        return "Draw Things"
    start = re.sub(r"^\s*(prompt|workflow):\s*", "", text, flags=re.IGNORECASE).lstrip()  # EXIF, as ComfyUI writes it
    if not start.startswith(("{", '"{')) or len(text) > _LONGEST:
        return None
    try:
        found = decode_json(start)
    except ValueError:
        return None
    if isinstance(found, dict) and (named := _named(found.get("Software"))):
        return named
    nested = found.values() if isinstance(found, dict) else ()
    keys = set(found) if isinstance(found, dict) else set()
    keys |= {key for value in nested if isinstance(value, dict) for key in value}
    return next((program for key, program in _IN_TEXT.items() if key in keys), None)
