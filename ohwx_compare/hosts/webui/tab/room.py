"""Room on the webui's GPU for a process of its own."""

import torch
from modules.call_queue import queue_lock

from ohwx_compare.hosts.webui.generation import loading
from ohwx_compare.train.outside.machine import free_memory

__all__ = ["make_room"]


def make_room(wanted: int) -> None:
    """Unload the webui's model where `wanted` bytes would not fit beside it; the next picture loads it again."""
    free = free_memory("cuda") if torch.cuda.is_available() else None
    if free is None or free >= wanted:
        return
    with queue_lock:  # a picture that is being drawn is finished first
        loading.unload()
