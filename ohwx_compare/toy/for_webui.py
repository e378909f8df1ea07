"""What a webui needs beside a toy checkpoint, whose sizes it does not know: written on request only.

A webui reads NAME.yaml beside NAME.safetensors for the sizes; that file names a folder for the first text encoder and
an architecture of open_clip for the second, which our extension registers when it finds the folder.
"""

import filecmp
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ohwx_compare.files.atomic import ensure_bytes, link
from ohwx_compare.files.checkpoint import Header, sha256
from ohwx_compare.files.tokenizer import vocabulary
from ohwx_compare.toy.checkpoint import TEXT, TOY, UNET, VAE_CONFIG, toy_sha256, toy_shapes, write_checkpoint
from ohwx_compare.toy.datasets import write_subject
from ohwx_compare.toy.face_detector import DETECTOR, write_toy_detector

__all__ = [
    "ARCHITECTURE",
    "FOLDER",
    "TOY_PICTURES",
    "is_of_toy_sizes",
    "put_into_webui",
    "write_config",
    "write_encoders",
]

FOLDER = "ohwx-toy"  # below the webui's models folder, and of its checkpoints
TOY_PICTURES = "pictures"  # below that folder of the models: what the toy is trained with
ARCHITECTURE = "ohwx-toy-bigG"  # open_clip's name of the second encoder, and of its file in FOLDER

_COUNT = 15  # as many as the article had photographs
_SIDE = 96  # px

_DIFFUSION = "sgm.modules.diffusionmodules"
_END = "<|endoftext|>"
_SPECIAL = {"bos_token": "<|startoftext|>", "eos_token": _END, "unk_token": _END, "pad_token": _END}


def put_into_webui(models: Path, checkpoints: Iterable[Path] = ()) -> Path:
    """Let the webui whose folder of models this is load the toy: checkpoint, face detector, and both encoders' sizes.

    Beside them come 15 pictures of one man to train it with.
    checkpoints: more files of the toy checkpoint's sizes, such as a demo's arms; they come beside it, as hard links
        where possible. One that is called as the toy checkpoint takes its place.
    Each file is whole or not there, and one that is there and equal stays. Returns the folder of the checkpoints.
    Raises OSError.
    """
    folder, detector = models / "Stable-diffusion" / FOLDER, models / "adetailer" / DETECTOR
    write_encoders(models)
    for each in (folder, detector.parent):
        each.mkdir(parents=True, exist_ok=True)
    write_toy_detector(detector)
    pictures = models / FOLDER / TOY_PICTURES
    if len([*pictures.glob("*/*.png")]) < _COUNT:
        write_subject(pictures, count=_COUNT, size=_SIDE)
    given = {folder / path.name: path for path in checkpoints}
    for path, source in given.items():
        write_config(path, models)
        if not (path.is_file() and filecmp.cmp(source, path, shallow=False)):
            link(source, path)
    toy = folder / TOY
    write_config(toy, models)
    if toy not in given and not (toy.is_file() and sha256(toy) == toy_sha256()):
        write_checkpoint(toy)
    return folder


def is_of_toy_sizes(header: Header) -> bool:
    """Whether a checkpoint's tensors are those of the toy checkpoint, whatever their dtypes."""
    return header.shapes == toy_shapes()


def write_encoders(models: Path) -> Path:
    """Write `models`/ohwx-toy: both encoders' sizes and the tokenizer, 2 MB. Returns it. Raises OSError."""
    folder = models / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    ids, merges = vocabulary()
    heads = TEXT.width // 64
    text = {"context_length": TEXT.positions, "vocab_size": TEXT.vocab, "width": TEXT.width, "heads": heads}
    files = {
        "vocab.json": ids,
        "special_tokens_map.json": _SPECIAL,
        "tokenizer_config.json": _SPECIAL
        | {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": 77,
            "do_lower_case": True,
            "add_prefix_space": False,
        },
        "config.json": {
            "architectures": ["CLIPTextModel"],
            "model_type": "clip_text_model",
            "hidden_act": "quick_gelu",
            "hidden_size": TEXT.width,
            "intermediate_size": 4 * TEXT.width,
            "num_attention_heads": heads,
            "num_hidden_layers": TEXT.layers,
            "projection_dim": TEXT.width,
            "max_position_embeddings": TEXT.positions,
            "vocab_size": TEXT.vocab,
            "layer_norm_eps": 1e-5,
            "bos_token_id": 49406,
            "eos_token_id": 49407,
            "pad_token_id": 1,
        },
        f"{ARCHITECTURE}.json": {
            "embed_dim": TEXT.width,
            "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},  # unused
            "text_cfg": text | {"layers": TEXT.layers},
        },
    }
    _ensure(folder / "merges.txt", "\n".join(["#version: 0.2", *merges, ""]))
    for name, content in files.items():
        _ensure(folder / name, json.dumps(content, ensure_ascii=False))
    return folder


