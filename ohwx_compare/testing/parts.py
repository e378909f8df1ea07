"""Small drawn files that belong beside a checkpoint: LoRAs of each kind, embeddings, a VAE. Nothing of it is trained.

Every tensor is a function of its name and a seed, as `tests/parity` had them when the real webui drew with them.
"""

import math
import zlib
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ohwx_compare.testing.tiny import tiny_shapes
from ohwx_compare.toy.drawn import draw_tensor

__all__ = ["LORAS", "OPTION_FIELDS", "draw_lora", "draw_parts", "draw_upscaler", "lora_targets"]

_UNET, _TE1, _TE2 = "model.diffusion_model.", "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
_INNER = {"mlp.c_fc.weight": "mlp_fc1", "mlp.c_proj.weight": "mlp_fc2", "attn.out_proj.weight": "self_attn_out_proj"}

Tensors = dict[str, NDArray[np.floating]]

OPTION_FIELDS = {  # options that a parity case was recorded with and its infotext does not tell: fields of a job
    "uni_pc_variant": "unipc_variant",
    "uni_pc_skip_type": "unipc_skip_type",
    "uni_pc_order": "unipc_order",
    "uni_pc_lower_order_final": "unipc_lower_order_final",
    "comma_padding_backtrack": "comma_backtrack",
    "sdxl_clip_l_skip": "clip_l_skip",
    "img2img_fix_steps": "fix_steps",
    "img2img_color_correction": "color_correction",
    "overlay_inpaint": "overlay",
    "hires_fix_use_firstpass_conds": "hires_first_loras",
    "ESRGAN_tile": "upscaler_tile",
    "ESRGAN_tile_overlap": "upscaler_overlap",
    "upscaler_for_img2img": "img2img_upscaler",
    "img2img_background_color": "background",
    "no_dpmpp_sde_batch_determinism": "sde_drawn_seed",
}
LORAS = ("drawn_lora", "drawn_lora_unet", "drawn_locon", "drawn_dora", "drawn_loha", "drawn_lokr")


def lora_targets(shapes: Mapping[str, tuple[int, ...]], *, convolutions: bool = False) -> dict[str, tuple[int, ...]]:
    """kohya's name -> weight shape of the layers that sd-scripts' LoRA trains in a checkpoint of these shapes."""
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        layer = name.removesuffix(".weight")
        if name.startswith(_UNET) and name != layer:
            inside = layer.removeprefix(_UNET)
            is_linear = "transformer_blocks" in inside and len(shape) == 2
            is_conv = convolutions and len(shape) == 4 and inside.endswith(("in_layers.2", "out_layers.3"))
            if is_linear or is_conv or inside.endswith((".proj_in", ".proj_out")):
                found["lora_unet_" + inside.replace(".", "_")] = shape
        elif name.startswith(_TE1) and ".layers." in name and len(shape) == 2:
            found["lora_te1_" + layer.removeprefix(_TE1).replace(".", "_")] = shape
        elif name.startswith(f"{_TE2}transformer.resblocks."):
            number, _, inside = name.removeprefix(f"{_TE2}transformer.resblocks.").partition(".")
            prefix = f"lora_te2_text_model_encoder_layers_{number}_"
            if inside in _INNER:
                found[prefix + _INNER[inside]] = shape
            elif inside == "attn.in_proj_weight":
                found |= {f"{prefix}self_attn_{letter}_proj": (shape[1], shape[1]) for letter in "qkv"}
    return found


