"""The tensors of the model in the webui's memory, under the names that the checkpoint's file has for them.

AUTOMATIC1111 keeps the file's own names, wraps embeddings and keeps what a LoRA changed beside it. Forge and its kin
hang three parts below `forge_objects`, with the text encoders under transformers' names: there query, key and value of
the second encoder are three tensors and its projection lies transposed (`backend/loader.py` and `backend/nn/clip.py` at
dfdcbab6; `ldm_patched/modules/sd1_clip.py` at reForge's 3b56b268 and forge-classic's 1f95d717).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import torch

__all__ = ["Pieces", "parameters"]

Pieces: TypeAlias = tuple[torch.Tensor, ...]
"""One tensor of the file: what memory holds of it, in order along the first axis."""

_OTHERS = ("forge_objects_original", "forge_objects_after_applying_lora")
_FIRST, _SECOND = "conditioner.embedders.0.", "conditioner.embedders.1.model."
_HEAD = re.compile(r"clip_g\.(?:transformer\.)?(?:text_model\.)?")
_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_IN_LAYER: Mapping[str, str] = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_BESIDE: Mapping[str, str] = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "final_layer_norm.bias": "ln_final.bias",
    "final_layer_norm.weight": "ln_final.weight",
    "logit_scale": "logit_scale",
    "text_projection": "text_projection",
}


def parameters(model: Any) -> dict[str, Pieces]:
    """All of them as they were loaded, without what LoRAs changed since; {} where no model is loaded."""
    objects = getattr(model, "forge_objects", None)
    if objects is None:
        return {name: (value,) for name, value in _of_modules(model)}
    return dict(_of_objects(model, objects))


def _of_modules(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    found: dict[str, torch.Tensor] = {}
    for path, module in getattr(model, "named_modules", tuple)():  # what stands in before the first load has none
        backup = getattr(module, "network_weights_backup", None)
        values = dict(module.named_parameters(recurse=False))
        if isinstance(backup, torch.Tensor):
            values["weight"] = backup
        elif isinstance(backup, tuple):  # of a MultiheadAttention; the second is its child's
            values["in_proj_weight"], values["out_proj.weight"] = backup
        for name, value in values.items():
            found.setdefault(_unwrapped(f"{path}.{name}"), value)
    yield from found.items()


def _of_objects(model: Any, objects: Any) -> Iterator[tuple[str, Pieces]]:
    everywhere = [objects, *filter(None, (getattr(model, name, None) for name in _OTHERS))]
    for name, value in _as_loaded(objects.unet.model, [one.unet for one in everywhere]).items():
        if name.startswith("diffusion_model."):
            yield f"model.{name}", (value,)
    for name, value in _as_loaded(objects.vae.first_stage_model, []).items():
        yield f"first_stage_model.{name}", (value,)
    encoders = _as_loaded(objects.clip.cond_stage_model, [one.clip.patcher for one in everywhere])
    yield from _of_first(encoders)
    yield from _of_second(encoders)


def _as_loaded(module: torch.nn.Module, patchers: list[Any]) -> dict[str, torch.Tensor]:
    """A module's parameters; those that a patcher keeps the original of are the original."""
    values = dict(module.named_parameters())
    for patcher in patchers:
        kept = getattr(getattr(patcher, "lora_loader", patcher), "backup", {})
        values |= {name: getattr(value, "weight", value) for name, value in kept.items()}
    return {_unwrapped(name): value for name, value in values.items()}


def _unwrapped(name: str) -> str:
    return name.replace(".wrapped.", ".")


def _of_first(encoders: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, Pieces]]:
    """Its projection is left out: it is made in memory, SDXL uses none and no file has one."""
    for name, value in encoders.items():
        if name.startswith("clip_l.") and "text_projection" not in name:
            yield _FIRST + name.removeprefix("clip_l."), (value,)


def _of_second(encoders: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, Pieces]]:
    for name, value in encoders.items():
        if not (head := _HEAD.match(name)):
            continue
        inner = name[head.end() :]
        if inner == "text_projection.weight":
            yield f"{_SECOND}text_projection", (value.T,)
        elif inner in _BESIDE:
            yield _SECOND + _BESIDE[inner], (value,)
        elif layer := _LAYER.fullmatch(inner):
            number, part, kind = layer.groups()
            if part == "self_attn.q_proj":
                others = (encoders[name.replace(".q_proj.", f".{one}_proj.")] for one in "kv")
                yield f"{_SECOND}transformer.resblocks.{number}.attn.in_proj_{kind}", (value, *others)
            elif part in _IN_LAYER:
                yield f"{_SECOND}transformer.resblocks.{number}.{_IN_LAYER[part]}.{kind}", (value,)
