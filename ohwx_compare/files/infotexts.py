"""The infotext of a picture file, read without decoding pixels: a grid of any size gives its text.

It lies where the webui puts it: in a PNG's text chunk `parameters`, in the EXIF UserComment of JPEG, WebP, AVIF and,
where Pillow reads it, JPEG XL.
Source: PNG specification, 11.3.3 (text chunks) and 11.3.2.9 (eXIf).
"""

import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ohwx_compare.core.infotext.infotext import decode_record, extra, parse
from ohwx_compare.errors import ImageError
from ohwx_compare.files.exif import comments, exif_blocks, other_texts, user_comment, xmp_texts
from ohwx_compare.files.generation import Generation, generation_of
from ohwx_compare.files.jxl import is_jxl, learn_jxl
from ohwx_compare.files.png_chunks import PNG_HEAD, RECORD, part, png_chunks
from ohwx_compare.files.regular import require_regular

__all__ = ["PictureText", "find_infotext", "read_infotext", "read_record"]

_AHEAD = 4096  # bytes of a file's beginning: most texts lie in them, so most files are read once
_KEY = b"parameters"
_RECORD = RECORD.encode()
_STEPS = "Steps: "
_LONGEST = 5_000_000  # bytes of an infotext
_DAMAGED = "It has no infotext: in its place stands another program's text, which is damaged."


def read_infotext(path: Path) -> str | None:
    """Return the picture's infotext, None if it carries none.

    Raises ImageError for a file that cannot be read, is cut short before its text, or holds a damaged one.
    """
    return _read(path)[0]


def read_record(path: Path) -> tuple[str | None, Mapping[str, object]]:
    """Return the picture's infotext, and what this program keeps of it as JSON values; {} where it is not its own.

    Earlier versions kept it in the infotext, under the key `ohwx`. Raises ImageError as `read_infotext`, and
    InfotextError for a record that is no JSON object.
    """
    text, record = _read(path)
    if record is None:
        return text, extra(parse(text or ""))
    return text, decode_record(record, f"The record of {path}")


def _read(path: Path) -> tuple[str | None, str | None]:
    try:
        require_regular(path)
        with path.open("rb", buffering=0) as file:
            start = file.read(_AHEAD)
            if start.startswith(PNG_HEAD):
                return _png_text(file, start)
            return _exif_text(path, file, start), None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ImageError(f"{path} {error}.") from error


@dataclass(frozen=True)
class PictureText:
    """A picture's infotext, or a sentence that says why it has none."""

    text: str | None
    reason: str = ""
    told: Generation | None = None  # what another program wrote


def find_infotext(path: Path) -> PictureText:
    """The picture's infotext as `read_infotext`; a phone's comment and another program's metadata are none.

    Raises ImageError, as `read_infotext`.
    """
    text = read_infotext(path)
    if text and _STEPS in text:
        return PictureText(text)
    others = _other_texts(path)
    told = generation_of({**others, "": text or ""})
    program = told.program if told else None
    if text and text.strip() and not program and others.get("parameters", "None") != "None":
        if text.lstrip().startswith("{"):
            return PictureText(None, _DAMAGED)
        return PictureText(text)  # the webui's place: damaged, or cut
    hidden = next((name for name, other in others.items() if name != "parameters" and _STEPS in other), None)
    if hidden:
        return PictureText(None, f"It has an infotext as {hidden}, where the webui does not look; paste that text.")
    if told is None and not others and not text:
        from ohwx_compare.files.stealth import hidden_text  # here, so that most pictures need no Pillow

        hidden_one = hidden_text(path) or ""
        if _STEPS in hidden_one:
            return PictureText(hidden_one)
        told = generation_of({"": hidden_one})
    if told:
        return PictureText(None, f"It has {told.program}'s metadata and no infotext of the webui.", told)
    return PictureText(None, "It has no infotext: it was saved without, or by a program that drops it.")


