"""A picture as the bytes of its files, but for what it will know of itself: so whoever generated it does the packing.

What is written into a PNG later stands between its header and its pixels, where Pillow puts it too; so the files are
byte for byte those that `write_png` and `write_thumbnail` write. Source: PNG specification, 5.6 and 11.2.1.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import putchunk

from ohwx_compare.errors import HostError
from ohwx_compare.files.atomic import write_bytes
from ohwx_compare.files.images import jpeg_bytes, pixel_digest, png_bytes, text_chunks
from ohwx_compare.files.png_chunks import PNG_HEAD

__all__ = ["PackedPicture", "packed", "unpacked", "write_packed"]

_HEADER = len(PNG_HEAD) + 25  # bytes before the first chunk that may hold text: signature and IHDR


@dataclass(frozen=True)
class PackedPicture:
    """One RGB picture, ready to be written."""

    png: bytes  # without text
    thumb: bytes  # JPEG
    pixels: str  # `pixel_digest`
    sha256: str  # of `png`, so that one that was damaged on its way is noticed


def packed(image: Image.Image) -> PackedPicture:
    """Pack `image` (RGB)."""
    png = png_bytes(image)
    return PackedPicture(png, jpeg_bytes(image), pixel_digest(image), hashlib.sha256(png).hexdigest())


def unpacked(picture: Image.Image | PackedPicture) -> Image.Image:
    """The picture itself, RGB."""
    if isinstance(picture, Image.Image):
        return picture
    image: Image.Image = Image.open(io.BytesIO(picture.png), formats=["PNG"])
    return image.convert("RGB")


def write_packed(path: Path, picture: PackedPicture, infotext: str, record: str = "") -> None:
    """Write the PNG as `write_png` does. Raises HostError for one that is not as it was sent, OSError."""
    if hashlib.sha256(picture.png).hexdigest() != picture.sha256:
        raise HostError(f"{path.name} arrived damaged; it is generated again.")
    texts = io.BytesIO()
    for kind, data, *_ in text_chunks(infotext, record).chunks:
        putchunk(texts, kind, data)
    write_bytes(path, b"".join((picture.png[:_HEADER], texts.getvalue(), picture.png[_HEADER:])))