def write_config(checkpoint: Path, models: Path) -> Path:
    """Write the .yaml beside a toy checkpoint for the webui whose folder of models this is. Raises OSError."""
    path = checkpoint.with_suffix(".yaml")
    _ensure(path, json.dumps({"model": _model(str(models.absolute() / FOLDER))}, indent=1))  # JSON is YAML
    return path


def _ensure(path: Path, text: str) -> None:
    ensure_bytes(path, text.encode("utf-8"))


def _model(first_encoder: str) -> dict[str, Any]:
    """generative-models' description of the toy checkpoint, as configs/inference/sd_xl_base.yaml has SDXL's."""
    params = {
        "scale_factor": 0.13025,
        "disable_first_stage_autocast": True,
        "denoiser_config": _described(f"{_DIFFUSION}.denoiser.DiscreteDenoiser", **_denoiser()),
        "network_config": _described(f"{_DIFFUSION}.openaimodel.UNetModel", **_unet()),
        "conditioner_config": _described("sgm.modules.GeneralConditioner", emb_models=_conditioners(first_encoder)),
        "first_stage_config": _described(
            "sgm.models.autoencoder.AutoencoderKLInferenceWrapper",
            embed_dim=VAE_CONFIG.latent,
            monitor="val/rec_loss",
            ddconfig=_autoencoder(),
            lossconfig={"target": "torch.nn.Identity"},
        ),
    }
    return _described("sgm.models.diffusion.DiffusionEngine", **params)


def _described(target: str, **params: Any) -> dict[str, Any]:
    return {"target": target, "params": params}


def _denoiser() -> dict[str, Any]:
    return {
        "num_idx": 1000,
        "weighting_config": {"target": f"{_DIFFUSION}.denoiser_weighting.EpsWeighting"},
        "scaling_config": {"target": f"{_DIFFUSION}.denoiser_scaling.EpsScaling"},
        "discretization_config": {"target": f"{_DIFFUSION}.discretizer.LegacyDDPMDiscretization"},
    }


def _unet() -> dict[str, Any]:
    top = UNET.widths[0]
    return {
        "adm_in_channels": UNET.vector,
        "num_classes": "sequential",
        "use_checkpoint": False,
        "in_channels": UNET.latent,
        "out_channels": UNET.latent,
        "model_channels": top,
        "attention_resolutions": [2**level for level, depth in enumerate(UNET.depths) if depth],
        "num_res_blocks": UNET.blocks,
        "channel_mult": [width // top for width in UNET.widths],
        "num_head_channels": 64,
        "use_spatial_transformer": True,
        "use_linear_in_transformer": True,
        "transformer_depth": [max(depth, 1) for depth in UNET.depths],
        "context_dim": UNET.context,
        "spatial_transformer_attn_type": "softmax-xformers",
        "legacy": False,
    }


def _autoencoder() -> dict[str, Any]:
    top = VAE_CONFIG.widths[0]
    return {
        "attn_type": "vanilla-xformers",
        "double_z": True,
        "z_channels": VAE_CONFIG.latent,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": top,
        "ch_mult": [width // top for width in VAE_CONFIG.widths],
        "num_res_blocks": VAE_CONFIG.blocks,
        "attn_resolutions": [],
        "dropout": 0.0,
    }


def _conditioners(first_encoder: str) -> list[dict[str, Any]]:
    encoders = "sgm.modules.encoders.modules"
    first = {"version": first_encoder, "layer": "hidden", "layer_idx": TEXT.layers - 1}
    second = {"arch": ARCHITECTURE, "version": "none", "freeze": True, "layer": "penultimate"}
    second |= {"always_return_pooled": True, "legacy": False}
    sizes = ("original_size_as_tuple", "crop_coords_top_left", "target_size_as_tuple")
    described: list[tuple[str, str, dict[str, Any]]] = [
        ("txt", "FrozenCLIPEmbedder", first),
        ("txt", "FrozenOpenCLIPEmbedder2", second),
        *((size, "ConcatTimestepEmbedderND", {"outdim": 256}) for size in sizes),
    ]
    return [
        {"is_trainable": False, "input_key": key, **_described(f"{encoders}.{kind}", **params)}
        for key, kind, params in described
    ]
