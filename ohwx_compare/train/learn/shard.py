"""A UNet in rows on several cards: torch's fully_shard (FSDP2) over its residual and transformer blocks.

A block's weights are whole on a card only while it is computed; the rest of the UNet is whole during a step. Gradients
come back in rows, added up in float32.
"""

import torch

from ohwx_compare.errors import ExperimentError, TrainingError
from ohwx_compare.models.unet import ResBlock, TransformerBlock, UNet
from ohwx_compare.train.learn.group import ProcessGroup
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.words import counted

__all__ = ["cut", "require_shard"]


def require_shard(recipe: Recipe, group: ProcessGroup) -> None:
    """Before anything is loaded: ExperimentError for another number of processes, TrainingError for an older torch."""
    if recipe.shard is None:
        return
    if group.size != recipe.shard:
        raise ExperimentError(
            f"shard is {recipe.shard}, and {counted(group.size, 'process', 'processes')} trained together; start it "
            f"with torchrun --nproc-per-node {recipe.shard}, or set shard to null."
        )
    try:
        from torch.distributed.fsdp import fully_shard  # noqa: F401  loads much of torch
    except ImportError as error:
        raise TrainingError(
            f"torch {torch.__version__} cannot shard a model (fully_shard is missing); install torch 2.6 or newer, or "
            "set shard to null."
        ) from error


def cut(unet: UNet, device: torch.device, cards: int) -> None:
    """Leave of the UNet's weights this card's rows, on `device`; one block at a time visits it whole meanwhile.

    Its parameters become DTensors under their old names. Their gradients are those of all cards' losses divided by the
    number of cards.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh, policy = init_device_mesh(device.type, (cards,)), MixedPrecisionPolicy(reduce_dtype=torch.float32)
    for block in [one for one in unet.modules() if isinstance(one, ResBlock | TransformerBlock)]:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(unet, mesh=mesh, mp_policy=policy)
