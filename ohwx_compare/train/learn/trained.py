"""Which weights of a model are trained, by their names in the checkpoint, and how their activations are kept."""

from collections.abc import Collection, Mapping
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from ohwx_compare.engine.weights import PREFIXES
from ohwx_compare.models.text import ClipL
from ohwx_compare.models.unet import ResBlock, TransformerBlock, UNet

__all__ = ["recompute", "trainable"]


def trainable(parts: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """Switch gradients on in `parts` ("unet", "clip_l", "clip_g"); full checkpoint names to parameters.

    CLIP-L's last layer and last norm stay as they are: the hidden state that SDXL uses comes before them.
    """
    weights = {}
    for part, module in parts.items():
        for name, weight in module.named_parameters():
            if not (isinstance(module, ClipL) and name.startswith(_unused(module))):
                weight.requires_grad_(True)
                weights[PREFIXES[part] + name] = weight
    return weights


def _unused(clip_l: ClipL) -> tuple[str, str]:
    text = "transformer.text_model."
    return f"{text}encoder.layers.{clip_l.config.layers - 1}.", f"{text}final_layer_norm."


def recompute(unet: UNet, names: Collection[str] | None = None) -> None:
    """Keep of each named block (None: of all) its input alone, and compute what is inside again in the backward pass.

    Chen et al., "Training deep nets with sublinear memory cost" (arXiv 1604.06174). Numbers and names do not change.
    """
    for name, block in unet.named_modules():
        if isinstance(block, ResBlock | TransformerBlock) and (names is None or name in names):
            again = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)
            block.forward = again  # type: ignore[method-assign]  # a wrapper would change the weights' names
