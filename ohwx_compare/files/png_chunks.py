"""The chunks of a PNG, walked along without reading what is in them.

Source: PNG specification, 5.3.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["MOST_CHUNKS", "PNG_HEAD", "RECORD", "part", "png_chunks"]

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
RECORD = "ohwx"  # keyword of the text chunk that holds what this program keeps of a picture
MOST_CHUNKS = 50_000  # a picture of 400 MB in chunks of 8 kB


def png_chunks(file: BinaryIO, start: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and length of each chunk's data, up to IEND or the end of a file that was cut short.

    start: the file's first bytes, which were read already.
    Raises ValueError for more than `MOST_CHUNKS`.
    """
    at = len(PNG_HEAD)
    for _ in range(MOST_CHUNKS):
        if len(head := part(file, start, at, 8)) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += length + 12  # length, kind, data, checksum
    raise ValueError(f"has over {MOST_CHUNKS:,} chunks; save it again")


def part(file: BinaryIO, start: bytes, at: int, length: int) -> bytes:
    """Bytes of the file, taken from its beginning, which was read already, where they lie in it."""
    if at + length <= len(start):
        return start[at : at + length]
    file.seek(at)
    return file.read(length)
