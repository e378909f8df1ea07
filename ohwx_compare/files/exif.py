"""The EXIF UserComment of a picture, found by walking to it: two directories, nothing else is read.

General EXIF readers follow every count that a damaged file claims, some for minutes; this one is bounded by the file.
Source: TIFF 6.0, section 2; Exif 2.32, 4.6.3 and 4.6.5.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["exif_blocks", "user_comment"]

_EXIF_DIRECTORY, _USER_COMMENT = 0x8769, 0x9286
_HEAD = b"Exif\0\0"
_LARGEST = 50_000_000  # bytes of a block


def exif_blocks(file: BinaryIO) -> Iterator[bytes]:
    """The EXIF blocks of a JPEG (segment APP1) or WebP (chunk EXIF), from a file that can seek."""
    file.seek(0)
    at, is_webp = (12, True) if file.read(4) == b"RIFF" else (2, False)
    while len(head := _read(file, at, 8)) >= 4:
        if is_webp:
            kind, length = head[:4], int.from_bytes(head[4:], "little")
            if kind == b"EXIF":
                yield _read(file, at + 8, min(length, _LARGEST))
            at += 8 + length + length % 2
            continue
        marker, length = head[1], int.from_bytes(head[2:4], "big")
        if head[0] != 0xFF or marker == 0xDA or length < 2:  # the picture itself begins
            return
        if marker == 0xE1 and head[4:] == _HEAD[:4]:
            yield _read(file, at + 4, length - 2)
        at += 2 + length


def user_comment(block: bytes) -> str | None:
    """The comment in one EXIF block, None where it has none or is damaged.

    Piexif, and so the webui, writes UTF-16 with the high byte first, others in the order of the block; some write UTF-8
    under any character code or none.
    """
    tiff = block.removeprefix(_HEAD)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    try:
        if order is None:
            return None
        first = struct.unpack_from(f"{order}I", tiff, 4)[0]
        inner = _entry(tiff, order, first, _EXIF_DIRECTORY)
        found = inner and _entry(tiff, order, inner[1], _USER_COMMENT)
    except struct.error:
        return None
    if not found:
        return None
    count, at = found
    return _decoded(tiff[at : at + count]) or None


def _decoded(comment: bytes) -> str:
    code, text = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        is_low_first = text.startswith(b"\xff\xfe") or text[1::2].count(0) > text[::2].count(0)
        return text.decode("utf-16-le" if is_low_first else "utf-16-be", "replace").strip("\ufeff\0")
    if code == b"JIS\0\0\0\0\0":
        return text.decode("shift_jis", "replace").strip("\0")
    return (text if code in (b"ASCII\0\0\0", bytes(8)) else comment).decode("utf-8", "replace").strip("\0")


def _read(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


def _entry(tiff: bytes, order: str, directory: int, wanted: int) -> tuple[int, int] | None:
    """Count and value (or offset) of one tag of the directory at `directory`. Raises struct.error past the end."""
    for i in range(struct.unpack_from(f"{order}H", tiff, directory)[0]):
        tag, _, count, value = struct.unpack_from(f"{order}HHII", tiff, directory + 2 + 12 * i)
        if tag == wanted:
            return count, value
    return None
