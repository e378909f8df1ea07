"""What the system could give a program now: memory, and room on a disk."""

import ctypes
import os
import re
import shutil
import sys
from pathlib import Path

__all__ = ["available_memory", "free_bytes", "nearest_there"]


def available_memory() -> int | None:
    """Bytes, caches that would give way included; None where the system does not say, as on macOS.

    Linux: MemAvailable. Windows: `ullAvailPhys` of GlobalMemoryStatusEx,
    https://learn.microsoft.com/windows/win32/api/sysinfoapi/ns-sysinfoapi-memorystatusex
    """
    try:
        if sys.platform == "win32":
            return _on_windows()
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return int(found[1]) * 1024 if found else None


def free_bytes(folder: Path) -> int:
    """Bytes that are free on the disk where `folder` is or would be."""
    return shutil.disk_usage(nearest_there(folder)).free


def nearest_there(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists; the current one where the drive is gone."""
    path = path.absolute()
    return next((one for one in (path, *path.parents) if os.path.exists(one)), Path())  # noqa: PTH110  Path's raises for a name too long


if sys.platform == "win32":

    def _on_windows() -> int | None:
        class Status(ctypes.Structure):
            _fields_ = (
                ("length", ctypes.c_ulong),
                ("load", ctypes.c_ulong),
                *((name, ctypes.c_ulonglong) for name in ("total", "free", *(f"other{i}" for i in range(5)))),
            )

        status = Status(length=ctypes.sizeof(Status))
        return status.free if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
