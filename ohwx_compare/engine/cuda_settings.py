"""torch's switches for CUDA that change the last bits of a picture: which are set, said and recorded."""

from typing import Any

import torch

from ohwx_compare.errors import HostError

__all__ = ["accumulate_fast", "cuda_changes", "cuda_words"]

_ACCUMULATION = "allow_fp16_accumulation"


def accumulate_fast(device: torch.device, dtype: torch.dtype) -> None:
    """Have products of float16 summed in float16 from now on. Raises HostError where that means nothing."""
    if device.type != "cuda" or dtype != torch.float16:
        used = str(dtype).removeprefix("torch.")
        raise HostError(f"Fast accumulation is for float16 on CUDA, not {used} on {device}; leave it out.")
    if not hasattr(torch.backends.cuda.matmul, _ACCUMULATION):
        raise HostError(f"torch {torch.__version__} cannot sum in float16; do without, or use torch 2.7.")
    setattr(torch.backends.cuda.matmul, _ACCUMULATION, True)


def cuda_changes(device: torch.device) -> dict[str, bool]:
    """What is set otherwise than torch sets it, by name; {} on other devices."""
    if device.type != "cuda":
        return {}
    return {name: value for name, (value, usual) in _switches().items() if value != usual}


def cuda_words(device: torch.device) -> str:
    """One sentence on how `device` computes; "" for other devices."""
    if device.type != "cuda":
        return ""
    is_on = {name: value for name, (value, _) in _switches().items()}
    said = (
        f"TF32 in products of float32 {_is(is_on['products in TF32'])}, in convolutions "
        f"{_is(is_on['convolutions in TF32'])}; cudnn's search for the fastest kernel {_is(is_on['cudnn benchmark'])}; "
        f"sums in float16 {_is(is_on['sums in float16'])}"
    )
    return f"{device}: {said}."


def _is(value: bool) -> str:
    return "on" if value else "off"


def _switches() -> dict[str, tuple[bool, bool]]:
    """Each as it is, and as torch sets it."""
    products: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    return {
        "products in TF32": (products.allow_tf32, False),
        "convolutions in TF32": (cudnn.allow_tf32, True),
        "cudnn": (cudnn.enabled, True),
        "cudnn benchmark": (cudnn.benchmark, False),
        "sums in float16": (bool(getattr(products, _ACCUMULATION, False)), False),
        "reduced sums of float16": (bool(products.allow_fp16_reduced_precision_reduction), True),
    }
