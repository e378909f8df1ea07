"""What the leader does between steps, where a model lies in rows on several cards: the others attend.

Each forward pass and each whole tensor takes all cards. So between two steps the leader goes on as if it were alone,
draws samples, saves, waits while it is paused, and tells the others what to take part in, until it comes back.
"""

from functools import partial

import torch
from torch import Tensor, nn

from ohwx_compare.models.unet import UNet
from ohwx_compare.train.learn.group import ProcessGroup
from ohwx_compare.train.learn.sharded import TENSOR, ShardedStepper

__all__ = ["Led", "rejoin"]

_DONE, _FORWARD = 0, 2


class Led(UNet):
    """A UNet in rows, for the leader to call between steps; no gradients."""

    def __init__(self, unet: UNet, group: ProcessGroup) -> None:
        nn.Module.__init__(self)
        self.config, self.unet, self.group = unet.config, unet, group

    def read(self, context: Tensor) -> Tensor:  # type: ignore[override]
        """The prompt as it is: keys and values would be read outside of the blocks' forward pass."""
        return context

    @torch.inference_mode(mode=False)
    @torch.no_grad()
    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        if self.group.leads:
            self.group.tell([_FORWARD, len(x), *x.shape[2:], context.shape[1]], x.device)
        inputs = [one.clone(memory_format=torch.contiguous_format) for one in (x, timesteps, context, y)]
        return self.unet(*map(self.group.spread, inputs))


def rejoin(looking: UNet, stepper: ShardedStepper, group: ProcessGroup) -> None:
    """The leader comes back, and the others attend until it does."""
    if group.leads:
        group.tell([_DONE, 0, 0, 0, 0], stepper.device)
        return
    while (told := group.tell([0] * 5, stepper.device))[0] != _DONE:
        if told[0] == TENSOR:
            stepper.whole(told[1])
        else:
            looking(*_empty(looking, told[1:]))


def _empty(led: UNet, sizes: list[int]) -> tuple[Tensor, ...]:
    """Room for a forward pass's input."""
    count, height, width, tokens = sizes
    like, config = next(led.parameters()), led.config
    new = partial(torch.empty, dtype=like.dtype, device=like.device)
    return (
        new((count, config.latent, height, width)),
        torch.empty(count, device=like.device),
        new((count, tokens, config.context)),
        new((count, config.vector)),
    )
