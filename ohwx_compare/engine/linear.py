"""Linear layers on the CPU: by torch's own product (MKL) or by oneDNN's, on the same plain weights.

MKL has no AVX-512 kernel for an AMD processor, oneDNN has: there a product takes 0.6 to 0.7 of the time. On an Intel
processor neither is faster. Sums differ in their last bits, so a picture is one kernel's, and a run keeps the one that
it began with. oneDNN's operator is that of torch's own compiler, in 2.1.2 as in 2.13.
"""

import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

__all__ = ["KERNELS", "ONEDNN", "TORCH", "has_onednn", "kernel_by_rule", "linear_by"]

TORCH, ONEDNN = "torch", "onednn"
KERNELS = (TORCH, ONEDNN)
_AMD = ("AuthenticAMD", "HygonGenuine")
_LEAST = 4_000_000  # multiplications; below that the call costs more than it gains


def kernel_by_rule(device: torch.device) -> str:
    """The kernel of a run that begins on `device`: by processor and torch alone, so that it is the same each time."""
    is_fast = device.type == "cpu" and has_onednn() and "AVX512" in torch.__config__.show()
    return ONEDNN if is_fast and any(name in _processor() for name in _AMD) else TORCH


def has_onednn() -> bool:
    """Whether this torch can multiply by oneDNN with plain weights."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@contextmanager
def linear_by(kernel: str) -> Iterator[None]:
    """Every `F.linear` of this thread by `kernel` within the block: in float32, on the CPU, without gradients.

    No module is touched, so what other threads do meanwhile with the same modules is computed as ever.
    """
    if kernel == TORCH:
        yield
        return
    with _ByOneDNN():
        yield


class _ByOneDNN(TorchFunctionMode):
    """Answers `F.linear`, and lets all else pass."""

    def __init__(self) -> None:
        super().__init__()
        self.product = torch.ops.mkldnn._linear_pointwise.default

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """One call of torch."""
        if func is F.linear and not kwargs and _gains(args[0], args[1]):
            return self.product(args[0], args[1], args[2] if len(args) > 2 else None, "none", [], "")
        return func(*args, **(kwargs or {}))


def _gains(x: Tensor, weight: Tensor) -> bool:
    is_plain = x.dtype is weight.dtype is torch.float32 and x.device.type == weight.device.type == "cpu"
    return is_plain and x.numel() * len(weight) >= _LEAST and not torch.is_grad_enabled()


@cache
def _processor() -> str:
    """What the system says of the processor, its maker's name among it."""
    if sys.platform == "linux":
        try:
            return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        except OSError:
            return ""
    return platform.processor()
