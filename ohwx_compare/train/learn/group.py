"""Processes that train together, one for each GPU; a single process is a group of one.

A recipe's batch is that of the whole group: each process takes its share of the pictures, gradients are added up, and
all take the same step. So plan, saves and results do not depend on how many GPUs there are, but for rounding. They are
started by torchrun, whose environment variables tell each process its rank.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import prod

import torch
from torch import Tensor
from torch import distributed as dist

from ohwx_compare.errors import TrainingError
from ohwx_compare.words import counted

__all__ = ["ProcessGroup", "join"]

_PATIENCE = timedelta(days=30)  # others wait for as long as a run is paused, saves or draws


@dataclass(frozen=True)
class ProcessGroup:
    """`rank` of `size` processes; the first leads: it alone writes, obeys controls, and makes samples."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def share(self, count: int) -> Sequence[int]:
        """Which of `count` places are this process's."""
        return range(self.rank, count, self.size)

    def add(self, tensor: Tensor) -> None:
        """Put the sum over all processes into `tensor`."""
        if self.size == 1:
            return
        if dist.get_backend() == "gloo" and tensor.dtype != torch.float32:  # which adds no bfloat16 in older versions
            exact = tensor.float()
            dist.all_reduce(exact)
            tensor.copy_(exact)
        else:
            dist.all_reduce(tensor)

    def total(self, value: float, device: str | torch.device) -> float:
        """The sum of a number over all processes."""
        if self.size == 1:
            return value
        held = torch.tensor([value], dtype=torch.float32, device=device)
        self.add(held)
        return held.item()

    def agree(self, said: bool, device: str | torch.device) -> bool:
        """What the leader says; all wait for one another."""
        return bool(self.total(float(said and self.leads), device))

    def tell(self, numbers: Sequence[int], device: str | torch.device) -> list[int]:
        """The leader's numbers, in every process; all say as many, and wait for one another."""
        held = torch.tensor(numbers, dtype=torch.int64, device=device)
        dist.broadcast(held, 0)
        return held.tolist()

    def spread(self, tensor: Tensor) -> Tensor:
        """The leader's numbers in every process's tensor of the same shape, contiguous; returns it."""
        dist.broadcast(tensor, 0)
        return tensor

    def exchange(self, parts: Sequence[Tensor], shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """Give each process its part and get one of these shapes from each; all of one dtype and device."""
        sent = torch.cat([part.reshape(-1) for part in parts])
        counts = [prod(shape) for shape in shapes]
        got, size = sent.new_empty(sum(counts)), sent.element_size()
        dist.all_to_all_single(  # as bytes: not every backend knows every dtype
            got.view(torch.uint8), sent.view(torch.uint8), [count * size for count in counts],
            [part.numel() * size for part in parts],
        )  # fmt: skip
        return [part.view(shape) for part, shape in zip(got.split(counts), shapes, strict=True)]

    def leave(self) -> None:
        """End the group, all at one time; a process that ends within one may be aborted."""
        if self.size > 1:
            dist.barrier()
            dist.destroy_process_group()


def join(environment: Mapping[str, str] = os.environ, device: str | None = None) -> tuple[ProcessGroup, str | None]:
    """The group that torchrun's variables tell of, joined, and this process's device; a group of one without them.

    `device` is "cpu", or None or "cuda" for one GPU each. Raises TrainingError for fewer GPUs than processes.
    """
    size, rank = int(environment.get("WORLD_SIZE", "1")), int(environment.get("RANK", "0"))
    if size == 1:
        return ProcessGroup(), device
    if device == "cpu" or not torch.cuda.is_available():
        dist.init_process_group("gloo", rank=rank, world_size=size, timeout=_PATIENCE)
        return ProcessGroup(rank, size), "cpu"
    local = int(environment.get("LOCAL_RANK", rank))
    if local >= torch.cuda.device_count():
        raise TrainingError(
            f"Process {rank} would use GPU {local}, but this machine has {counted(torch.cuda.device_count(), 'GPU')}; "
            "start one process for each GPU."
        )
    torch.cuda.set_device(local)
    dist.init_process_group("nccl", rank=rank, world_size=size, timeout=_PATIENCE)
    return ProcessGroup(rank, size), f"cuda:{local}"
