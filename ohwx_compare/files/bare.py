"""A picture's bytes without what is written in it, its pixels untouched: nothing is decoded, parts are left out.

Of a PNG what draws it stays (header, palette, transparency, colour space, data); of a JPEG all but comments, EXIF,
XMP and IPTC; of a WebP all but EXIF and XMP. What turns the picture, EXIF's orientation, is kept by itself.
Sources: PNG specification, 11; JPEG File Interchange Format; Exif 2.32, 4.5.4; RFC 9649 (WebP), 2.7.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ohwx_compare.errors import ImageError
from ohwx_compare.files.atomic import write_bytes
from ohwx_compare.files.exif import exif_blocks, orientation
from ohwx_compare.files.png_chunks import PNG_HEAD, png_chunks
from ohwx_compare.files.regular import require_regular

__all__ = ["bare_file", "bare_picture", "with_infotext"]

_DRAWN = frozenset({  # PNG chunks that change what is seen; acTL, fcTL and fdAT are an animation's
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"bKGD", b"pHYs",
    b"acTL", b"fcTL", b"fdAT",
})  # fmt: skip
_JPEG_TOLD = frozenset({0xE1, 0xED, 0xFE})  # EXIF and XMP, IPTC, comments
_LARGEST = 400_000_000  # bytes of a picture
_LARGEST_SEGMENT = 65_000  # bytes of EXIF in a JPEG
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


def with_infotext(data: bytes, text: str) -> bytes:
    """`bare_picture` with `text` where the webui looks for it: `parameters` of a PNG, else EXIF's UserComment.

    Raises ImageError.
    """
    bare = bare_picture(data)
    if bare.startswith(PNG_HEAD):
        end = len(PNG_HEAD) + 12 + int.from_bytes(bare[8:12], "big")  # behind IHDR
        return bare[:end] + _text_chunk(text) + bare[end:]
    block = _comment(text)
    if bare.startswith(b"\xff\xd8"):
        if len(block) > _LARGEST_SEGMENT:
            raise ImageError(f"The infotext has {len(text):,} letters, which is more than a JPEG can hold.")
        return bare[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block + bare[2:]
    return _riff(_webp_with(list(_riff_chunks(bare)), block))


def bare_file(path: Path, target: Path, text: str | None = None, *, overwrite: bool = False) -> None:
    """Write `path` to `target` without metadata, with `text` as infotext where one is given; whole or not at all.

    Raises ImageError, also for a target that is there, unless `overwrite`.
    """
    if not overwrite and os.path.lexists(target):
        raise ImageError(f"{target} is there already; choose another folder.")
    try:
        is_large = require_regular(path) > _LARGEST
        data = b"" if is_large else path.read_bytes()
        write_bytes(target, bare_picture(data) if text is None else with_infotext(data, text))
    except OSError as error:
        raise ImageError(f"{path} cannot be written to {target}: {error.strerror or error}.") from error
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(data: bytes) -> Iterator[bytes]:
    kind = b""
    for kind, at, length in png_chunks(io.BytesIO(data), data):
        if at + length + 4 > len(data):
            raise ValueError("it is cut short")
        if kind == b"eXIf" and (turned := orientation(data[at : at + length])) > 1:
            yield _png_chunk(b"eXIf", _turned(turned))
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


def _text_chunk(text: str) -> bytes:
    """As the webui: tEXt where the text is Latin-1 that could not be taken for UTF-8, else iTXt."""
    plain = text.replace("\0", "")
    latin = plain.encode("latin-1", "replace")
    if plain.isascii() or (latin.decode("latin-1") == plain and not _is_utf8(latin)):
        return _png_chunk(b"tEXt", b"parameters\0" + latin)
    return _png_chunk(b"iTXt", b"parameters\0\0\0\0\0" + plain.encode("utf-8", "replace"))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _comment(text: str) -> bytes:
    """A TIFF with one UserComment, in UTF-16 with the high byte first, as piexif writes it for the webui."""
    comment = b"UNICODE\0" + text.encode("utf-16-be", "replace")
    first = struct.pack(">HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)  # one entry: where EXIF's directory is
    inner = struct.pack(">HHHII", 1, 0x9286, 7, len(comment), 44) + bytes(4)
    return b"MM\0*" + struct.pack(">I", 8) + first + inner + comment


def _webp_with(parts: list[tuple[bytes, bytes]], block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks with EXIF, which only the extended form has: VP8X tells the canvas, and what else there is."""
    kind, first = parts[0]
    if kind == b"VP8X":
        yield kind, bytes([first[0] | _WEBP_TOLD[b"EXIF"]]) + first[1:]
        parts = parts[1:]
    else:
        width, height, has_alpha = _canvas(kind, first)
        flags = _WEBP_TOLD[b"EXIF"] | (0x10 if has_alpha else 0)
        yield b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    yield from (part for part in parts if part[0] != b"EXIF")
    yield b"EXIF", block


def _canvas(kind: bytes, data: bytes) -> tuple[int, int, bool]:
    """Width, height and whether there is alpha, of a simple WebP: RFC 6386, 9.1, and RFC 9649, 3.4."""
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    width, height = struct.unpack_from("<HH", data, 6)
    return width & 0x3FFF, height & 0x3FFF, False


def _turned(orientation: int) -> bytes:
    """A TIFF of one entry, the orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
