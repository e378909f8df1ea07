"""The next checkpoint read ahead, while the last one is still drawing."""

import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path

from ohwx_compare.errors import CheckpointError, Interrupted
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.hashes import Hashes

__all__ = ["Ahead", "free_memory"]

BLOCK = 1 << 22  # bytes in hand


class Ahead:
    """A thread that hashes a file, where that was not done before, and draws what a switch will read of it into the
    system's page cache, where so much memory is free.

    It holds 4 MiB itself; the page cache gives way to any program that asks for memory.
    """

    def __init__(self, path: Path, hashes: Hashes, seals: Mapping[str, str]):
        """`seals`: the hashes of the tensors that are in memory, by their names in the file; others are not read."""
        self.path = path
        self._hashes, self._seals = hashes, seals
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="read ahead", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until all is read."""
        self._thread.join()

    def stop(self) -> None:
        """Read no more; returns once the thread has ended."""
        self._is_stopped.set()
        self._thread.join()

    def _go_on(self) -> None:
        if self._is_stopped.is_set():
            raise Interrupted("The reading ahead was stopped.")

    def _read(self) -> None:
        try:
            known = self._hashes.contents(self.path, self._go_on).tensors
            tensors = read_header(self.path).tensors
            wanted = [t for name, t in tensors.items() if name in self._seals and self._seals[name] != known.get(name)]
            if sum(t.end - t.start for t in wanted) > free_memory():
                return
            view = memoryview(bytearray(BLOCK))
            with self.path.open("rb", buffering=0) as file:
                for tensor in sorted(wanted, key=lambda tensor: tensor.start):
                    file.seek(tensor.start)
                    left = tensor.end - tensor.start
                    while left > 0 and (count := file.readinto(view[:left])):
                        left -= count
                        self._go_on()
        except (OSError, CheckpointError, Interrupted):
            return  # the load itself meets the same, and says so


def free_memory() -> int:
    """Bytes that a program could have now, caches included; 0 where the system does not tell, as macOS."""
    try:
        if os.name == "nt":
            return _free_on_windows()
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    except (OSError, ValueError):
        return 0


def _free_on_windows() -> int:
    """`ullAvailPhys` of GlobalMemoryStatusEx,
    https://learn.microsoft.com/windows/win32/api/sysinfoapi/ns-sysinfoapi-memorystatusex
    """
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", *(f"other{i}" for i in range(5)))),
        )

    status = Status(length=ctypes.sizeof(Status))
    return status.free if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else 0
