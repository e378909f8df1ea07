"""The EXIF UserComment of a JPEG or WebP, found by walking to it: two directories, nothing else is read.

General EXIF readers follow every count that a damaged file claims, some for minutes; this one is bounded by the file.
Source: TIFF 6.0, section 2; Exif 2.32, 4.6.3 and 4.6.5.
"""

import struct
from collections.abc import Iterator

__all__ = ["user_comment"]

_EXIF_DIRECTORY, _USER_COMMENT = 0x8769, 0x9286
_HEAD = b"Exif\0\0"


def user_comment(data: bytes) -> bytes | None:
    """The comment with its eight bytes of character code, None where the file has none or is damaged."""
    for block in _blocks(data):
        tiff = block.removeprefix(_HEAD)
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
        try:
            if order is None:
                continue
            first = struct.unpack_from(f"{order}I", tiff, 4)[0]
            inner = _entry(tiff, order, first, _EXIF_DIRECTORY)
            found = inner and _entry(tiff, order, inner[1], _USER_COMMENT)
        except struct.error:
            continue
        if found:
            count, at = found
            return tiff[at : at + count]
    return None


def _entry(tiff: bytes, order: str, directory: int, wanted: int) -> tuple[int, int] | None:
    """Count and value (or offset) of one tag of the directory at `directory`. Raises struct.error past the end."""
    for i in range(struct.unpack_from(f"{order}H", tiff, directory)[0]):
        tag, _, count, value = struct.unpack_from(f"{order}HHII", tiff, directory + 2 + 12 * i)
        if tag == wanted:
            return count, value
    return None


def _blocks(data: bytes) -> Iterator[bytes]:
    """The EXIF blocks of a JPEG (segment APP1) or WebP (chunk EXIF)."""
    at, is_webp = (12, True) if data[:4] == b"RIFF" else (2, False)
    while len(head := data[at : at + 8]) >= 4:
        if is_webp:
            kind, length = head[:4], int.from_bytes(head[4:], "little")
            at, start = at + 8 + length + length % 2, at + 8
            if kind == b"EXIF":
                yield data[start : start + length]
            continue
        marker, length = head[1], int.from_bytes(head[2:4], "big")
        if head[0] != 0xFF or marker == 0xDA or length < 2:  # the picture itself begins
            return
        segment = data[at + 4 : at + 2 + length]
        if marker == 0xE1 and segment.startswith(_HEAD):
            yield segment
        at += 2 + length
