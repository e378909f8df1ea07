"""A picture's bytes without what is written in it, its pixels untouched: nothing is decoded, parts are left out.

Of a PNG what draws it stays (header, palette, transparency, colour space, data); of a JPEG all but comments, EXIF,
XMP and IPTC; of a WebP all but EXIF and XMP. What turns the picture, EXIF's orientation, is kept by itself.
Sources: PNG specification, 11; JPEG File Interchange Format; Exif 2.32, 4.5.4; RFC 9649 (WebP), 2.7.
"""

import io
import struct
import zlib
from collections.abc import Iterable, Iterator

from ohwx_compare.errors import ImageError
from ohwx_compare.files.exif import exif_blocks, orientation
from ohwx_compare.files.png_chunks import PNG_HEAD, png_chunks

__all__ = ["bare_picture", "png_chunk"]

_DRAWN = frozenset({  # PNG chunks that change what is seen; acTL, fcTL and fdAT are an animation's
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"bKGD", b"pHYs",
    b"acTL", b"fcTL", b"fdAT",
})  # fmt: skip
_JPEG_TOLD = frozenset({0xE1, 0xED, 0xFE})  # EXIF and XMP, IPTC, comments
_WEBP_TOLD = {b"EXIF": 0x08, b"XMP ": 0x04}  # and the flags of VP8X that announce them


def bare_picture(data: bytes) -> bytes:
    """`data` without metadata. Raises ImageError for what is neither PNG, JPEG nor WebP, and for a damaged one."""
    try:
        if data.startswith(PNG_HEAD):
            return b"".join([PNG_HEAD, *_png(data)])
        if data.startswith(b"\xff\xd8"):
            return b"".join([data[:2], *_jpeg(data)])
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _riff(_webp(data))
    except (struct.error, ValueError) as error:
        raise ImageError(f"This picture is damaged: {error}.") from error
    raise ImageError("This is neither a PNG, a JPEG nor a WebP; metadata is taken out of those alone.")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(data: bytes) -> Iterator[bytes]:
    kind = b""
    for kind, at, length in png_chunks(io.BytesIO(data), data):
        if at + length + 4 > len(data):
            raise ValueError("it is cut short")
        if kind == b"eXIf" and (turned := orientation(data[at : at + length])) > 1:
            yield png_chunk(b"eXIf", _turned(turned))
        elif kind in _DRAWN:
            yield data[at - 8 : at + length + 4]
    if kind != b"IEND":
        raise ValueError("it is cut short")


def _jpeg(data: bytes) -> Iterator[bytes]:
    turned = max((orientation(block) for block in exif_blocks(io.BytesIO(data))), default=1)
    if turned > 1:
        block = b"Exif\0\0" + _turned(turned)
        yield b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    at = 2
    while True:
        mark, length = struct.unpack_from(">HH", data, at)
        if mark >> 8 != 0xFF or length < 2:
            raise ValueError("its segments do not follow each other")
        if mark & 0xFF == 0xDA:  # the picture itself, to the end
            yield data[at:]
            return
        if mark & 0xFF not in _JPEG_TOLD:
            yield data[at : at + 2 + length]
        at += 2 + length


def _webp(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    parts = list(_riff_chunks(data))
    turned = max((orientation(part) for kind, part in parts if kind == b"EXIF"), default=1)
    for kind, part in parts:
        if kind == b"VP8X":
            flags = part[0] & ~_WEBP_TOLD[b"XMP "] & ~(0 if turned > 1 else _WEBP_TOLD[b"EXIF"])
            yield kind, bytes([flags]) + part[1:]
        elif kind not in _WEBP_TOLD:
            yield kind, part
    if turned > 1:
        yield b"EXIF", _turned(turned)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > len(data):
            raise ValueError("it is cut short")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _riff(parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for kind, part in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _turned(orientation: int) -> bytes:
    """A TIFF of one entry, the orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
