"""A set of pictures looked at one by one: what is known already is not looked at again, and one picture is in memory.

The report's folder holds `pictures.jsonl`, a line a picture, written as soon as it was looked at; a run that was
stopped resumes there. A changed picture (size or time) is looked at again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.doctor.facts import PictureFacts, facts_of
from ohwx_compare.errors import ExperimentError, ImageError
from ohwx_compare.files.dataset import EXTENSIONS, ReadingRules, load_picture
from ohwx_compare.files.regular import read_text
from ohwx_compare.files.tokenizer import tokenizer_l
from ohwx_compare.numerals import decode_json

__all__ = ["FindFaces", "SetPicture", "examined", "set_pictures"]

LINES = "pictures.jsonl"


class FindFaces(Protocol):
    """A detector of faces under a name."""

    name: str

    def __call__(self, image: Image.Image) -> tuple[Box, ...]:
        """The faces' boxes, px."""


@dataclass(frozen=True)
class SetPicture:
    """A picture of the set: its file, and the words behind the number in its folder's name."""

    path: Path
    inside: str  # the path within the set, with "/"
    words: str


def set_pictures(root: Path) -> tuple[SetPicture, ...]:
    """All pictures below a folder, hidden ones left out, by path. Raises ExperimentError where there is none."""
    try:
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    except OSError as error:
        raise ExperimentError(f"{root} cannot be read: {error.strerror or error}.") from error
    found = []
    for path in paths:
        inside = path.relative_to(root)
        if not any(part.startswith(".") for part in inside.parts):
            number, _, words = path.parent.name.partition("_")
            found.append(SetPicture(path, inside.as_posix(), words if number.isdecimal() else ""))
    if not found:
        raise ExperimentError(f"{root} holds no pictures; give a folder of pictures, or of folders such as 1_ohwx man.")
    return tuple(found)


def examined(
    places: tuple[SetPicture, ...], report: Path, faces_in: FindFaces
) -> Iterator[tuple[SetPicture, PictureFacts]]:
    """The facts of each picture, in order. Raises OSError."""
    report.mkdir(parents=True, exist_ok=True)
    known = dict(_known(report / LINES))
    with (report / LINES).open("a", encoding="utf-8") as file:
        file.write("\n")  # ends a line that was cut short
        for place in places:
            key = _key(place, faces_in.name)
            facts = known.get(key)
            if facts is None:
                facts = _look(place, faces_in)
                file.write(json.dumps({"key": key, **facts.to_dict()}, ensure_ascii=False) + "\n")
                file.flush()
            yield place, facts


def _known(path: Path) -> Iterator[tuple[str, PictureFacts]]:
    """The lines that are whole; the last one may be cut short."""
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    data = decode_json(line)
                    yield data.pop("key"), PictureFacts.from_dict(data)
                except (KeyError, TypeError, ValueError, AttributeError):
                    continue


def _key(place: SetPicture, detector: str) -> str:
    status = place.path.stat()
    caption = _caption_file(place.path)
    text = caption.stat() if caption else None
    times = [status.st_size, status.st_mtime_ns, text.st_size if text else 0, text.st_mtime_ns if text else 0]
    return "/".join([place.inside, detector, *map(str, times)])


def _look(place: SetPicture, faces_in: FindFaces) -> PictureFacts:
    try:
        image = load_picture(place.path, ReadingRules())
    except ImageError as error:
        return PictureFacts(error=str(error))
    caption = place.words
    if file := _caption_file(place.path):
        lines = read_text(file).strip().splitlines()
        caption = lines[0].strip() if lines else caption
    return facts_of(image, faces_in(image), caption, len(tokenizer_l()(caption)))


def _caption_file(path: Path) -> Path | None:
    return next((one for ending in (".txt", ".caption") if (one := path.with_suffix(ending)).is_file()), None)
