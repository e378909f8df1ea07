"""What the machine has and what this process took of it: memory, on whatever system it runs."""

import ctypes
import sys
from pathlib import Path

import torch

__all__ = ["free_memory", "peak_memory"]


def free_memory(device: str) -> int | None:
    """Bytes that can be had on `device` now: a GPU's own, else the system's; None where nobody tells."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        lines = dict(line.split(":") for line in meminfo.read_text(encoding="ascii").splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in lines else None
    if sys.platform == "win32":
        return _windows_free()
    return None


def peak_memory(device: str) -> int | None:
    """The most bytes this process has held at one time: tensors of a GPU, else resident memory; None where unknown."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return _windows_peak()
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _windows_free() -> int:
    """GlobalMemoryStatusEx: MEMORYSTATUSEX is two DWORDs, then seven 64-bit counts; the second is what is available."""
    status = (ctypes.c_ulonglong * 8)()
    ctypes.cast(status, ctypes.POINTER(ctypes.c_ulong))[0] = ctypes.sizeof(status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status[2])


def _windows_peak() -> int:
    """K32GetProcessMemoryInfo: PROCESS_MEMORY_COUNTERS is two DWORDs, then sizes; the first is the peak working set."""
    sizes = 8
    counters = (ctypes.c_size_t * (1 + sizes))()
    process = ctypes.c_void_p(ctypes.windll.kernel32.GetCurrentProcess())
    size = ctypes.sizeof(counters)
    ctypes.windll.kernel32.K32GetProcessMemoryInfo(process, ctypes.byref(counters), size)
    return int(counters[1])
