"""Pictures on disk: RGB in, PNG with its infotext out, thumbnails."""

import hashlib
import io
import json
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ohwx_compare.errors import ImageError
from ohwx_compare.files.atomic import is_plain_file, sweep, write_bytes
from ohwx_compare.files.jxl import learn_jxl
from ohwx_compare.files.png_chunks import PNG_HEAD, RECORD, png_chunks
from ohwx_compare.files.regular import require_regular

__all__ = [
    "THUMB_SIDE",
    "flattened",
    "is_made_here",
    "is_one_colour",
    "jpeg_bytes",
    "load_mask",
    "load_rgb",
    "load_rgba",
    "open_picture",
    "pixel_digest",
    "png_bytes",
    "text_chunks",
    "write_png",
    "write_result",
    "write_thumbnail",
]

THUMB_SIDE = 384  # px, the longer side
_KEY = "parameters"
_FLAT = 2  # of 255: all of a picture lies within so much
# Pillow opens 40 formats by their first bytes, whatever a file's name; for EPS it starts Ghostscript.
_FORMATS = frozenset({"PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "HEIF", "JXL"})
_AHEAD = 4096  # bytes of a file's beginning, which are read at once
_SOFTWARE, _NAME = "Software", "sd-webui-ohwx-compare"  # PNG specification, 11.3.3.2: what made the picture


def load_rgb(path: Path, *, most_px: int | None = None) -> Image.Image:
    """Return the whole picture as "RGB", alpha dropped. Raises ImageError, which says what is wrong with the file.

    most_px: one with more is not loaded.
    """
    return _load(path, lambda image: image.convert("RGB"), most_px)


def load_rgba(path: Path) -> Image.Image:
    """Return the picture as "RGBA". Raises as `load_rgb`."""
    return _load(path, lambda image: image.convert("RGBA"))


def flattened(image: Image.Image, colour: str) -> Image.Image:
    """`image` as "RGB", on `colour` (#ffffff) where it is transparent: `flatten` of the webui's modules/images.py."""
    layer = image.convert("RGBA")
    under = Image.new("RGBA", layer.size, colour)
    under.paste(layer, mask=layer)
    return under.convert("RGB")


def load_mask(path: Path) -> Image.Image:
    """Return the picture as "L"; of one that is transparent somewhere, white where it is opaque by more than half.

    `create_binary_mask` of the webui's modules/processing.py, 82a973c. Raises as `load_rgb`.
    """

    def mask_of(image: Image.Image) -> Image.Image:
        alpha = image.convert("RGBA").getchannel("A")
        is_opaque = alpha.getextrema() == (255, 255)
        return image.convert("L") if is_opaque else alpha.point(lambda value: 255 if value > 128 else 0)

    return _load(path, mask_of)


def _load(path: Path, read: Callable[[Image.Image], Image.Image], most_px: int | None = None) -> Image.Image:
    try:
        require_regular(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large is fine, absurd is an error below
            with open_picture(path) as image:
                if most_px and image.width * image.height > most_px:
                    raise ImageError(f"{path} has {image.width} x {image.height} px, which is too large to load.")
                return read(image)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} is too large to load: {error}") from error
    except UnidentifiedImageError as error:
        what = "is empty (0 bytes)" if path.stat().st_size == 0 else "is not a picture that Pillow can read"
        raise ImageError(f"{path} {what}; give a PNG, JPEG or WebP.") from error
    except (OSError, SyntaxError, ValueError, RuntimeError, zlib.error) as error:  # Pillow's ways to say "damaged"
        raise ImageError(f"{path} cannot be read: {error}.") from error


def pixel_digest(image: Image.Image) -> str:
    """sha256 of an RGB picture's size and pixels: equal for equal pictures whatever file holds them."""
    return hashlib.sha256(json.dumps(image.size).encode() + image.tobytes()).hexdigest()


def is_one_colour(image: Image.Image) -> bool:
    """Whether an RGB image shows nothing: black, as NaN and safety filters make it, or any other one colour."""
    return bool(np.all(np.ptp(np.asarray(image).reshape(-1, 3), axis=0) <= _FLAT))


def open_picture(source: Path | BinaryIO) -> Image.Image:
    """`Image.open` for files of strangers: formats of pictures alone, and no PNG of a million chunks.

    Raises what Pillow does, and ValueError for such a PNG.
    """
    Image.init()
    learn_jxl()
    if isinstance(source, Path):
        with source.open("rb") as file:
            _require_few_chunks(file)
    else:
        _require_few_chunks(source)
        source.seek(0)
    return Image.open(source, formats=sorted(_FORMATS & Image.OPEN.keys()))


def _require_few_chunks(file: BinaryIO) -> None:
    """Pillow takes its time over each, before any limit of its own."""
    if (start := file.read(_AHEAD)).startswith(PNG_HEAD):
        for _ in png_chunks(file, start):
            pass


def write_png(path: Path, image: Image.Image, infotext: str, record: str = "", *, dpi: int | None = None) -> None:
    """Write `image` (RGB) losslessly with its infotext, whole or not at all.

    record: what the program keeps of it, in a chunk of its own before the infotext, see `infotexts.read_record`; dpi:
    px of an inch, where it is made for paper.

    Like the webui: a tEXt chunk where the text is Latin-1 (and could not be taken for UTF-8), else iTXt. The same
    picture and text give the same bytes.
    Raises ImageError.
    """
    _write(path, lambda: png_bytes(image, text_chunks(infotext, record), dpi))


def write_result(path: Path, image: Image.Image, infotext: str) -> None:
    """`write_png` for a picture made of one that the user gave, marked so that `is_made_here` knows it again.

    An empty infotext is left out. What a killed writer left of it is removed. Raises ImageError.
    """
    chunks = text_chunks(infotext) if infotext else PngInfo()
    chunks.add_text(_SOFTWARE, _NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    _write(path, lambda: _saved(image, "PNG", pnginfo=chunks))


def is_made_here(path: Path) -> bool:
    """Whether `path` is a PNG that `write_result` wrote, and a regular file itself."""
    if not is_plain_file(path):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                return bool(image.info.get(_SOFTWARE) == _NAME)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, zlib.error):
        return False


def write_thumbnail(path: Path, image: Image.Image, side: int = THUMB_SIDE) -> None:
    """Write `image` as JPEG, its longer side at most `side` px, whole or not at all. Raises ImageError."""
    _write(path, lambda: jpeg_bytes(image, side))


def png_bytes(image: Image.Image, chunks: PngInfo | None = None, dpi: int | None = None) -> bytes:
    """A PNG of `image` as `write_png` writes it; chunks: what stands before its pixels."""
    sized = {"dpi": (dpi, dpi)} if dpi else {}
    return _saved(image, "PNG", pnginfo=chunks or PngInfo(), compress_type=zlib.Z_RLE, **sized)


def jpeg_bytes(image: Image.Image, side: int = THUMB_SIDE) -> bytes:
    """A JPEG of `image`, its longer side at most `side` px."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _saved(small, "JPEG", quality=88)


def text_chunks(infotext: str, record: str = "") -> PngInfo:
    """The chunks of a picture's infotext and record, see `write_png`."""
    chunks = PngInfo()
    for key, text in ((RECORD, record), (_KEY, infotext)):
        if _is_mistakable(text):
            chunks.add_itxt(key, text)
        elif text or key == _KEY:
            chunks.add_text(key, text)
    return chunks


def _is_mistakable(text: str) -> bool:
    """Whether the text's Latin-1 is another text's UTF-8, for which readers would take it."""
    try:
        return not text.isascii() and text.encode("latin-1").decode("utf-8") != text
    except UnicodeError:
        return False


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    memory = io.BytesIO()
    image.save(memory, kind, **options)
    return memory.getvalue()


def _write(path: Path, packed: Callable[[], bytes]) -> None:
    try:
        write_bytes(path, packed())
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error}. Free some space or choose another folder.") from error
