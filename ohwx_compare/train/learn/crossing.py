"""Numbers on their way between host and device, so that neither waits for the other.

A copy from ordinary memory to a GPU lets the host wait for all that was queued before, and so does reading a number.
From page-locked memory the copy is queued like a kernel; into it, a number can be read once its own copy is done,
however much was queued since. Elsewhere than on CUDA these are plain copies.
"""

import torch
from torch import Tensor

__all__ = ["Coming", "onto", "queues"]


def queues(device: torch.device) -> bool:
    """Whether work is queued on `device`, so that whoever reads a number waits; a CPU has done all by then."""
    return device.type != "cpu"


def onto(tensor: Tensor, device: torch.device | str) -> Tensor:
    """`tensor`, of the host, on `device`: itself where it is there already."""
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


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
