"""The optimiser step of all trained tensors: after the backward pass, or inside it.

Tensors of one shape lie one behind the other in one buffer, a stack, and move together: SDXL's UNet has 1,680 tensors
and 44 shapes. Inside the backward pass ("fused") gradients wait until there are enough of one shape, and are gone
then; so few are ever held: for the UNet 5 GB less in bfloat16. What needs all gradients at once is impossible then.
Nothing is read back from the device: whether a step was finite is for the caller to look at, after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import torch
from torch import Tensor, nn

from ohwx_compare.train.learn.in_cache import SMALL_SUMS, Room, can_move_in_cache, move_in_cache
from ohwx_compare.train.learn.kernels import can_move, move
from ohwx_compare.train.learn.loss_scale import LossScale, kept_where_lost
from ohwx_compare.train.learn.optim import Landing, Rule, State, land, norms_of
from ohwx_compare.train.learn.prodigy import Prodigy
from ohwx_compare.train.learn.rounding import Strip
from ohwx_compare.train.plan.estimate import TOGETHER, WAITING

__all__ = ["Alike", "Held", "Precision", "Stack", "Stepper"]

_ALONE = 1 << 22  # numbers of a tensor that gains nothing by moving beside others and would be copied for it


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How steps are taken and kept; train/recipe/recipe.py refuses what cannot go together."""

    stochastic: bool = True  # 16-bit weights are rounded up or down at random; False rounds to nearest
    fused: bool = True  # step within the last backward pass of a step; `by` "tensor"
    by: str = "tensor"  # what `clip` bounds: each tensor's gradient, or all of them together: "global"
    clip: float = 1.0  # largest norm; 0 does not clip
    seed: int = 0  # of the stochastic rounding
    scaled: bool = False  # losses are multiplied so that float16 gradients do not vanish


def _alone(grad: Tensor) -> None:
    """One process has everything already."""


