"""The optimiser step of all trained tensors: after the backward pass, or inside it tensor by tensor.

Inside ("fused") each gradient is used and freed as soon as it is there, so that no two are ever held: for SDXL's UNet
5 GB less in bfloat16. What needs all gradients at once is impossible then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ohwx_compare.train.learn.chance import generator
from ohwx_compare.train.learn.optim import Rule, round_stochastically

__all__ = ["Precision", "Stepper"]


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How steps are taken and kept; train/recipe/recipe.py refuses what cannot go together."""

    stochastic: bool = True  # bfloat16 weights are rounded up or down at random; False rounds to nearest
    fused: bool = True  # step within the backward pass: one backward pass a step, `by` "tensor"
    by: str = "tensor"  # what `clip` bounds: each tensor's gradient, or all of them together: "global"
    clip: float = 1.0  # largest norm; 0 does not clip
    seed: int = 0  # of the stochastic rounding


def _alone(grad: Tensor) -> None:
    """One process has everything already."""


@dataclass(eq=False)
class Stepper:
    """Moves `weights` by `rule`. A step is `begin`, backward passes, `end`.

    weights: checkpoint names to parameters, bfloat16 or float32, requiring gradients.
    rates: the learning rate of each name; `begin` scales them all.
    state: what the rule keeps of each tensor, and under "master" a float32 copy that moves in the weight's stead.
    """

    weights: Mapping[str, nn.Parameter]
    rule: Rule
    rates: Mapping[str, float]
    precision: Precision
    state: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    count: int = 0  # of the step in hand, from 1
    scale: float = 1.0
    norms: list[Tensor] = field(default_factory=list)
    gather: Callable[[Tensor], None] = _alone  # adds up in place what all processes have of a gradient

    def __post_init__(self) -> None:
        self.numbers = {name: number for number, name in enumerate(self.weights)}
        if self.precision.fused:
            for name, weight in self.weights.items():
                weight.register_post_accumulate_grad_hook(lambda _, name=name: self._step_within(name))

    def begin(self, count: int, scale: float = 1.0) -> None:
        """Before the backward passes of step `count` (from 1), whose rates are multiplied by `scale`."""
        self.count, self.scale = count, scale
        self.norms.clear()

    def end(self) -> Tensor:
        """After them; returns the norm of all gradients before clipping, float32, on the device.

        It is not finite where a gradient was not; unless fused, no weight has moved then.
        """
        if self.precision.fused:
            return _norm_of(self.norms)
        grads = {name: w.grad for name, w in self.weights.items() if w.grad is not None}
        for grad in grads.values():
            self.gather(grad)
        norm = _norm_of([_norm(grad) for grad in grads.values()])
        if torch.isfinite(norm):
            factor = self._factor(norm) if self.precision.by == "global" else None
            for name in grads:
                self._step(name, factor)
        return norm

    def kept(self, name: str) -> Tensor:
        """The weight as precisely as it is held: its float32 master, or itself."""
        return self.state.get(name, {}).get("master", self.weights[name].detach())

    def _step_within(self, name: str) -> None:
        grad = self.weights[name].grad
        if grad is not None:
            self.gather(grad)
        del grad  # `_step` lets it go as soon as it has it in float32
        self._step(name)

    @torch.no_grad()
    def _step(self, name: str, factor: Tensor | None = None) -> None:
        """Use up the gradient of one tensor."""
        weight = self.weights[name]
        grad = weight.grad
        if grad is None:
            return
        grad, weight.grad = grad.float(), None
        if factor is None:
            norm = _norm(grad)
            self.norms.append(norm)
            factor = self._factor(norm)
        if factor is not None:
            grad = grad * factor
        state = self.state.setdefault(name, {})
        if state.keys() <= {"master"}:
            state |= self.rule.start(weight)
        exact = state.get("master", weight.detach() if weight.dtype == torch.float32 else weight.detach().float())
        self.rule.step(exact, grad, state, self.rates[name] * self.scale, self.count)
        if weight.dtype != torch.float32:
            weight.copy_(self._rounded(exact, name))

    def _rounded(self, exact: Tensor, name: str) -> Tensor:
        if not self.precision.stochastic:
            return exact  # copying rounds to nearest
        chance = generator(self.precision.seed, "rounding", self.count, self.numbers[name], device=exact.device)
        return round_stochastically(exact, chance)

    def _factor(self, norm: Tensor) -> Tensor | None:
        """What brings a gradient of this norm within bounds, as torch's clip_grad_norm_ has it."""
        if not self.precision.clip:
            return None
        return (self.precision.clip / (norm + 1e-6)).clamp(max=1.0)


def _norm(grad: Tensor) -> Tensor:
    return torch.linalg.vector_norm(grad, dtype=torch.float32)


def _norm_of(norms: list[Tensor]) -> Tensor:
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())
