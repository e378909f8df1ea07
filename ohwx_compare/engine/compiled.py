"""The UNet's transformer blocks compiled, for one shape of x; any other shape is computed as ever.

Blocks of one size share their code, so that SDXL's seventy are compiled twice. Weights are inputs of it: a switch of
checkpoints compiles nothing. torch keeps what it compiled on disk, for other runs too.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ohwx_compare.errors import HostError
from ohwx_compare.models.unet import TransformerBlock, UNet

__all__ = ["compile_blocks", "require_compiler"]

_MARK = "compiled_for"
_FOLDER = "TORCHINDUCTOR_CACHE_DIR"


def require_compiler(device: torch.device, cache: Path | None = None) -> None:
    """Raise HostError where this torch cannot compile for `device`. cache: where it keeps what it compiled."""
    if cache:
        os.environ.setdefault(_FOLDER, str(cache / "compiled"))
    if not hasattr(torch.compiler, "set_stance"):
        raise HostError(f"torch {torch.__version__} would compile each block again; do without, or use torch 2.6.")
    try:
        with torch.inference_mode():
            torch.compile(torch.cos, dynamic=False)(torch.zeros(16, device=device))
    except (RuntimeError, ImportError, OSError) as error:  # no C++ compiler, no Triton
        why = str(error).strip().partition("\n")[0].rstrip(".")
        raise HostError(f"torch cannot compile for {device} here: {why}. Do without.") from error


def compile_blocks(unet: UNet, own: torch.Size | None = None) -> None:
    """Have the blocks of `unet` compiled for x of the shape `own`, None for that of the first call; once for each UNet.

    They are compiled when they are first called with it.
    """
    if hasattr(unet, _MARK):
        return
    shape = _Shape(own)
    setattr(unet, _MARK, shape)
    unet.register_forward_pre_hook(lambda _, inputs: shape.look(inputs[0]))
    for block in unet.modules():
        if isinstance(block, TransformerBlock):
            block.forward = shape.either(block.forward)  # type: ignore[method-assign]


class _Shape:
    """Which shape is compiled, and whether the call at hand is of it."""

    def __init__(self, own: torch.Size | None) -> None:
        self.own = own
        self.is_own = False

    def look(self, x: torch.Tensor) -> None:
        """At what the UNet is called with; the first one counts."""
        self.own = self.own or x.shape
        self.is_own = x.shape == self.own

    def either(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """`plain`, or what it was compiled to."""
        fast = torch.compile(plain, dynamic=False)
        return lambda *inputs: (fast if self.is_own else plain)(*inputs)
