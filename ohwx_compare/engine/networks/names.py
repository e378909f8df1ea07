"""Whose weights a tensor of a LoRA file changes, by the names that trainers give them.

Three ways to write one layer: kohya's after the checkpoint (lora_unet_input_blocks_4_1_proj_in), kohya's after
diffusers (lora_unet_down_blocks_1_attentions_0_proj_in), and PEFT's and diffusers' own with points
(unet.down_blocks.1.attentions.0.proj_in, text_encoder_2.text_model...). All become the first. The second text encoder
is always named after diffusers.
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/networks/lora.py, library/sdxl_model_util.py;
https://github.com/huggingface/diffusers/blob/v0.30.0/src/diffusers/loaders/lora_conversion_utils.py
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Place", "layer_and_part", "places", "spellings"]

_PARTS = {  # what a tensor is to its layer: in the file -> here
    "lora_A.weight": "lora_down.weight",
    "lora_B.weight": "lora_up.weight",
    "lora_A.default.weight": "lora_down.weight",
    "lora_B.default.weight": "lora_up.weight",
    "lora.down.weight": "lora_down.weight",
    "lora.up.weight": "lora_up.weight",
    "lora_magnitude_vector": "dora_scale",
    "lora_magnitude_vector.default.weight": "dora_scale",
}
_KNOWN_PARTS = (
    "lora_up.weight", "lora_down.weight", "lora_mid.weight", "alpha", "scale", "dora_scale", "hada_w1_a", "hada_w1_b",
    "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a",
    "lokr_w2_b", "lokr_t2", "on_input", "w_norm", "b_norm", "diff", "diff_b", "oft_blocks", "oft_diag", "rescale",
    "a1.weight", "a2.weight", "b1.weight", "b2.weight", "bias", "weight",
)  # fmt: skip
_OF_A_PROCESSOR = re.compile(r"\.processor\.(to_(?:q|k|v|out))_lora\.(down|up)\.weight\Z")
_PREFIXES = (  # the longest first
    ("base_model.model.", ""),
    ("text_encoder_2.", "lora_te2_"),
    ("text_encoder.", "lora_te1_"),
    ("diffusion_model.", "lora_unet_"),
    ("unet.", "lora_unet_"),
)
_INSIDE = {"conv1": "in_layers_2", "conv2": "out_layers_3", "norm1": "in_layers_0", "norm2": "out_layers_0",
           "time_emb_proj": "emb_layers_1", "conv_shortcut": "skip_connection"}  # fmt: skip
_BLOCK = re.compile(r"lora_unet_(down|up)_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)")
_MIDDLE = re.compile(r"lora_unet_mid_block_(attentions|resnets)_(\d+)_(.+)")
_SAMPLER = re.compile(r"lora_unet_(down|up)_blocks_(\d+)_(?:down|up)samplers_0_conv")
_ENDS = {
    "lora_unet_conv_in": "lora_unet_input_blocks_0_0",
    "lora_unet_conv_out": "lora_unet_out_2",
    "lora_unet_conv_norm_out": "lora_unet_out_0",
    "lora_unet_time_embedding_linear_1": "lora_unet_time_embed_0",
    "lora_unet_time_embedding_linear_2": "lora_unet_time_embed_2",
    "lora_unet_add_embedding_linear_1": "lora_unet_label_emb_0_0",
    "lora_unet_add_embedding_linear_2": "lora_unet_label_emb_0_2",
}
_QKV = ("q", "k", "v")


@dataclass(frozen=True)
class Place:
    """A layer that a LoRA can change."""

    part: str  # "unet", "clip_l" or "clip_g"
    weight: str  # name of the parameter within that part
    bias: str | None
    third: int | None = None  # of the weight's rows: 0 queries, 1 keys, 2 values, where one parameter holds all three
    attention: str | None = None  # the second encoder's layer whose attention this is a part of

    @property
    def needed(self) -> int:
        """How many places of one `attention` a file must fill: the webui adds to all of them or to none."""
        return 4


def places(part: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """The layers of one part by kohya's names; `shapes`: of the part's parameters."""
    found: dict[str, Place] = {}
    for name in shapes:
        layer, dot, kind = name.rpartition(".")
        bias = f"{layer}.bias" if f"{layer}.bias" in shapes else None
        if part == "clip_g":
            found |= _of_clip_g(name, bias)
        elif dot and kind == "weight":
            prefix = "lora_unet_" if part == "unet" else "lora_te1_"
            found[prefix + layer.removeprefix("transformer.").replace(".", "_")] = Place(part, name, bias)
    return found


def _of_clip_g(name: str, bias: str | None) -> dict[str, Place]:
    match = re.fullmatch(r"model\.transformer\.resblocks\.(\d+)\.(.+)", name)
    if match is None:
        return {}
    prefix, inside = f"lora_te2_text_model_encoder_layers_{match[1]}_", match[2]
    if inside == "attn.in_proj_weight":
        return {
            f"{prefix}self_attn_{letter}_proj": Place("clip_g", name, None, third, attention=match[1])
            for third, letter in enumerate(_QKV)
        }
    if inside == "attn.out_proj.weight":
        return {f"{prefix}self_attn_out_proj": Place("clip_g", name, bias, attention=match[1])}
    for ours, theirs in (("mlp.c_fc", "mlp_fc1"), ("mlp.c_proj", "mlp_fc2")):
        if inside == f"{ours}.weight":
            return {prefix + theirs: Place("clip_g", name, bias)}
    return {}


def layer_and_part(name: str) -> tuple[str, str]:
    """A tensor's layer, by a name that `spellings` takes, and what it is to it; ("", name) for no LoRA's tensor."""
    if match := _OF_A_PROCESSOR.search(name):
        inner = "to_out.0" if match[1] == "to_out" else match[1]
        return _joined(f"{name[: match.start()]}.{inner}"), f"lora_{match[2]}.weight"
    for part in (*_PARTS, *_KNOWN_PARTS):
        if name.endswith("." + part):
            return _joined(name.removesuffix("." + part)), _PARTS.get(part, part)
    return "", name


def _joined(layer: str) -> str:
    for prefix, ours in _PREFIXES:
        if layer.startswith(prefix):
            layer = ours + layer.removeprefix(prefix)
    return layer.replace(".", "_").replace("oft_unet_", "lora_unet_", 1)


def spellings(layer: str) -> tuple[str, ...]:
    """What kohya calls a layer of the checkpoint that is written in any of the three ways; the first that is there."""
    if layer in _ENDS:
        return (_ENDS[layer],)
    if match := _BLOCK.fullmatch(layer):
        way, block, kind, number, inside = match[1], int(match[2]), match[3], int(match[4]), match[5]
        at = f"input_blocks_{1 + 3 * block + number}" if way == "down" else f"output_blocks_{3 * block + number}"
        return (f"lora_unet_{at}_{_inner(kind, inside)}",)
    if match := _MIDDLE.fullmatch(layer):
        kind, number, inside = match[1], int(match[2]), match[3]
        place = "1" if kind == "attentions" else str(2 * number)
        return (f"lora_unet_middle_block_{place}_{_inner(kind, inside).partition('_')[2]}",)
    if match := _SAMPLER.fullmatch(layer):
        block = int(match[2])
        if match[1] == "down":
            return (f"lora_unet_input_blocks_{3 + 3 * block}_0_op",)
        return tuple(f"lora_unet_output_blocks_{2 + 3 * block}_{place}_conv" for place in (2, 1))
    return (layer,)


def _inner(kind: str, inside: str) -> str:
    return f"1_{inside}" if kind == "attentions" else f"0_{_INSIDE.get(inside, inside)}"
