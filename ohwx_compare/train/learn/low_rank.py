"""LoRA and DoRA: beside each layer of the transformers two small matrices learn; the layer itself stays.

LoRA (Hu et al., arXiv 2106.09685, eq. 3): y = W x + alpha / rank * up down x. DoRA (Liu et al., arXiv 2402.09353,
eq. 5) learns a magnitude beside the direction; as A1111 reads its files, one for each input, so it is the input that is
scaled. The norm is taken for a constant (section 4.3).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ohwx_compare.train.learn.chance import normal
from ohwx_compare.train.plan.low_rank import low_rank_layers

__all__ = ["put_beside"]


@dataclass(frozen=True, eq=False)
class _LowRank:
    """What learns beside one layer."""

    down: nn.Parameter  # (rank, inputs)
    up: nn.Parameter  # (outputs, rank)
    scale: float
    magnitude: nn.Parameter | None  # (1, inputs)

    def scaled(self, x: Tensor, weight: Tensor) -> Tensor:
        """The layer's input, of DoRA's magnitude."""
        if self.magnitude is None:
            return x
        with torch.no_grad():
            changed = weight.float() + self.scale * self.up.to(weight).float() @ self.down.to(weight).float()
            norm = changed.norm(dim=0, keepdim=True)
        return x * (self.magnitude.to(norm) / norm).to(x.dtype)

    def more(self, x: Tensor) -> Tensor:
        """What is added to the layer's output."""
        return self.scale * F.linear(F.linear(x, self.down.to(x)), self.up.to(x))


def put_beside(
    parts: Mapping[str, nn.Module], rank: int, alpha: float, seed: int, *, dora: bool = False
) -> dict[str, nn.Parameter]:
    """Freeze `parts` ("unet", "clip_l", "clip_g") and let low ranks learn beside their layers; those by their names.

    At first they change nothing: `up` is zero. `down` is drawn from the seed, as widely as sd-scripts draws it.
    """
    weights: dict[str, nn.Parameter] = {}
    for part, module in parts.items():
        module.requires_grad_(False)
        held: dict[str, Tensor] = dict(module.named_parameters())
        thirds: dict[str, list[_LowRank]] = {}
        for layer, place in low_rank_layers(part, {name: tuple(t.shape) for name, t in held.items()}).items():
            weight = held[place.weight]
            if place.third is not None:
                weight = weight.chunk(3)[place.third]
            one = _drawn(weight, rank, alpha, (seed, "down", layer), dora)
            weights |= {f"{layer}.lora_down.weight": one.down, f"{layer}.lora_up.weight": one.up}
            if one.magnitude is not None:
                weights[f"{layer}.dora_scale"] = one.magnitude
            owner = place.weight.rpartition(".")[0]
            if place.third is None:
                linear = module.get_submodule(owner)
                _answer(linear, "forward", partial(_beside, linear.forward, linear.get_parameter("weight"), one))
            else:
                thirds.setdefault(owner, []).append(one)
        for owner, own in thirds.items():
            attention = module.get_submodule(owner)
            _answer(attention, "project", partial(_projected, attention, own))
    return weights


def _answer(module: nn.Module, method: str, by: Callable[..., object]) -> None:
    """Replace a method of one module: a module around it would change the names of its weights."""
    setattr(module, method, by)


def _drawn(weight: Tensor, rank: int, alpha: float, what: tuple[int | str, ...], dora: bool) -> _LowRank:
    outputs, inputs = weight.shape
    down = normal((rank, inputs), *what) * (3 * inputs) ** -0.5
    magnitude = nn.Parameter(weight.detach().float().norm(dim=0, keepdim=True).to(weight)) if dora else None
    return _LowRank(
        down=nn.Parameter(down.to(weight)), up=nn.Parameter(weight.new_zeros(outputs, rank)), scale=alpha / rank,
        magnitude=magnitude,
    )  # fmt: skip


def _beside(forward: Callable[[Tensor], Tensor], weight: Tensor, own: _LowRank, x: Tensor) -> Tensor:
    x = own.scaled(x, weight)
    return forward(x) + own.more(x)


def _projected(attention: nn.Module, thirds: list[_LowRank], x: Tensor) -> tuple[Tensor, ...]:
    """Queries, keys and values, each with its own."""
    weights, biases = (attention.get_parameter(f"in_proj_{kind}").chunk(3) for kind in ("weight", "bias"))
    found = []
    for own, weight, bias in zip(thirds, weights, biases, strict=True):
        scaled = own.scaled(x, weight)
        found.append(F.linear(scaled, weight, bias) + own.more(scaled))
    return tuple(found)
