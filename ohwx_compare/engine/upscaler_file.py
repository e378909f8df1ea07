"""Upscalers in files: ESRGAN's kind by our own network, other kinds through the package spandrel where it is installed.

Whose file it is is told by its tensors. Nothing of a `.pth` runs: both kinds are given tensors that our reader read.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ohwx_compare.core.request.hires import UPSCALER_FOLDERS
from ohwx_compare.engine.other_upscalers import read_other
from ohwx_compare.engine.unpickle import read_pt
from ohwx_compare.engine.upscale import TILE, Upscaler
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.models.esrgan import ESRGAN, ESRGANConfig
from ohwx_compare.models.unfilled import unfilled

__all__ = ["read_upscaler"]

_INNER = re.compile(r"(?:model\.1\.sub|RRDB_trunk|body)\.(\d+)\.(?:RDB|rdb)([123])\.conv([1-5])(?:\.0)?\.(weight|bias)")
_NAMES = {"trunk_conv": "conv_body", "HRconv": "conv_hr", "upconv1": "conv_up1", "upconv2": "conv_up2"}
_SEQUENCE = re.compile(r"model\.(\d+)\.(weight|bias)")
_AFTER_BODY = re.compile(r"model\.1\.sub\.\d+\.(weight|bias)")
_AVERAGED = {"SwinIR": TILE, "ScuNET": 256}  # px; modules/upscaler_utils.py: `tiled_upscale_2`


def read_upscaler(path: Path, *, device: torch.device, dtype: torch.dtype) -> Upscaler:
    """The network in a `.pth` or `.safetensors`: ESRGAN's in old or new naming, any other that spandrel knows.

    Its tiles are those of the webui's folder that it lies in, elsewhere those of its kind. Raises CheckpointError for
    a file that is neither, DetectorError for a `.pth` that cannot be read or is unsafe.
    """
    tensors = _tensors(path)
    state = {_name(name, tensors): tensor for name, tensor in tensors.items()}
    try:
        config = ESRGANConfig.from_shapes({name: tuple(tensor.shape) for name, tensor in state.items()})
        with unfilled():
            model = ESRGAN(config)
        model.load_state_dict(state, assign=True)
    except (KeyError, IndexError, RuntimeError):
        other = read_other(path.name, dict(tensors), device=device, dtype=dtype)
        kind, through, scale, like = other.kind, other.through, other.scale, other.like
    else:
        model = model.to(device=device, dtype=dtype).eval().requires_grad_(False)
        kind, through, scale, like = "ESRGAN", model, config.scale, model.conv_first.weight
    place = next((part for part in reversed(path.parts[:-1]) if part in UPSCALER_FOLDERS), kind)
    return Upscaler(through, scale, like, place in _AVERAGED, _AVERAGED.get(place, TILE))


def _tensors(path: Path) -> Mapping[str, Tensor]:
    if path.suffix.lower() == ".safetensors":
        from safetensors.torch import load_file

        read_header(path)
        return load_file(path)
    found = read_pt(path)
    for key in ("params_ema", "params", "state_dict"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise CheckpointError(f"{path.name} holds no weights of an upscaler; choose another file.")
    return {str(name).removeprefix("module."): tensor for name, tensor in found.items()}


def _name(name: str, tensors: Mapping[str, Tensor]) -> str:
    """BasicSR's name of a tensor."""
    if match := _INNER.fullmatch(name):
        return f"body.{match[1]}.rdb{match[2]}.conv{match[3]}.{match[4]}"
    if match := _AFTER_BODY.fullmatch(name):
        return f"conv_body.{match[1]}"
    if match := _SEQUENCE.fullmatch(name):
        order = sorted({int(m[1]) for other in tensors if (m := _SEQUENCE.fullmatch(other))})
        place = order.index(int(match[1]))
        ends = {0: "conv_first", len(order) - 1: "conv_last", len(order) - 2: "conv_hr"}
        return f"{ends.get(place, f'conv_up{place}')}.{match[2]}"
    layer, _, kind = name.rpartition(".")
    return f"{_NAMES.get(layer, layer)}.{kind}"
