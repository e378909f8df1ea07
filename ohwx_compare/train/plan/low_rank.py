"""Which layers a LoRA trains, and how large its tensors are, from shapes alone.

The layers are those of sd-scripts: every matrix of the UNet's transformers, and of the text encoders' attentions and
MLPs. https://github.com/kohya-ss/sd-scripts/blob/48d368fa/networks/lora.py#L1006
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from ohwx_compare.engine.networks.names import Place, places
from ohwx_compare.engine.weights import PREFIXES

__all__ = ["FILE_PREFIXES", "low_rank_layers", "low_rank_shapes"]

FILE_PREFIXES = MappingProxyType({"unet": "lora_unet_", "clip_l": "lora_te1_", "clip_g": "lora_te2_"})
_TRAINED = {
    "unet": re.compile(r".*(\.transformer_blocks\..*|\.proj_in|\.proj_out)\.weight"),
    "clip_l": re.compile(r".*\.layers\..*\.weight"),
    "clip_g": re.compile(r".*\.resblocks\..*"),
}


def low_rank_layers(part: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """kohya's name -> place of every layer of a part ("unet", "clip_l", "clip_g") that is trained; its shapes by name.

    CLIP-L's last layer is not: the hidden state that SDXL uses comes before it.
    """
    trained = _TRAINED[part]
    found = {
        layer: place
        for layer, place in places(part, shapes).items()
        if trained.fullmatch(place.weight) and len(shapes[place.weight]) == 2
    }
    if part == "clip_l":
        last = max((_number(place) for place in found.values()), default=0)
        return {layer: place for layer, place in found.items() if _number(place) != last}
    return found


def _number(place: Place) -> int:
    match = re.search(r"\.layers\.(\d+)\.", place.weight)
    return int(match[1]) if match else -1


def low_rank_shapes(
    shapes: Mapping[str, tuple[int, ...]], parts: tuple[str, ...], rank: int, kind: str
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the trained tensors, as the LoRA's file names them, for a checkpoint of these shapes.

    kind: "lora" or "dora", which has one number more for each input.
    """
    found: dict[str, tuple[int, ...]] = {}
    for part in parts:
        start = PREFIXES[part]
        own = {name.removeprefix(start): shape for name, shape in shapes.items() if name.startswith(start)}
        for layer, place in low_rank_layers(part, own).items():
            outputs, inputs = own[place.weight]
            found[f"{layer}.lora_down.weight"] = (rank, inputs)
            found[f"{layer}.lora_up.weight"] = (outputs if place.third is None else inputs, rank)
            if kind == "dora":
                found[f"{layer}.dora_scale"] = (1, inputs)
    return found
