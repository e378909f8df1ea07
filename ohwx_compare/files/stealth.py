"""A text hidden in the lowest bits of a picture's alpha, as NovelAI and a webui extension write it.

Column by column, one bit a pixel: 15 letters that name the form, 32 bits with the text's length in bits, the text,
plain or compressed by gzip. `stealth_rgb...` uses the three colours of each pixel in place of alpha. It is looked for
where there is no other text, in pictures with alpha alone, because their pixels must be decoded.
"""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.files.images import open_picture

__all__ = ["hidden_text"]

_LETTERS = 15
_FORMS = {b"stealth_pnginfo": False, b"stealth_pngcomp": True, b"stealth_rgbinfo": False, b"stealth_rgbcomp": True}
_LONGEST = 5_000_000  # bytes of the text
_MOST_PX = 100_000_000


def hidden_text(path: Path) -> str | None:
    """The text; None where there is none, also of a file that cannot be read: nothing says that there should be."""
    try:
        with open_picture(path) as image:
            if image.mode not in ("RGBA", "LA", "PA") or image.width * image.height > _MOST_PX:
                return None
            pixels = np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, zlib.error, Image.DecompressionBombError):
        return None
    columns = pixels.transpose(1, 0, 2) & 1
    return _read(columns[..., 3]) or _read(columns[..., :3])


def _read(bits: NDArray[np.uint8]) -> str | None:
    flat = bits.reshape(-1)
    head = np.packbits(flat[: 8 * (_LETTERS + 4)]).tobytes()
    is_packed = _FORMS.get(head[:_LETTERS])
    length = int.from_bytes(head[_LETTERS:], "big")
    start = 8 * (_LETTERS + 4)
    if is_packed is None or length % 8 or length // 8 > _LONGEST or start + length > flat.size:
        return None
    data = np.packbits(flat[start : start + length]).tobytes()
    try:
        return (_unpacked(data) if is_packed else data).decode("utf-8", "replace")
    except zlib.error:
        return None


def _unpacked(data: bytes) -> bytes:
    """At most `_LONGEST` bytes: a few can unpack to any number."""
    unpacker = zlib.decompressobj(wbits=31)
    text = unpacker.decompress(data, _LONGEST)
    if not unpacker.eof:
        raise zlib.error("it is cut short or has no end")
    return text
