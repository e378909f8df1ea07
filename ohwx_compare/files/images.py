"""Pictures on disk: RGB in, PNG with its infotext out, thumbnails, and the infotext of what others wrote.

The infotext lies where the webui puts it: in a PNG's text chunk `parameters`, in the EXIF UserComment of JPEG and WebP.
It is read without decoding pixels, so a grid of any size gives its text.
"""

import io
import struct
import warnings
import zlib
from pathlib import Path

import piexif.helper
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ohwx_compare.errors import ImageError
from ohwx_compare.files.atomic import write_bytes
from ohwx_compare.files.exif import user_comment

__all__ = ["THUMB_SIDE", "load_rgb", "read_infotext", "write_png", "write_thumbnail"]

THUMB_SIDE = 384  # px, the longer side
_PNG = b"\x89PNG\r\n\x1a\n"
_KEY = b"parameters"
_LONGEST = 10_000_000  # bytes of an infotext


def load_rgb(path: Path) -> Image.Image:
    """Return the whole picture as "RGB", alpha dropped. Raises ImageError that says what is wrong with the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large is fine, absurd is an error below
            with Image.open(path) as image:
                return image.convert("RGB")
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} is too large to load: {error}") from error
    except UnidentifiedImageError as error:
        what = "is empty (0 bytes)" if path.stat().st_size == 0 else "is not a picture that Pillow can read"
        raise ImageError(f"{path} {what}; give a PNG, JPEG or WebP.") from error
    except (OSError, SyntaxError, ValueError, zlib.error) as error:  # Pillow's ways to say "damaged"
        raise ImageError(f"{path} cannot be read: {error}.") from error


def read_infotext(path: Path) -> str | None:
    """Return the picture's infotext, None if it carries none. Raises ImageError for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            if file.read(8) == _PNG:
                return _png_text(file)
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error}.") from error
    if data[:2] == b"\xff\xd8" or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return _exif_text(data)
    what = "is not a PNG, JPEG or WebP" if data else "is empty (0 bytes)"
    raise ImageError(f"{path} {what}; give a picture that carries an infotext.")


def write_png(path: Path, image: Image.Image, infotext: str) -> None:
    """Write `image` (RGB) losslessly with its infotext, whole or not at all.

    Like the webui: a tEXt chunk where the text is Latin-1, else iTXt. The same picture and text give the same bytes.
    Raises ImageError.
    """
    chunks = PngInfo()
    chunks.add_text(_KEY.decode(), infotext)
    _write(path, image, format="PNG", pnginfo=chunks)


def write_thumbnail(path: Path, image: Image.Image, side: int = THUMB_SIDE) -> None:
    """Write `image` as JPEG, its longer side at most `side` px, whole or not at all. Raises ImageError."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    _write(path, small, format="JPEG", quality=88)


def _write(path: Path, image: Image.Image, **options: object) -> None:
    memory = io.BytesIO()
    try:
        image.save(memory, **options)
        write_bytes(path, memory.getvalue())
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error}. Free some space or choose another --out.") from error


def _png_text(file: io.BufferedReader) -> str | None:
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            file.seek(length + 4, io.SEEK_CUR)  # the data and its checksum
            continue
        key, _, rest = file.read(length).partition(b"\0")
        file.seek(4, io.SEEK_CUR)
        if key == _KEY:
            return _text(kind, rest)
    return None


def _text(kind: bytes, rest: bytes) -> str | None:
    """The text behind the keyword of a chunk (PNG specification, 11.3.3); None where it is damaged."""
    try:
        if kind == b"tEXt":
            return rest.decode("latin-1")
        if kind == b"zTXt":
            return _unpacked(rest[1:]).decode("latin-1")
        text = rest[2:].split(b"\0", 2)[2]  # behind the language and the translated keyword
        return (_unpacked(text) if rest[0] else text).decode("utf-8")
    except (ValueError, IndexError, zlib.error):
        return None


def _unpacked(data: bytes) -> bytes:
    """At most `_LONGEST` bytes of compressed text: a few bytes can unpack to any number. Raises zlib.error."""
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, _LONGEST)
    if not unpacker.eof:
        raise zlib.error("cut short or without end")
    return text


def _exif_text(data: bytes) -> str | None:
    try:
        return piexif.helper.UserComment.load(user_comment(data) or b"") or None
    except ValueError:
        return None
