"""Which program wrote an infotext, where it was not the webui, and what its reader should know.

Sources: the texts themselves, as Forge ("f2.0.1v1.10.1-..."), its forks "neo" and "classic", SD.Next (`App`), Fooocus
("Fooocus v2.4.3"), savers for ComfyUI ("ComfyUI") and Civitai's generator (`Created Date`) write them.
"""

import re

from ohwx_compare.core.infotext.pairs import Infotext

__all__ = ["notes_of", "writer_of"]

_MOST_RANDOM_SEED = 2**32 - 1  # of those that the webui picks
_FORGE = re.compile(r"f\d+\.\d|neo\b|classic\b", re.IGNORECASE)
_COMFYUI = re.compile(r"(?:euler|dpmpp|ddim|heun|lcm|uni_pc|dpm_2)(?:_\w+)?")  # its samplers' names
_CIVITAI = ("Created Date", "Civitai resources", "Civitai metadata")


def writer_of(infotext: Infotext) -> str | None:
    """The program that wrote the text; None for the webui, us, or where nothing tells."""
    version, sampler = infotext.get("Version") or "", infotext.get("Sampler") or ""
    seed = (infotext.get("Seed") or "").strip()
    if infotext.get("App"):
        return infotext.get("App")
    if named := re.match(r"(ComfyUI|Fooocus)\b", version):
        return named[1]
    if _FORGE.match(version):
        return "Forge"
    if _COMFYUI.fullmatch(sampler) or (seed.isdecimal() and len(seed) < 30 and int(seed) > _MOST_RANDOM_SEED):
        return "ComfyUI"
    if any(infotext.get(key) is not None for key in _CIVITAI):
        return "Civitai"
    return None


def notes_of(infotext: Infotext) -> tuple[str, ...]:
    """Sentences for a reader who expects the webui's picture.

    Another writer, an order of keys that no webui has, LoRAs that only a list of hashes names.
    """
    lost = _lost_loras(infotext)
    without = f"The text lists the LoRAs {', '.join(lost)}, which no prompt names: it is drawn without them."
    return (*_about_the_writer(infotext), *((without,) if lost else ()))


def _lost_loras(infotext: Infotext) -> list[str]:
    """The names in "Lora hashes" that are no tag of any prompt; only a tag tells the weight."""
    prompts = (infotext.prompt, *(pair.value for pair in infotext.pairs if "prompt" in pair.key.lower()))
    tags = {re.sub("[:,]", "", one) for prompt in prompts for one in re.findall(r"<(?:lora|lyco):([^:>]+)", prompt)}
    listed = (one.rpartition(":") for one in (infotext.get("Lora hashes") or "").split(","))
    return [name.strip() for name, colon, _ in listed if colon and name.strip() not in tags]


def _about_the_writer(infotext: Infotext) -> tuple[str, ...]:
    writer = writer_of(infotext)
    if writer:
        said = f"{writer} wrote this text, not the webui: its picture may differ, even with the same settings."
        return (*infotext.notes, said)
    keys = [pair.key for pair in infotext.pairs]
    earlier = [keys.index(key) for key in ("Size", "Model hash", "Model") if key in keys]
    if "Version" not in keys and "Clip skip" in keys and keys.index("Clip skip") < max(earlier, default=0):
        said = "No webui writes its keys in this order: another program may have made the picture, which may differ."
        return (*infotext.notes, said)
    return infotext.notes
