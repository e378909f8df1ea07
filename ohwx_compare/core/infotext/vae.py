"""Which VAE an infotext names: the webui's key, or Forge's where it can mean nothing else."""

import re

from ohwx_compare.core.infotext.pairs import Infotext

__all__ = ["OWN_VAE", "names_vae", "vae_of"]

OWN_VAE = ("", "Automatic", "None")
"""What names no VAE file: the checkpoint's own is used."""
_MODULE = re.compile(r"Module \d+")
_ENCODER = re.compile(r"clip|t5|text|enc|umt5|llama|qwen", re.IGNORECASE)


def vae_of(infotext: Infotext) -> str | None:
    """The name of the file; None where the checkpoint's own was used.

    Forge names VAEs and text encoders alike, as Module 1, Module 2, ...; a single one that is called like no text
    encoder is a VAE.
    """
    if (named := (infotext.get("VAE") or "").strip()) not in OWN_VAE:
        return named
    return (infotext.get("Module 1") or "").strip() or None if names_vae(infotext) else None


def names_vae(infotext: Infotext) -> bool:
    """Whether the text's one module is a VAE."""
    modules = {pair.key: pair.value for pair in infotext.pairs if _MODULE.fullmatch(pair.key)}
    return list(modules) == ["Module 1"] and not _ENCODER.search(modules["Module 1"])