def _other_texts(path: Path) -> dict[str, str]:
    """Every text that a PNG, JPEG or WebP carries, by the name of its place; {} where none can be read."""
    try:
        with path.open("rb", buffering=0) as file:
            start = file.read(_AHEAD)
            if not start.startswith(PNG_HEAD):
                texts = {name: text for block in exif_blocks(file) for name, text in other_texts(block).items()}
                texts |= dict(zip(["XMP"], xmp_texts(file), strict=False))
                return texts | dict(zip(["a JPEG comment"], comments(file), strict=False))
            found: dict[str, str] = {}
            for kind, at, length in png_chunks(file, start):
                if kind in (b"tEXt", b"zTXt", b"iTXt") and length <= _LONGEST:
                    key, _, rest = part(file, start, at, length).partition(b"\0")
                    with suppress(ValueError):
                        found.setdefault(key.decode("latin-1"), _text(kind, rest))
            return found
    except (OSError, ValueError):
        return {}


def _png_text(file: BinaryIO, start: bytes) -> tuple[str | None, str | None]:
    """The infotext, and our record where one stands before it. Raises ValueError that says what is wrong."""
    comment = record = kind = None
    for kind, at, length in png_chunks(file, start):
        if kind == b"eXIf":
            comment = user_comment(part(file, start, at, min(length, _LONGEST)))
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, nul, _ = part(file, start, at, min(length, len(_KEY) + 1)).partition(b"\0")
            if nul and key in (_KEY, _RECORD):
                text = _text(kind, part(file, start, at + len(key) + 1, _bounded(length) - len(key) - 1))
                if key == _KEY:
                    return text, record
                record = text
    if kind != b"IEND":
        raise ValueError("is cut short: it ends before an infotext is found")
    return comment, None


def _bounded(length: int) -> int:
    if length > _LONGEST:
        raise ValueError(f"claims an infotext of {length:,} bytes, expected at most {_LONGEST:,}")
    return length


def _text(kind: bytes, rest: bytes) -> str:
    """The text behind the keyword of a chunk. Raises ValueError."""
    try:
        if kind == b"tEXt":
            return _latin(rest)
        if kind == b"zTXt":
            return _latin(_unpacked(rest[1:]))
        text = rest[2:].split(b"\0", 2)[2]  # behind the language and the translated keyword
        return (_unpacked(text) if rest[0] else text).decode("utf-8")
    except (UnicodeDecodeError, IndexError, zlib.error) as error:
        raise ValueError(f"has a damaged infotext: {error}") from error


def _latin(text: bytes) -> str:
    """Latin-1, as the specification says, or the UTF-8 that some programs write in its place."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _unpacked(data: bytes) -> bytes:
    """Compressed text, which must be at most `_LONGEST` bytes: a few can unpack to any number. Raises zlib.error."""
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, _LONGEST)
    if not unpacker.eof:
        raise zlib.error("its compressed text is cut short or has no end")
    return text


def _exif_text(path: Path, file: BinaryIO, start: bytes) -> str | None:
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return user_comment(_found_exif(path, "AVIF, which this Pillow cannot read; install Pillow 11.3 or later"))
    if is_jxl(start):
        learn_jxl()
        return user_comment(_found_exif(path, "JPEG XL, which Pillow cannot read here; install pillow-jxl-plugin"))
    if not (start.startswith(b"\xff\xd8") or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")):
        what = "is not a PNG, JPEG, WebP or AVIF" if start else "is empty (0 bytes)"
        raise ValueError(f"{what}; give a picture that carries an infotext")
    texts = (user_comment(block) for block in exif_blocks(file))
    return next((text for text in texts if text), None)


def _found_exif(path: Path, unread: str) -> bytes:
    """The EXIF block as Pillow finds it. Raises ValueError where it cannot read the file, which is `unread`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            exif: bytes = image.info.get("exif", b"")
            return exif
    except Image.DecompressionBombError as error:
        raise ValueError(f"is too large to open: {error}") from error
    except (UnidentifiedImageError, SyntaxError) as error:
        raise ValueError(f"is {unread}") from error
    except RuntimeError as error:  # pillow-jxl-plugin's way to say "damaged"
        raise ValueError("is damaged") from error
