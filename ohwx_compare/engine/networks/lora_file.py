"""A LoRA's file: its tensors, and what a webui wants to be told of them.

https://github.com/kohya-ss/sd-scripts/blob/48d368fa/networks/lora.py (keys "ss_...")
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ohwx_compare.engine.reading import DTYPES
from ohwx_compare.files.tensors import write_tensors

__all__ = ["write_lora"]

_NAMES = MappingProxyType({dtype: name for name, dtype in DTYPES.items()})
_MODEL = MappingProxyType({"ss_network_module": "networks.lora", "ss_base_model_version": "sdxl_base_v1-0"})


def write_lora(path: Path, tensors: Mapping[str, Tensor], base: str, metadata: Mapping[str, str]) -> str:
    """Write `tensors`, on any device, for the checkpoint of the name `base`; returns the file's sha256.

    The webui lists the file under the name it has, for SDXL. Raises OSError where the disk is full.
    """
    kinds = {name: (_NAMES[tensor.dtype], tuple(tensor.shape)) for name, tensor in tensors.items()}
    ranks = {len(tensor) for name, tensor in tensors.items() if name.endswith(".lora_down.weight")}
    about = {
        **_MODEL,
        "ss_output_name": path.stem,
        "ss_sd_model_name": base,
        "ss_network_dim": str(max(ranks, default=0)),
    }

    def data(name: str) -> bytes:
        return tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()

    return write_tensors(path, kinds, data, {**about, **metadata})
