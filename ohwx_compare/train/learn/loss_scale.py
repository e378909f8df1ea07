"""What a loss is multiplied by, so that float16 gradients do not vanish: as large as they bear, learnt on the way.

Gradients of float16 weights are float16, which ends at 65,504 and knows nothing below 6e-8. Where one overflows, what
it would have moved is left out and the factor is halved; after many steps without, it is doubled. All of it stays on
the device: nobody waits to learn whether a step counted.

Source: Micikevicius et al., "Mixed Precision Training" (arXiv 1710.03740), section 3.2; the numbers are those of
torch's GradScaler, https://github.com/pytorch/pytorch/blob/v2.6.0/torch/amp/grad_scaler.py
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ohwx_compare.train.learn.optim import State, alongside

__all__ = ["FIRST", "LONG", "LossScale", "kept_where_lost"]

FIRST = 2.0**16
LONG = 2000  # steps without an overflow until it is doubled


@dataclass(eq=False)
class LossScale:
    """The factor, and how long it held; one number each, on the device."""

    device: torch.device
    scale: Tensor = field(init=False)  # float32, a power of two: dividing by it is exact
    calm: Tensor = field(init=False)  # float32, steps since it changed
    overflowed: Tensor = field(init=False)  # bool, of the step in hand

    def __post_init__(self) -> None:
        self.scale = torch.full((), FIRST, device=self.device)
        self.calm = torch.zeros((), device=self.device)
        self.begin()

    @property
    def state(self) -> State:
        """What a run needs to resume."""
        return {"scale": self.scale, "calm": self.calm}

    def put(self, kind: str, tensor: Tensor) -> None:
        """Give back what `state` had of a kind."""
        setattr(self, kind, tensor.to(self.state[kind]))

    def begin(self) -> None:
        """Before a step."""
        self.overflowed = torch.zeros((), dtype=torch.bool, device=self.device)

    def saw(self, finite: Tensor) -> Tensor:
        """Note which gradients are finite, bool of any shape; returns it."""
        self.overflowed = self.overflowed | ~finite.all()
        return finite

    def end(self) -> None:
        """After a step: the factor of the next one."""
        calm = torch.where(self.overflowed, 0.0, self.calm + 1)
        grows = calm >= LONG
        scale = torch.where(self.overflowed, self.scale / 2, torch.where(grows, self.scale * 2, self.scale))
        self.scale, self.calm = scale, torch.where(grows, 0.0, calm)


def kept_where_lost(state: State, before: State, finite: Tensor) -> None:
    """Put back what n tensors' state was before a step, where their gradients were not finite: bool (n,)."""
    for kind, old in before.items():
        state[kind].copy_(torch.where(alongside(finite, old), state[kind], old))
