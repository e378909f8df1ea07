"""The EXIF UserComment of a picture, found by walking to it: two directories, nothing else is read.

General EXIF readers follow every count that a damaged file claims, some for minutes; this one is bounded by the file.
Source: TIFF 6.0, section 2; Exif 2.32, 4.6.3 and 4.6.5.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

__all__ = ["comments", "exif_blocks", "orientation", "other_texts", "user_comment", "xmp_texts"]

_EXIF_DIRECTORY, _USER_COMMENT, _ORIENTATION = 0x8769, 0x9286, 0x0112
_DESCRIPTIONS = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x927C: "MakerNote",
    0x9C9C: "XPComment",
}
_HEAD = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/"
_LARGEST = 50_000_000  # bytes of a block
_MOST_SEGMENTS = 10_000  # of a JPEG; a full one holds 64 KB


def exif_blocks(file: BinaryIO) -> Iterator[bytes]:
    """The EXIF blocks of a JPEG (segment APP1) or WebP (chunk EXIF), from a file that can seek."""
    file.seek(0)
    if file.read(4) != b"RIFF":
        yield from (block for block in _segments(file, 0xE1) if block.startswith(_HEAD[:4]))
        return
    yield from _riff(file, b"EXIF")


def _riff(file: BinaryIO, wanted: bytes) -> Iterator[bytes]:
    """What the chunks `wanted` of a WebP hold."""
    at = 12
    while len(head := _read(file, at, 8)) >= 4:
        length = int.from_bytes(head[4:], "little")
        if head[:4] == wanted:
            yield _read(file, at + 8, min(length, _LARGEST))
        at += 8 + length + length % 2


def comments(file: BinaryIO) -> Iterator[str]:
    """The texts of a JPEG's comment segments (COM), from a file that can seek."""
    return (block.decode("utf-8", "replace") for block in _segments(file, 0xFE))


def xmp_texts(file: BinaryIO) -> Iterator[str]:
    """The XMP of a JPEG or WebP, from a file that can seek."""
    file.seek(0)
    if file.read(4) == b"RIFF":
        found = _riff(file, b"XMP ")
    else:
        found = (block.partition(b"\0")[2] for block in _segments(file, 0xE1) if block.startswith(_XMP))
    return (block.decode("utf-8", "replace") for block in found)


def _segments(file: BinaryIO, wanted: int) -> Iterator[bytes]:
    """What the segments with the marker `wanted` hold, before the picture itself."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if len(head := _read(file, at, 4)) < 4:
            return
        marker, length = head[1], int.from_bytes(head[2:4], "big")
        if head[0] != 0xFF or marker == 0xDA or length < 2:
            return
        if marker == wanted:
            yield _read(file, at + 4, length - 2)
        at += 2 + length


def user_comment(block: bytes) -> str | None:
    """The comment in one EXIF block, None where it has none or is damaged.

    Some programs put it into the first directory, where no reader of EXIF looks. Piexif, and so the webui, writes
    UTF-16 with the high byte first, others in the order of the block; some write UTF-8 under any character code or
    none, and some UTF-8 of what they had read in the wrong byte order.
    """
    tiff, order, directories = _directories(block)
    for directory in reversed(directories):
        with suppress(struct.error):
            if found := _entry(tiff, order, directory, _USER_COMMENT):
                return _decoded(tiff[found[1] : found[1] + found[0]]) or None
    return None


def other_texts(block: bytes) -> dict[str, str]:
    """What else in an EXIF block describes the picture, by its EXIF name; {} for nothing."""
    texts: dict[str, str] = {}
    tiff, order, directories = _directories(block)
    for directory in directories:
        for tag, name in _DESCRIPTIONS.items():
            with suppress(struct.error):
                if (found := _entry(tiff, order, directory, tag)) and found[0] > 4:  # shorter ones lie in the entry
                    data = tiff[found[1] : found[1] + found[0]]
                    texts[name] = data.decode("utf-16-le" if name == "XPComment" else "utf-8", "replace").strip("\0")
    return texts


def orientation(block: bytes) -> int:
    """How an EXIF block says that the picture is turned, 1 (not at all) to 8; 1 where it says nothing."""
    tiff, order, directories = _directories(block)
    for directory in directories:
        with suppress(struct.error):
            if found := _entry(tiff, order, directory, _ORIENTATION):
                value = found[1] >> 16 if order == ">" else found[1] & 0xFFFF  # a SHORT, at the entry's beginning
                return value if 1 <= value <= 8 else 1
    return 1


def _directories(block: bytes) -> tuple[bytes, str, list[int]]:
    """The TIFF structure, its byte order, and where its first directory and that of EXIF lie; [] if damaged."""
    tiff = block.removeprefix(_HEAD)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4], "")
    try:
        first = struct.unpack_from(f"{order}I", tiff, 4)[0] if order else 0
        inner = _entry(tiff, order, first, _EXIF_DIRECTORY) if order else None
    except struct.error:
        return tiff, order, []
    return tiff, order, [first, *([inner[1]] if inner else [])] if order else []


def _decoded(comment: bytes) -> str:
    code, text = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        return _righted(_utf_16(text)).strip("\ufeff\0")
    if code == b"JIS\0\0\0\0\0":
        return text.decode("shift_jis", "replace").strip("\0")
    plain = text if code in (b"ASCII\0\0\0", bytes(8)) else comment
    return _righted(plain.decode("utf-8", "replace")).strip("\0")


def _utf_16(text: bytes) -> str:
    """UTF-16 of either order, or the UTF-8 that some write in its place: the one without a zero byte."""
    if 0 not in text.rstrip(b"\0"):
        with suppress(UnicodeDecodeError):
            return text.decode("utf-8")
    is_low_first = text.startswith(b"\xff\xfe") or text[1::2].count(0) > text[::2].count(0)
    return text.decode("utf-16-le" if is_low_first else "utf-16-be", "replace")


def _righted(text: str) -> str:
    """`text`, its bytes put right where most of its letters are ASCII ones with their two bytes swapped."""
    if text and sum(ord(letter) & 0xFF == 0 for letter in text) > len(text) / 2 and text.strip("\0"):
        return text.encode("utf-16-be", "replace").decode("utf-16-le", "replace")
    return text


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
