"""Contact sheets: the pictures of one problem side by side, numbered as in the report."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw

from ohwx_compare.core.geometry import Box
from ohwx_compare.errors import ImageError
from ohwx_compare.files.atomic import replacing
from ohwx_compare.files.dataset import ReadingRules, load_picture

__all__ = ["sheet_name", "write_contact_sheet"]

_SIDE, _ACROSS, _MOST = 160, 6, 60  # px of a thumbnail, how many in a row, how many on a sheet
_LINE = 14  # px, for the number


def sheet_name(problem: str) -> str:
    """The file of a problem's sheet in the report's folder."""
    return f"{problem.replace(' ', '-')}.jpg"


def write_contact_sheet(path: Path, pictures: Iterable[tuple[int, Path, tuple[Box, ...], tuple[float, ...]]]) -> None:
    """Write a JPEG of at most 60 pictures: number, file, faces and the box that the crop keeps (or nothing), in px.

    What cannot be read is a grey field. Raises OSError.
    """
    some = [one for one, _ in zip(pictures, range(_MOST), strict=False)]
    rows = -(-len(some) // _ACROSS)
    sheet = Image.new("RGB", (_SIDE * min(len(some), _ACROSS), (_SIDE + _LINE) * rows), "#ffffff")
    pen = ImageDraw.Draw(sheet)
    for at, (number, file, faces, window) in enumerate(some):
        left, top = at % _ACROSS * _SIDE, at // _ACROSS * (_SIDE + _LINE)
        pen.text((left + 2, top + 1), str(number), fill="#000000")
        sheet.paste(_thumbnail(file, faces, window), (left, top + _LINE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        sheet.save(beside, "JPEG", quality=80)


def _thumbnail(file: Path, faces: tuple[Box, ...], window: tuple[float, ...]) -> Image.Image:
    try:
        image = load_picture(file, ReadingRules())
    except ImageError:
        return Image.new("RGB", (_SIDE, _SIDE), "#999999")
    scale = _SIDE / max(image.size)
    small = image.resize((max(1, round(scale * image.width)), max(1, round(scale * image.height))))
    pen = ImageDraw.Draw(small)
    if window:
        pen.rectangle([scale * edge for edge in window], outline="#00c8ff")
    for face in faces:
        pen.rectangle([scale * edge for edge in face.xyxy], outline="#ff3030")
    whole = Image.new("RGB", (_SIDE, _SIDE), "#ffffff")
    whole.paste(small, (0, 0))
    return whole
