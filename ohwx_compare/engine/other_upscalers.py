"""Upscalers that are not of ESRGAN's kind (SwinIR, DAT, HAT, SPAN, Compact, ...), by the package spandrel.

The webui reads its upscalers with it too (modules/modelloader.py, `load_spandrel_model`, 82a973c). It is an extra here
and is given tensors, never a file: how it would unpickle one does not matter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from ohwx_compare.errors import CheckpointError

__all__ = ["OtherUpscaler", "read_other"]

_PACKAGE = "sd-webui-ohwx-compare[upscalers]"


@dataclass(frozen=True)
class OtherUpscaler:
    """A network that spandrel made."""

    kind: str  # "SwinIR"
    through: Callable[[Tensor], Tensor]  # (1, 3, h, w), blue first, 0..1 -> (1, 3, scale * h, scale * w)
    scale: int
    like: Tensor  # of its device and dtype


def read_other(name: str, state: dict[str, Tensor], *, device: torch.device, dtype: torch.dtype) -> OtherUpscaler:
    """The network that these tensors are of; in float32 where it has no half precision. `name`: the file's.

    Raises CheckpointError where spandrel is not installed, and for tensors of no network that makes one picture (RGB)
    of another.
    """
    spandrel = _spandrel(name)
    try:
        found = spandrel.ModelLoader().load_from_state_dict(spandrel.canonicalize_state_dict(state))
    except spandrel.UnsupportedModelError as error:
        raise CheckpointError(f"{name} is an upscaler of no kind that is known; choose another file.") from error
    except (AssertionError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{name} is damaged or no upscaler; choose another file.") from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or (found.input_channels, found.output_channels) != (3, 3):
        raise CheckpointError(f"{name} makes no colour picture of another one; choose an upscaler.")
    found.to(device, torch.float32 if dtype == torch.float16 and not found.supports_half else dtype).eval()
    for weight in found.model.parameters():
        weight.requires_grad_(False)
    return OtherUpscaler(found.architecture.name, found, found.scale, next(found.model.parameters()))


def _spandrel(name: str) -> ModuleType:
    try:
        import spandrel
    except ImportError as error:
        raise CheckpointError(
            f"{name} is not an upscaler of ESRGAN's kind; others (SwinIR, DAT, HAT, SPAN, ...) need the package "
            f"spandrel: pip install {_PACKAGE!r}. Or choose one such as 4x-UltraSharp or RealESRGAN_x4plus."
        ) from error
    except RuntimeError as error:  # torchvision, which it imports, does not fit this torch
        raise CheckpointError(f"{name} needs the package spandrel, which cannot be loaded here: {error}.") from error
    return spandrel
