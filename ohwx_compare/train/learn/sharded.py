"""The optimiser step where weights lie in rows on several cards: each tensor is moved whole, by the card that owns it.

A step goes round by round: the rows of some tensors that are alike go to their owners, gradient and weight, move there
as on a single card, and go back. So every optimiser stays what it is, and how a tensor is rounded does not depend on
the number of cards. Owners keep what the optimiser remembers, and float32 masters; then only gradients travel there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, cast

import torch
from torch import Tensor

from ohwx_compare.train.learn.group import ProcessGroup
from ohwx_compare.train.learn.stepper import Alike, Held, Stack, Stepper
from ohwx_compare.train.plan.estimate import TOGETHER
from ohwx_compare.train.plan.shards import owned, rows_of

__all__ = ["TENSOR", "ShardedStepper"]

TENSOR = 1  # what the leader tells, before a number of `whole`, when it wants a tensor whole


@dataclass(eq=False)
class _Round(Stack):
    """Tensors that move at one time; `names`, `master` and `state` are of those that this card owns."""

    shape: tuple[int, ...] = ()
    parts: list[list[str]] = field(default_factory=list)  # names by owner


@dataclass(eq=False)
class ShardedStepper(Stepper):
    """See Stepper. `weights` are DTensors whose gradients are there after the backward pass, so it is never fused.

    Only the leader asks for `kept` and reads what is `held`, while the others attend (serving.py).
    """

    group: ProcessGroup = field(kw_only=True)
    told: dict[str, tuple[torch.dtype, tuple[int, ...]]] = field(default_factory=dict)  # all that can be `held`
    owners: dict[str, int] = field(default_factory=dict)
    norm: Tensor | None = None  # of the step in hand

    def __post_init__(self) -> None:
        self.is_mastered = bool(self.masters)
        super().__post_init__()
        self.numbers = {which: number for number, which in enumerate(self.told)}

    @property
    def device(self) -> torch.device:
        """Of this card."""
        return next(iter(self.weights.values())).device

    def scaled(self, loss: Tensor) -> Tensor:
        """See Stepper; gradients come divided by the number of cards."""
        return super().scaled(loss) * self.group.size

    def kept(self, name: str) -> Tensor:
        """See Stepper; on the CPU."""
        return self._ask(f"master/{name}" if self.is_mastered else f"weight/{name}")

    def held(self) -> dict[str, Held]:
        """See Stepper; each tensor is gathered when it is read."""
        return {
            which: Held(dtype, shape, lambda which=which: self._ask(which))  # type: ignore[misc]
            for which, (dtype, shape) in self.told.items()
            if self.count or which.startswith(("weight/", "master/"))
        }

    def kinds(self, name: str) -> set[str]:
        """See Stepper."""
        return {kind for kind, _, own in (which.partition("/") for which in self.told) if own == name} - {"weight"}

    def put(self, name: str, kind: str, tensor: Tensor) -> None:
        """See Stepper; each process is given all, and takes what it holds."""
        if kind == "weight":
            own = self._rows(name)
            rows = rows_of(tensor.shape[0], self.group.rank, self.group.size)
            own.copy_(tensor[rows.start : rows.stop])
        elif self.owners[name] == self.group.rank:
            stack, place = self._find(name)
            stack.state = stack.state or self.rule.start(self._like(stack))
            (stack.master if kind == "master" else stack.state[kind])[place].copy_(tensor)  # type: ignore[index]

    def whole(self, number: int) -> Tensor | None:
        """One of the tensors that are told of, whole on the leader's CPU; None in the others, which call this too."""
        which, (dtype, shape) = list(self.told.items())[number]
        kind, _, name = which.partition("/")
        cards = range(self.group.size)
        own = torch.empty(0, dtype=dtype, device=self.device)
        if kind == "weight":
            own = self._rows(name)
            sizes = [prod(shape[1:]) * len(rows_of(shape[0], card, len(cards))) for card in cards]
        else:
            sizes = [prod(shape) if card == self.owners[name] else 0 for card in cards]
            if self.owners[name] == self.group.rank:
                stack, place = self._find(name)
                own = (stack.master if kind == "master" else stack.state[kind])[place]  # type: ignore[index]
        parts = [own if card == 0 else own.new_empty(0) for card in cards]
        got = self.group.exchange(parts, [(size if self.group.leads else 0,) for size in sizes])
        return torch.cat(got).view(shape).cpu() if self.group.leads else None

    def _ask(self, which: str) -> Tensor:
        number = self.numbers[which]
        self.group.tell([TENSOR, number, 0, 0, 0], self.device)
        return cast(Tensor, self.whole(number))

    def _rows(self, name: str) -> Tensor:
        """What this card holds of a weight."""
        return _local(self.weights[name].detach())

    @torch.no_grad()
    def _stacked(self, alike: Sequence[Alike]) -> Iterator[Stack]:
        for number, one in enumerate(alike):
            self._tell_of(one)
            own = owned(len(one.names), number, self.group.size)
            for card, places in enumerate(own):
                self.owners |= dict.fromkeys(one.names[places.start : places.stop], card)
            most = max(1, TOGETHER // self.rule.holds // prod(one.shape))
            for at in range(0, max(map(len, own)), most):
                parts = [list(one.names[places.start : places.stop][at : at + most]) for places in own]
                names = parts[self.group.rank]
                shape = torch.empty((len(names), *one.shape), dtype=one.dtype, device="meta")
                master = self._mastered(names, one.shape)
                first = own[self.group.rank].start + at
                if master is not None:
                    master = master.to(self.device)
                yield _Round(number, names, shape, master, one.rate, first, shape=one.shape, parts=parts)
        self.masters.clear()  # those that others own

    def _tell_of(self, one: Alike) -> None:
        """Note what can be held of tensors, the same in every process."""
        like = torch.empty((1, *one.shape), dtype=torch.float32 if self.is_mastered else one.dtype, device="meta")
        kinds = {kind: (tensor.dtype, tuple(tensor.shape[1:])) for kind, tensor in self.rule.start(like).items()}
        for name in one.names:
            self.told[f"weight/{name}"] = one.dtype, one.shape
            if self.is_mastered:
                self.told[f"master/{name}"] = torch.float32, one.shape
            self.told |= {f"{kind}/{name}": what for kind, what in kinds.items()}

    def _like(self, stack: Stack) -> Tensor:
        """Tensors of a round's shape."""
        return stack.master if stack.master is not None else torch.zeros_like(stack.weight, device=self.device)

    def _take_all(self) -> None:
        grads = [grad for weight in self.weights.values() if (grad := _local(weight.grad)).numel()]
        norms = torch._foreach_norm(grads, 2.0, dtype=torch.float32) if grads else ()
        square = torch.stack([*norms, torch.zeros((), device=self.device)]).square_().sum()
        self.group.add(square)
        self.norm = square.sqrt_()
        self._saw(self.norm)

    def _norm(self) -> Tensor:
        return torch.zeros(()) if self.norm is None else self.norm

    def _sum(self, numbers: Tensor) -> None:
        self.group.add(numbers)

    @torch.no_grad()
    def _move_waiting(self, stack: Stack) -> None:
        """One round."""
        if not isinstance(stack, _Round):
            raise TypeError("A sharded stepper moves rounds.")
        batch = self._to_owners(stack, [[self._gradient(name) for name in names] for names in stack.parts])
        if not self.is_mastered:
            weight = self._to_owners(stack, [[self._rows(name) for name in names] for names in stack.parts])
        else:
            weight = torch.empty_like(batch, dtype=stack.weight.dtype)
        if stack.names:
            stack.state = stack.state or self.rule.start(weight if stack.master is None else stack.master)
            self._land(stack, slice(0, len(stack.names)), batch, weight)
        self._to_rows(stack, weight)

    def _gradient(self, name: str) -> Tensor:
        """This card's rows of one, used up."""
        weight = self.weights[name]
        grad, weight.grad = weight.grad, None
        return _local(grad)

    def _to_owners(self, stack: _Round, rows: list[list[Tensor]]) -> Tensor:
        """This card's rows, by owner, for the whole tensors that this card owns: (n, ...), contiguous."""
        first, *others = stack.shape
        cards = self.group.size
        sizes = [(len(stack.names), len(rows_of(first, card, cards)), *others) for card in range(cards)]
        nothing = torch.empty(0, dtype=stack.weight.dtype, device=self.device)
        got = self.group.exchange([torch.stack(own) if own else nothing for own in rows], sizes)
        return torch.cat(got, dim=1)

    def _to_rows(self, stack: _Round, weight: Tensor) -> None:
        """Give whole tensors back as rows."""
        first, *others = stack.shape
        rank, cards = self.group.rank, self.group.size
        parts = [rows_of(first, card, cards) for card in range(cards)]
        sizes = [(len(names), len(parts[rank]), *others) for names in stack.parts]
        got = self.group.exchange([weight[:, own.start : own.stop] for own in parts], sizes)
        for names, own in zip(stack.parts, got, strict=True):
            for name, rows in zip(names, own, strict=True):
                self._rows(name).copy_(rows)


def _local(tensor: Any) -> Tensor:
    """What this process holds of a DTensor, which older torch has elsewhere."""
    return cast(Tensor, tensor.to_local())
