"""Which VAE an infotext names: the webui's key, or Forge's where they can mean nothing else."""

import re

from ohwx_compare.core.infotext.pairs import Infotext

__all__ = ["HIRES_MODULE", "OWN_VAE", "hires_vae_of", "names_vae", "vae_of"]

OWN_VAE = ("", "Automatic", "None")
"""What names no VAE file: the checkpoint's own is used."""
HIRES_MODULE = "Hires Module 1"
_SAME, _BUILT_IN = "Use same choices", "Built-in"
_ENCODER = re.compile(r"clip|t5|text|enc|umt5|llama|qwen", re.IGNORECASE)


def vae_of(infotext: Infotext) -> str | None:
    """The name of the file; None where the checkpoint's own was used.

    Forge names VAEs and text encoders alike, as Module 1, Module 2, ...; a single one that is called like no text
    encoder is a VAE.
    """
    if (named := (infotext.get("VAE") or "").strip()) not in OWN_VAE:
        return named
    module = (infotext.get("Module 1") or "").strip() if names_vae(infotext) else ""
    return None if module in ("", _BUILT_IN) else module


def hires_vae_of(infotext: Infotext) -> str | None:
    """The name of the second pass's VAE; None where it is the first's, "None" for the checkpoint's own."""
    named = (infotext.get(HIRES_MODULE) or _SAME).strip()
    if named == _SAME or not names_vae(infotext, "Hires "):
        return None
    return "None" if named == _BUILT_IN else named


def names_vae(infotext: Infotext, of: str = "") -> bool:
    """Whether the one module of the text is a VAE, or none. of: "Hires " for the second pass's."""
    modules = {pair.key: pair.value for pair in infotext.pairs if re.fullmatch(rf"{of}Module \d+", pair.key)}
    return list(modules) == [f"{of}Module 1"] and not _ENCODER.search(modules[f"{of}Module 1"])
