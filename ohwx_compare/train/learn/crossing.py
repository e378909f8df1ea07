"""Numbers on their way between host and device, so that neither waits for the other.

A copy from ordinary memory to a GPU lets the host wait for all that was queued before, and so does reading a number.
From page-locked memory the copy is queued like a kernel; into it, a number can be read once its own copy is done,
however much was queued since. Elsewhere than on CUDA these are plain copies.
"""

import torch
from torch import Tensor

__all__ = ["Coming", "all_copied", "copied", "onto", "queues"]


def queues(device: torch.device) -> bool:
    """Whether work is queued on `device`, so that whoever reads a number waits; a CPU has done all by then."""
    return device.type != "cpu"


def onto(tensor: Tensor, device: torch.device | str) -> Tensor:
    """`tensor`, of the host, on `device`: itself where it is there already."""
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def copied(tensor: Tensor, into: Tensor | None = None) -> Tensor:
    """`tensor` once more in the host's memory: in `into`, an earlier copy, where there is one.

    From a GPU it goes into page-locked memory and is only queued: whole after `all_copied`. Not measured on a GPU.
    """
    if tensor.device.type != "cuda":
        return tensor.to("cpu", copy=True) if into is None else into.copy_(tensor)
    room = _locked(tensor) if into is None else into
    return room.copy_(tensor, non_blocking=True)


def all_copied(device: torch.device) -> None:
    """Wait until all that was `copied` from a device is there."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()


def _locked(like: Tensor) -> Tensor:
    """Room for a tensor in page-locked memory; in ordinary memory where the system locks no more."""
    try:
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)
    except RuntimeError:
        return torch.empty(like.shape, dtype=like.dtype)


class Coming:
    """Numbers of a device that are read later. Making it queues a copy and waits for nothing."""

    def __init__(self, numbers: Tensor) -> None:
        """`numbers`: (n,), of any device; never written to again."""
        self._held = numbers
        self._copied: torch.cuda.Event | None = None
        if numbers.device.type == "cuda":
            self._held = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
            self._held.copy_(numbers, non_blocking=True)
            self._copied = torch.cuda.current_stream(numbers.device).record_event()

    def read(self) -> list[float]:
        """The numbers; waits for what they are made of, not for what was queued since."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._held.tolist()
