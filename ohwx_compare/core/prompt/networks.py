"""The extra networks that a prompt asks for: <lora:name:te:unet:dyn>, read as the webui's Lora script reads them.

https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/extensions-builtin/Lora/extra_networks_lora.py
"""

import math
from dataclasses import dataclass

from ohwx_compare.core.prompt.parts import strip_tags
from ohwx_compare.errors import PromptError

__all__ = ["Network", "networks", "other_tags"]

_KINDS = ("lora", "lyco")  # one and the same; each kind's tags stand together, in the order of the kinds' first ones


@dataclass(frozen=True)
class Network:
    """A LoRA of a prompt: what it adds to the weights is multiplied by these."""

    name: str  # of its file without suffix, or the alias that the file gives itself
    te: float = 1.0  # in both text encoders
    unet: float = 1.0
    rank: int | None = None  # so many of its ranks; None is all


def networks(prompt: str) -> tuple[Network, ...]:
    """The LoRAs of `prompt` in the order in which their weights are added; one named twice is added twice.

    It is then added with the weights of its last tag both times, as in the webui. Raises PromptError for a tag whose
    weights are no numbers.
    """
    found: dict[str, list[Network]] = {}
    for tag in strip_tags(prompt)[1]:
        kind, _, rest = tag[1:-1].partition(":")
        if kind in _KINDS:
            found.setdefault(kind, []).append(_network(tag, rest.split(":")))
    together = [network for kind in found.values() for network in kind]
    last = {network.name: network for network in together}
    return tuple(last[network.name] for network in together)


def other_tags(prompt: str) -> tuple[str, ...]:
    """The tags of `prompt` that name no LoRA: hypernet, and kinds that nobody knows."""
    return tuple(tag for tag in strip_tags(prompt)[1] if tag[1 : tag.index(":")] not in _KINDS)


def _network(tag: str, items: list[str]) -> Network:
    named = dict(item.split("=") for item in items if item.count("=") == 1)
    name, *given = [item for item in items if item.count("=") != 1] or [""]
    try:
        te = float(named.get("te", given[0] if given else 1.0))
        unet = float(named.get("unet", given[1] if len(given) > 1 else te))
        dyn = named.get("dyn", given[2] if len(given) > 2 else None)
        rank = None if dyn is None else int(dyn)
    except ValueError:
        te, unet, rank = math.nan, math.nan, None
    if not (name and math.isfinite(te) and math.isfinite(unet)) or (rank is not None and rank < 1):
        raise PromptError(
            f"{tag[:80]} cannot be read; expected <lora:name:weight>, or <lora:name:te=weight:unet=weight:dyn=ranks>."
        )
    return Network(name, te, unet, rank)
