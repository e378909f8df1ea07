"""Running out of memory: one sentence, and the memory is freed."""

from collections.abc import Callable
from typing import TypeVar

import torch

from ohwx_compare.errors import OutOfMemoryError

__all__ = ["is_out_of_memory", "within_memory"]

Drawn = TypeVar("Drawn")

# torch.OutOfMemoryError since 2.5, torch.cuda.OutOfMemoryError before; MPS, the CPU and CUDA's libraries only say it
_KINDS = tuple(getattr(place, "OutOfMemoryError", MemoryError) for place in (torch, torch.cuda))
_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` says that a device or the system has no memory left."""
    return isinstance(error, (*_KINDS, MemoryError)) or any(words in str(error) for words in _WORDS)


def within_memory(work: Callable[[], Drawn], what: str, device: torch.device) -> Drawn:
    """Return `work()`. Raises OutOfMemoryError, which names `what`, where the device lacks the memory.

    That error holds no frame of `work`, so what lay there is free once it is raised, and less can be tried.
    """
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what is free may be in pieces
    raise OutOfMemoryError(
        f"There is not enough memory on {device} for {what}; close other programs that use it, or ask for less at once."
    )
