"""How much memory the machine has and this process used, on any system."""

import ctypes
import sys

import torch

from ohwx_compare.files.memory import available_memory

__all__ = ["free_memory", "peak_memory"]


def free_memory(device: str) -> int | None:
    """Bytes that are free on `device` now: a GPU's own, else the system's; None where the system does not say."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    return available_memory()


def peak_memory(device: str) -> int | None:
    """The most bytes this process has held at one time: tensors of a GPU, else resident memory; None where unknown."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return _windows_peak()
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if sys.platform == "win32":

    def _windows_peak() -> int:
        """K32GetProcessMemoryInfo's peak working set: the first size behind two DWORDs of PROCESS_MEMORY_COUNTERS."""
        sizes = 8
        counters = (ctypes.c_size_t * (1 + sizes))()
        process = ctypes.c_void_p(ctypes.windll.kernel32.GetCurrentProcess())
        size = ctypes.sizeof(counters)
        ctypes.windll.kernel32.K32GetProcessMemoryInfo(process, ctypes.byref(counters), size)
        return int(counters[1])