def draw_lora(name: str, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """The tensors of one of `LORAS`, for a checkpoint of these shapes."""
    every = lora_targets(shapes)
    unet = {layer: shape for layer, shape in every.items() if layer.startswith("lora_unet")}
    if name == "drawn_lora":
        return _low_rank(every, 11, 4, 2, 0.35)
    if name == "drawn_lora_unet":
        return _low_rank(unet, 12, 8, 8, 0.15)
    if name == "drawn_locon":
        return _low_rank(lora_targets(shapes, convolutions=True), 13, 4, 4, 0.3)
    if name == "drawn_dora":
        return _low_rank(every, 14, 4, 4, 0.2) | _magnitudes(every, 14)
    return _hadamard(unet, 15) if name == "drawn_loha" else _kronecker(unet, 16)


def draw_parts(models: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Write all of it into a webui's models folder: Lora, VAE, and embeddings beside it.

    shapes: of the checkpoint that they are for; None is a tiny one.
    """
    shapes = shapes or tiny_shapes()
    for name in LORAS:
        _save(models / "Lora" / f"{name}.safetensors", draw_lora(name, shapes), {"ss_output_name": name})
    vae = {name: shape for name, shape in shapes.items() if name.startswith("first_stage_model.")}
    drawn = {name.removeprefix("first_stage_model."): draw_tensor(name, shape, 31) for name, shape in vae.items()}
    _save(models / "VAE" / "drawn_vae.safetensors", drawn, {})
    widths = {
        "clip_g": shapes[f"{_TE2}token_embedding.weight"][1],
        "clip_l": shapes[f"{_TE1}text_model.embeddings.token_embedding.weight"][1],
    }
    for name, seed, count in (("drawn-embedding", 21, 2), ("drawn-negative", 22, 5)):
        vectors = {part: _draw(part, seed, (count, width), 0.1) for part, width in widths.items()}
        _save(models.parent / "embeddings" / f"{name}.safetensors", vectors, {})


def draw_upscaler(seed: int = 41, *, width: int = 16, blocks: int = 2, doublings: int = 2) -> Tensors:
    """An ESRGAN in the old naming, as 4x-UltraSharp has it; the webui drew with the one of the defaults."""
    sides = {"model.0": (width, 3), f"model.1.sub.{blocks}": (width, width)}
    for block, dense, conv in product(range(blocks), (1, 2, 3), range(1, 6)):
        outputs = 32 if conv < 5 else width
        sides[f"model.1.sub.{block}.RDB{dense}.conv{conv}.0"] = (outputs, width + 32 * (conv - 1))
    ends = [3 * (i + 1) for i in range(doublings)]
    last = 3 * doublings + 2
    sides |= {f"model.{i}": (width, width) for i in (*ends, last)} | {f"model.{last + 2}": (3, width)}
    found: Tensors = {}
    for name, (outputs, inputs) in sides.items():
        weight = _draw(name, seed, (outputs, inputs, 3, 3), (inputs * 9) ** -0.5 * 0.7)
        found[f"{name}.weight"] = weight.astype(np.float32)
        found[f"{name}.bias"] = _draw(f"{name}b", seed, (outputs,), 0.01).astype(np.float32)
    return found


def _draw(key: str, seed: int, shape: tuple[int, ...], scale: float) -> NDArray[np.float16]:
    stream = np.random.RandomState((zlib.crc32(key.encode()) ^ seed) & 0xFFFFFFFF)
    return np.asarray(stream.standard_normal(shape) * scale, np.float16)


def _low_rank(targets: Mapping[str, tuple[int, ...]], seed: int, rank: int, alpha: float, strength: float) -> Tensors:
    found: Tensors = {}
    for name, (outputs, inputs, *kernel) in targets.items():
        spread = math.prod((inputs, *kernel)) ** -0.5
        found[f"{name}.lora_down.weight"] = _draw(f"{name}.down", seed, (rank, inputs, *kernel), spread)
        found[f"{name}.lora_up.weight"] = _draw(f"{name}.up", seed, (outputs, rank, *[1] * len(kernel)), strength)
        found[f"{name}.alpha"] = np.asarray(alpha, np.float16)
    return found


def _magnitudes(targets: Mapping[str, tuple[int, ...]], seed: int) -> Tensors:
    drawn = {
        name: _draw(f"{name}.dora", seed, (1, inputs, *[1] * len(kernel)), 1).astype(np.float32)
        for name, (_, inputs, *kernel) in targets.items()
    }
    return {f"{name}.dora_scale": (1 + 0.05 * value).astype(np.float16) for name, value in drawn.items()}


def _hadamard(targets: Mapping[str, tuple[int, ...]], seed: int) -> Tensors:
    found: Tensors = {}
    for name, (outputs, *inputs) in targets.items():
        for part in ("hada_w1", "hada_w2"):
            found[f"{name}.{part}_a"] = _draw(f"{name}.{part}a", seed, (outputs, 4), 0.4).astype(np.float32)
            b = _draw(f"{name}.{part}b", seed, (4, math.prod(inputs)), 0.3)
            found[f"{name}.{part}_b"] = b.astype(np.float32)
        found[f"{name}.alpha"] = np.asarray(4, np.float32)
    return found


def _kronecker(targets: Mapping[str, tuple[int, ...]], seed: int) -> Tensors:
    found: Tensors = {}
    for name, shape in targets.items():
        if name.endswith(("_proj_in", "_proj_out")):
            continue
        found[f"{name}.lokr_w1"] = _draw(f"{name}.w1", seed, (4, 4), 0.5).astype(np.float32)
        found[f"{name}.lokr_w2"] = _draw(f"{name}.w2", seed, (shape[0] // 4, shape[1] // 4), 0.1).astype(np.float32)
        found[f"{name}.alpha"] = np.asarray(1, np.float32)
    return found


def _save(path: Path, tensors: Mapping[str, NDArray[np.floating]], metadata: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path, metadata=metadata or None)
