"""Numbers of a training in TensorBoard's own files, without the package.

A file is a row of records: length, its checksum, an Event as protobuf, its checksum. Source of the formats:
https://github.com/tensorflow/tensorflow/blob/v2.16.1/tensorflow/core/lib/io/record_writer.cc and
https://github.com/tensorflow/tensorflow/blob/v2.16.1/tensorflow/core/util/event.proto
"""

import os
import struct
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType

__all__ = ["EventFile", "crc32c"]

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, its bits in reverse
_MASK = 0xA282EAD8


class EventFile:
    """One new file of events in a folder, which is made if need be; a context manager. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"events.out.tfevents.{time.time_ns()}.{os.getpid()}").open("xb")
        self._write(_double(1, time.time()) + _bytes(3, b"brain.Event:2"))

    def __enter__(self) -> "EventFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write numbers by name for a step; whole on the disk's side of this program when it returns."""
        values = b"".join(_bytes(1, _bytes(1, name.encode("utf-8")) + _float(2, n)) for name, n in numbers.items())
        self._write(_double(1, time.time()) + _key(2, 0) + _varint(step) + _bytes(5, values))

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))
        self._file.flush()


def crc32c(data: bytes) -> int:
    """The CRC-32 with Castagnoli's polynomial (RFC 3720, B.4)."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    entries = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ _POLYNOMIAL if entry & 1 else entry >> 1
        entries.append(entry)
    return tuple(entries)


def _checksum(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _double(field: int, value: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _key(field, 5) + struct.pack("<f", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _varint(len(value)) + value
