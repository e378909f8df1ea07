"""The next checkpoint read ahead, while the last one is still at work."""

import threading
from collections.abc import Mapping
from pathlib import Path

from ohwx_compare.errors import CheckpointError, Interrupted
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.memory import available_memory

__all__ = ["Ahead"]

_BLOCK = 1 << 22  # bytes in hand


class Ahead:
    """A thread that hashes a file, where that was not done before, and brings what a switch will read of it into the
    system's page cache, if enough memory is free.

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
        """Return when all is read."""
        self._thread.join()

    def stop(self) -> None:
        """Read no more; returns once the thread has ended."""
        self._is_stopped.set()
        self._thread.join()

    def _go_on(self) -> None:
        if self._is_stopped.is_set():
            raise Interrupted("Reading ahead was stopped.")

    def _read(self) -> None:
        try:
            known = self._hashes.contents(self.path, self._go_on).tensors
            tensors = read_header(self.path).tensors
            wanted = [t for name, t in tensors.items() if name in self._seals and self._seals[name] != known.get(name)]
            if sum(t.end - t.start for t in wanted) > (available_memory() or 0):
                return
            view = memoryview(bytearray(_BLOCK))
            with self.path.open("rb", buffering=0) as file:
                for tensor in sorted(wanted, key=lambda tensor: tensor.start):
                    file.seek(tensor.start)
                    left = tensor.end - tensor.start
                    while left > 0 and (count := file.readinto(view[:left])):
                        left -= count
                        self._go_on()
        except (OSError, CheckpointError, Interrupted):
            return  # the load itself meets the same, and says so
