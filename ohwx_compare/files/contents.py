"""What a checkpoint file holds, by hash: the whole and every tensor, read once for both."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import Header, Tensor, read_header

__all__ = ["BLOCK", "Contents", "TensorSeals", "read_contents", "seal"]

BLOCK = 1 << 19  # bytes: small enough to stay in a core's cache from the reading to both hashes
_BLOCKS = 8  # in memory: one is read, the hashes may be apart by the others
DIGITS = 32  # of a tensor's hash: 128 bits tell apart all that was ever trained


@dataclass(frozen=True)
class Contents:
    """Hashes of one file's bytes."""

    sha256: str  # of the whole file, 64 lower case hex digits
    tensors: Mapping[str, str] = field(default_factory=dict)  # name -> hash; empty for a file that is no safetensors


def seal(tensor: Tensor) -> "hashlib._Hash":
    """A sha256 of dtype and shape, to which the tensor's bytes are added: it differs for whatever loads differently."""
    return hashlib.sha256(f"{tensor.dtype} {tensor.shape}".encode())


class TensorSeals:
    """The hashes of tensors as they are written, on a thread: `seals(name, tensor, data)`. A context manager."""

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}
        self._beside = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> "TensorSeals":
        return self

    def __exit__(self, *error: object) -> None:
        self._beside.shutdown()

    def __call__(self, name: str, tensor: Tensor, data: bytes) -> None:
        """Take one; waits for the one before, so that memory holds two at most."""
        self._wait()
        self._last = self._beside.submit(self._seal, name, tensor, data)

    @property
    def hashes(self) -> dict[str, str]:
        """Name -> hash of all that were taken."""
        self._wait()
        return self._hashes

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()

    def _seal(self, name: str, tensor: Tensor, data: bytes) -> None:
        digest = seal(tensor)
        digest.update(data)
        self._hashes[name] = digest.hexdigest()[:DIGITS]


def read_contents(path: Path, on_block: Callable[[], None] = lambda: None) -> Contents:
    """Hash `path` in one pass: the next block is read while two threads hash those before, the whole and the tensors.

    Memory holds `_BLOCKS` blocks of 512 KiB. on_block: called after every block; what it raises ends the reading.
    Raises CheckpointError where the file cannot be read.
    """
    whole, tensors = hashlib.sha256(), _Tensors(_ordered(path))
    blocks = deque(memoryview(bytearray(BLOCK)) for _ in range(_BLOCKS))
    hashing = 0  # blocks that are not known to be hashed
    try:
        with path.open("rb", buffering=0) as file, _Beside(whole.update) as one, _Beside(tensors.update) as other:
            while count := file.readinto(blocks[0]):
                for hasher in (one, other):
                    hasher.give(blocks[0][:count])
                blocks.rotate(-1)
                hashing += 1
                if hashing == _BLOCKS:
                    one.wait()
                    other.wait()
                    hashing -= 1
                on_block()
            for _ in range(hashing):
                one.wait()
                other.wait()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    return Contents(whole.hexdigest(), tensors.hashes())


class _Beside:
    """A thread that takes blocks in order: one queue for all costs a tenth less than a future for each.

    A context manager that ends when all are taken.
    """

    def __init__(self, take: Callable[[memoryview], object]):
        self._take = take
        self._given: SimpleQueue[memoryview | None] = SimpleQueue()
        self._taken: SimpleQueue[bool] = SimpleQueue()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "_Beside":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._given.put(None)
        self._thread.join()

    def give(self, block: memoryview) -> None:
        """One more, which must stay as it is until it is taken."""
        self._given.put(block)

    def wait(self) -> None:
        """Until the oldest one is taken that nobody waited for. Raises RuntimeError where the thread has failed."""
        if not self._taken.get():
            raise RuntimeError("A block could not be hashed.")

    def _run(self) -> None:
        try:
            while (block := self._given.get()) is not None:
                self._take(block)
                self._taken.put(True)
        finally:
            self._taken.put(False)


def _ordered(path: Path) -> list[tuple[str, Tensor]]:
    """Names and places of the file's tensors from front to back; [] where they overlap or it is not safetensors."""
    try:
        header: Header = read_header(path)
    except CheckpointError:
        return []
    ordered = sorted(header.tensors.items(), key=lambda item: (item[1].start, item[1].end))
    ends = [tensor.end for _, tensor in ordered]
    starts = [tensor.start for _, tensor in ordered[1:]]
    return ordered if all(start >= end for start, end in zip(starts, ends, strict=False)) else []


class _Tensors:
    """The hashes of tensors that arrive front to back, block by block."""

    def __init__(self, ordered: list[tuple[str, Tensor]]):
        self._left: Iterator[tuple[str, Tensor]] = iter(ordered)
        self._at = 0  # of the file, bytes
        self._digests: dict[str, hashlib._Hash] = {}
        self._next()

    def _next(self) -> None:
        self._current = next(self._left, None)
        if self._current is not None:
            name, tensor = self._current
            self._digests[name] = seal(tensor)

    def update(self, block: memoryview) -> None:
        """Take the file's next bytes."""
        end = self._at + len(block)
        while self._current is not None and self._current[1].start < end:
            name, tensor = self._current
            self._digests[name].update(block[max(tensor.start - self._at, 0) : tensor.end - self._at])
            if tensor.end > end:
                break
            self._next()
        self._at = end

    def hashes(self) -> dict[str, str]:
        """Name -> hash of all tensors."""
        while self._current is not None and self._current[1].start == self._current[1].end:
            self._next()
        return {name: digest.hexdigest()[:DIGITS] for name, digest in self._digests.items()}