@dataclass(frozen=True)
class Alike:
    """Tensors that may move together, by name."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    rate: float
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor that a run needs to resume; `read` gives its numbers."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    read: Callable[[], Tensor]

    @classmethod
    def of(cls, tensor: Tensor) -> "Held":
        """One that is here."""
        return cls(tensor.dtype, tuple(tensor.shape), lambda: tensor)

    @property
    def bytes(self) -> int:
        """Its size."""
        return prod(self.shape) * torch.empty((), dtype=self.dtype).element_size()


@dataclass(eq=False)
class Stack:
    """Tensors of one shape and rate; the parameters are views of `weight`."""

    number: int  # of all tensors that are alike
    names: list[str]
    weight: Tensor  # (n, ...)
    master: Tensor | None  # the same in float32, which moves in the weight's stead
    rate: float
    first: int = 0  # the place of its first tensor among all that are alike
    state: State = field(default_factory=dict)
    waiting: dict[int, Tensor] = field(default_factory=dict)  # gradients by place

    @cached_property
    def size(self) -> int:
        """Numbers of one tensor."""
        return prod(self.weight.shape[1:])

    @property
    def held(self) -> Tensor:
        """What moves: the weights, or their float32 copies."""
        return self.weight if self.master is None else self.master


@dataclass(eq=False)
class Stepper:
    """Moves `weights` by `rule`. A step is `begin`, backward passes, `end`; see `is_last_pass` for several.

    weights: checkpoint names to parameters of 16 bits or float32, requiring gradients; they are moved into stacks.
    rates: the learning rate of each name; `begin` scales them all.
    masters: float32 copies that move in the weight's stead, taken over: for all weights or for none.
    """

    weights: Mapping[str, nn.Parameter]
    rule: Rule
    rates: Mapping[str, float]
    precision: Precision
    masters: dict[str, Tensor] = field(default_factory=dict)
    is_last_pass: bool = True  # False lets gradients add up until another backward pass
    count: int = 0  # of the step in hand, from 1
    scale: float = 1.0
    norms: list[Tensor] = field(default_factory=list)
    gather: Callable[[Tensor], None] = _alone  # adds up in place what all processes have of a gradient
    room: Room = field(default_factory=Room)

    def __post_init__(self) -> None:
        alike = list(self._alike())
        device = next(iter(self.weights.values())).device
        self.stacks = list(self._stacked(alike))
        self.places = {name: (s, i) for s, stack in enumerate(self.stacks) for i, name in enumerate(stack.names)}
        self.waiting = 0  # numbers of gradients that wait
        self.factor: Tensor | None = None  # of all gradients, where `by` is "global"
        self.finite: Tensor | None = None  # whether they all are; unknown within the backward pass
        self.loss_scale = LossScale(device) if self.precision.scaled else None
        self.strip = Strip([(len(one.names), *one.shape) for one in alike], self.precision.seed, device)
        if self.precision.fused:
            for name, weight in self.weights.items():
                weight.register_post_accumulate_grad_hook(lambda _, name=name: self._take_within(name))

    def begin(self, count: int, scale: float = 1.0) -> None:
        """Before the backward passes of step `count` (from 1), whose rates are multiplied by `scale`."""
        self.count, self.scale, self.factor = count, scale, None
        self.finite = None
        self.norms.clear()
        if self.loss_scale:
            self.loss_scale.begin()

    def scaled(self, loss: Tensor) -> Tensor:
        """What to take the backward pass from."""
        return loss * self.loss_scale.scale if self.loss_scale else loss

    def end(self) -> Tensor:
        """After them; returns the norm of all gradients before clipping, float32, on the device.

        It is not finite where a gradient was not; unless fused, no weight has moved then.
        """
        if not self.precision.fused:
            self._take_all()
        for stack in self.stacks:
            self._move_waiting(stack)
        if isinstance(self.rule, Prodigy):
            self.rule.settle([stack.state for stack in self.stacks if stack.state], self._sum)
        norm = self._norm()
        if self.loss_scale:
            norm = norm / self.loss_scale.scale
            self.loss_scale.end()
        return norm

    def kept(self, name: str) -> Tensor:
        """The weight as precisely as it is held: its float32 master, or itself."""
        stack, place = self._find(name)
        return stack.held[place].view_as(self.weights[name])

    @property
    def state(self) -> dict[str, State]:
        """What is held of each tensor beside its weight, by name; "master" is its float32 copy."""
        held: dict[str, State] = {}
        for stack in self.stacks:
            kinds = stack.state | ({} if stack.master is None else {"master": stack.master})
            held |= {name: {kind: t[place] for kind, t in kinds.items()} for place, name in enumerate(stack.names)}
        return {name: kinds for name, kinds in held.items() if kinds}

    def held(self) -> dict[str, Held]:
        """All that moves, under "weight/NAME" and "row/NAME" or whatever the rule keeps."""
        held = {f"weight/{name}": Held.of(weight.detach()) for name, weight in self.weights.items()}
        for name, own in self.state.items():
            held |= {f"{kind}/{name}": Held.of(tensor) for kind, tensor in own.items()}
        return held

    def kinds(self, name: str) -> set[str]:
        """What is held of a tensor once it has moved, beside its weight: kinds that `put` takes."""
        stack, _ = self._find(name)
        held = set(stack.state or self.rule.start(stack.held[:1]))
        return held if stack.master is None else held | {"master"}

    def put(self, name: str, kind: str, tensor: Tensor) -> None:
        """Give one tensor what `held` had of it. Raises KeyError for a kind that the rule does not keep."""
        if kind == "weight":
            self._put_weight(name, tensor)
            return
        stack, place = self._find(name)
        stack.state = stack.state or self.rule.start(stack.held)
        held = stack.master if kind == "master" and stack.master is not None else stack.state[kind]
        held[place].copy_(tensor)

    def _find(self, name: str) -> tuple[Stack, int]:
        stack, place = self.places[name]
        return self.stacks[stack], place

    @torch.no_grad()
    def _put_weight(self, name: str, tensor: Tensor) -> None:
        self.weights[name].copy_(tensor)

    def _sum(self, numbers: Tensor) -> None:
        """Add up in place what all processes have, where each moves other tensors."""

    def _norm(self) -> Tensor:
        """Of all gradients that moved something, as they were scaled."""
        return torch.linalg.vector_norm(torch.cat(self.norms)) if self.norms else torch.zeros(())

    def _alike(self) -> Iterator[Alike]:
        found: dict[tuple[tuple[int, ...], torch.dtype, float], list[str]] = {}
        for name, weight in self.weights.items():
            found.setdefault((tuple(weight.shape) or (1,), weight.dtype, self.rates[name]), []).append(name)
        for (shape, dtype, rate), names in found.items():
            yield Alike(shape, dtype, rate, tuple(names))

    @torch.no_grad()
    def _stacked(self, alike: Sequence[Alike]) -> Iterator[Stack]:
        for number, one in enumerate(alike):
            buffer = self.weights[one.names[0]].new_empty((len(one.names), *one.shape), dtype=one.dtype)
            for place, name in enumerate(one.names):
                weight = self.weights[name]
                buffer[place].copy_(weight.view(one.shape))
                weight.data = buffer[place].view(weight.shape)
            yield Stack(number, list(one.names), buffer, self._mastered(one.names, one.shape), one.rate)

    def _mastered(self, names: Sequence[str], shape: tuple[int, ...]) -> Tensor | None:
        if not self.masters or not names:
            return None
        return torch.stack([self.masters.pop(name).float().view(shape) for name in names])

    def _take_within(self, name: str) -> None:
        """Let one gradient wait, and those of the shape that has most of them move where too many wait."""
        if not self.is_last_pass:
            return
        self._take(name)
        if self.waiting > WAITING:
            self._move_waiting(max(self.stacks, key=lambda stack: len(stack.waiting) * stack.size))

    def _take(self, name: str) -> None:
        weight, (stack, place) = self.weights[name], self._find(name)
        grad, weight.grad = weight.grad, None
        if grad is not None:
            self.gather(grad)
            stack.waiting[place] = grad.view(stack.weight.shape[1:])
            self.waiting += stack.size

    def _take_all(self) -> None:
        for name in self.weights:
            self._take(name)
        grads = [grad for stack in self.stacks for grad in stack.waiting.values()]
        if grads:
            self._saw(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads, 2.0, dtype=torch.float32))))

    def _saw(self, norm: Tensor) -> None:
        """Note the norm of all gradients, before any of them is used."""
        self.finite = torch.isfinite(norm)
        if self.loss_scale:
            self.loss_scale.saw(self.finite)
        self.factor = self._factor(norm.view(1)) if self.precision.by == "global" else None

    @torch.no_grad()
    def _move_waiting(self, stack: Stack) -> None:
        most = max(1, self._together(stack) // self.rule.holds // stack.size)
        self.waiting -= len(stack.waiting) * stack.size
        for first, count in _runs(sorted(stack.waiting), most):
            self._move(stack, slice(first, first + count), [stack.waiting.pop(first + i) for i in range(count)])

    def _together(self, stack: Stack) -> int:
        """Numbers that move at one time, if not a single tensor has more."""
        if stack.weight.device.type == "cpu":
            return SMALL_SUMS
        return 0 if stack.size >= _ALONE and not can_move(self.rule, stack.weight) else TOGETHER

    def _move(self, stack: Stack, members: slice, grads: list[Tensor]) -> None:
        """Use up the gradients of neighbours in a stack."""
        batch = grads[0].unsqueeze(0).contiguous() if len(grads) == 1 else torch.stack(grads)
        grads.clear()
        stack.state = stack.state or self.rule.start(stack.held)
        self._land(stack, members, batch, stack.weight[members])

    def _land(self, stack: Stack, members: slice, batch: Tensor, weight: Tensor) -> None:
        """Move some of a stack's tensors, which are in `weight`, by their gradients, contiguous; both (n, ...)."""
        state = {kind: tensor[members] for kind, tensor in stack.state.items()}
        rate = stack.rate * self.scale
        master = None if stack.master is None else stack.master[members]
        chance = None
        if self.precision.stochastic and weight.dtype != torch.float32:
            chance = self.strip.window(self.count, stack.number, stack.first + members.start, len(weight))
        finite = self._finite(batch)
        before = {kind: tensor.clone() for kind, tensor in state.items()} if self.loss_scale else {}
        landing = Landing(weight, master, chance, finite)
        if can_move_in_cache(self.rule, weight):
            move_in_cache(self.rule, batch, state, self._bounded, (rate, self.count), landing, self.room)
        elif can_move(self.rule, weight) and (chance is None or weight.dtype == torch.bfloat16):
            move(self.rule, batch, state, self._bounded, (rate, self.count), landing)
        else:
            own = {"weight": weight if master is None else master} if isinstance(self.rule, Prodigy) else {}
            land(self.rule.move(batch, state | own, self._bounded, rate, self.count), landing)
        if finite is not None:
            kept_where_lost(state, before, finite)

    def _finite(self, batch: Tensor) -> Tensor | None:
        """Which of n tensors (n, ...) may move; None where that is not known, and whoever looks later raises."""
        if self.finite is not None:
            return self.finite.expand(len(batch))
        return self.loss_scale.saw(torch.isfinite(norms_of(batch))) if self.loss_scale else None

    def _bounded(self, norms: Tensor) -> Tensor | None:
        """What brings gradients of these norms within bounds."""
        self.norms.append(norms)
        return self._factor(norms) if self.precision.by == "tensor" else self.factor

    def _factor(self, norms: Tensor) -> Tensor | None:
        """As torch's clip_grad_norm_ has it; the gradients' own scale is taken from them, too."""
        back = self.loss_scale.scale.reciprocal().expand(norms.shape) if self.loss_scale else None
        if not self.precision.clip:
            return back
        if back is not None:
            norms = norms * back
        factor = torch.div(torch.tensor(self.precision.clip), norms + 1e-6).clamp_(max=1.0)
        return factor if back is None else factor * back


def _runs(places: list[int], most: int) -> Iterator[tuple[int, int]]:
    """First and count of neighbouring places, at most `most` in a run."""
    first = 0
    for at in range(1, len(places) + 1):
        if at == len(places) or places[at] != places[at - 1] + 1 or at - first == most:
            yield places[first], at - first
            first = at
