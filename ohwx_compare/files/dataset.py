"""A training set on disk: folders `{repeats}_{token class}` of pictures with their captions.

What a picture is, however it was saved: upright (EXIF orientation), 8-bit RGB, transparency flattened on a colour, the
first frame of an animation. Embedded colour profiles are not applied. A file that cannot be decoded is named and left
out.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image, ImageOps

from ohwx_compare.core.buckets import BucketPlacement, Size
from ohwx_compare.errors import ExperimentError, ImageError
from ohwx_compare.files.images import open_picture
from ohwx_compare.files.looked import DAMAGED, MODERN, looked_at
from ohwx_compare.files.regular import read_text
from ohwx_compare.words import counted

__all__ = [
    "EXTENSIONS", "MASK_ENDS", "Dataset", "DatasetPicture", "PictureFolder", "ReadingRules", "load_alpha",
    "load_picture", "pictures_in", "pixels", "read_dataset",
]  # fmt: skip

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"}) | MODERN
MASK_ENDS = "-masklabel"  # of the name of a mask beside its picture, as OneTrainer has it
_SYSTEMS = frozenset({"desktop.ini", "thumbs.db"})  # written by Windows into every folder of pictures
_NAMED = 10  # files that one sentence names at most
_Made = TypeVar("_Made")


@dataclass(frozen=True, kw_only=True)
class ReadingRules:
    """How folders and files are read."""

    captions: str = "file-or-folder"  # "file": each picture must have one; "folder": files are not looked at
    caption_extensions: tuple[str, ...] = (".txt", ".caption")  # the first that exists, whatever its case
    background: str | None = "#ffffff"  # behind transparent pixels; None drops alpha and shows what lies under it
    upright: bool = True  # follow the camera's orientation
    masks_beside: bool = False  # files such as photo-masklabel.png are masks, not pictures


@dataclass(frozen=True, kw_only=True)
class DatasetPicture:
    """One usable picture."""

    path: Path
    size: Size  # width, height px, as it is trained
    caption: str
    repeats: int  # its folder's
    reg: bool = False
    concept: int = 0  # the number of its folder's settings


@dataclass(frozen=True, kw_only=True)
class PictureFolder:
    """Pictures that lie right in one folder."""

    path: Path
    reading: ReadingRules
    repeats: int = 1
    words: str = ""  # the caption of a picture without a file
    reg: bool = False
    concept: int = 0


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """All usable pictures, sorted by path, and what was left out or looks odd, as sentences."""

    train: tuple[DatasetPicture, ...]
    reg: tuple[DatasetPicture, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_dataset(
    train: Path,
    reg: Path | None,
    reading: ReadingRules,
    repeats: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> Dataset:
    """Read both folders; every file is read whole once, to be sure that it can be decoded (looked.py).

    repeats: of each training folder, instead of the number in its name.
    check: called for each picture, in several threads; what it raises ends the reading.
    Raises ExperimentError without any usable picture in one of them, for a missing caption where `reading` wants one,
    and for a caption that is not UTF-8.
    """
    skipped: list[str] = []
    notes: list[str] = []
    read = partial(_pictures, reading=reading, said=(skipped, notes), check=check)
    try:
        train_pictures = tuple(read(train, False))
        reg_pictures = tuple(read(reg, True)) if reg else ()
    except OSError as error:
        raise ExperimentError(f"{error.filename or train} cannot be read: {error.strerror or error}.") from error
    if repeats is not None:
        train_pictures = tuple(DatasetPicture(**{**vars(one), "repeats": repeats}) for one in train_pictures)
    return Dataset(train=train_pictures, reg=reg_pictures, skipped=tuple(skipped), notes=tuple(notes))


def load_picture(path: Path, reading: ReadingRules) -> Image.Image:
    """Return the picture as "RGB", upright and flattened. Raises ImageError that names the file."""
    return _loaded(path, reading, lambda image: _rgb(image, reading.background))


def load_alpha(path: Path, reading: ReadingRules) -> Image.Image | None:
    """Return how opaque the picture is, upright, as "L"; None where it has no alpha. Raises ImageError."""
    return _loaded(path, reading, lambda image: image.convert("RGBA").getchannel("A") if _is_clear(image) else None)


def _loaded(path: Path, reading: ReadingRules, make: Callable[[Image.Image], _Made]) -> _Made:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata; what it cannot read is an error below
            with open_picture(path) as image:
                image.load()
                turn = reading.upright and image.format != "TIFF"  # Pillow turns those by itself
                return make(ImageOps.exif_transpose(image) if turn else image)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} is too large to load: {error}") from error
    except DAMAGED as error:
        raise ImageError(f"{path} cannot be read: {error}.") from error


def pixels(image: Image.Image, placement: BucketPlacement) -> np.ndarray:
    """Resize and crop an RGB picture into its bucket: (H, W, 3) uint8.

    Shrinks by area and enlarges by Lanczos, as sd-scripts does. Raises ImageError if it is not of the placement's size.
    """
    if image.size != placement.original:
        raise ImageError(f"The picture is {image.size} px, expected {placement.original} px; was the file changed?")
    array = np.asarray(image)
    if placement.resized != placement.original:
        shrinks = all(new <= old for new, old in zip(placement.resized, placement.original, strict=True))
        if shrinks:
            array = cv2.resize(array, placement.resized, interpolation=cv2.INTER_AREA)
        else:
            array = np.asarray(image.resize(placement.resized, Image.Resampling.LANCZOS))
    left, top = placement.crop
    width, height = placement.bucket
    return np.ascontiguousarray(array[top : top + height, left : left + width])


def pictures_in(
    folder: PictureFolder, said: tuple[list[str], list[str]], check: Callable[[], None]
) -> Iterator[DatasetPicture]:
    """The usable pictures of one folder, sorted by path; said: takes what is left out, and what looks odd.

    check: called for each picture, in several threads; what it raises ends the reading. Raises OSError for a folder
    that cannot be listed, ExperimentError as `read_dataset`.
    """
    skipped, notes = said
    reading = folder.reading
    inside = sorted((path for path in folder.path.iterdir() if path.is_file()), key=str)
    files = {path.name.casefold(): path for path in inside}
    paths = [path for path in inside if _is_picture(path) and not _is_mask(path, reading)]
    notes += _unread(folder.path, inside, paths, (reading, check))
    captions = [_caption(path, files, folder.words, reading) for path in paths]
    for path, caption, seen in zip(paths, captions, looked_at(paths, reading.upright, check), strict=True):
        if seen.error:
            skipped.append(f"{path} is left out: {seen.error}.")
            continue
        if seen.frames > 1:
            notes.append(f"{path} has {seen.frames} frames; the first is used.")
        yield DatasetPicture(
            path=path, size=seen.size, caption=caption, repeats=folder.repeats, reg=folder.reg, concept=folder.concept
        )


def _pictures(
    root: Path, reg: bool, reading: ReadingRules, said: tuple[list[str], list[str]], check: Callable[[], None]
) -> Iterator[DatasetPicture]:
    skipped, notes = said
    what = "regularization" if reg else "training"
    found = 0
    for path, repeats, words in _folders(root, what, notes):
        folder = PictureFolder(path=path, reading=reading, repeats=repeats, words=words, reg=reg)
        for picture in pictures_in(folder, said, check):
            found += 1
            yield picture
    if not found:
        loose = sum(1 for path in root.iterdir() if _is_picture(path))
        if loose and not skipped:
            raise ExperimentError(
                f"{root} holds {counted(loose, 'picture')} and no folders of {what} images; put them into a folder "
                f"such as {root / '1_ohwx man'} (number of repeats, token and class)."
            )
        bad = f" ({len(skipped)} could not be read, the first: {skipped[0]})" if skipped else ""
        raise ExperimentError(
            f"{root} holds no {what} images{bad}; expected folders such as '1_ohwx man' with pictures in them."
        )


def _folders(root: Path, what: str, notes: list[str]) -> Iterator[tuple[Path, int, str]]:
    """Each `{repeats}_{words}` folder in `root`; others are noted."""
    if not root.is_dir():
        raise ExperimentError(f"The {what} folder {root} does not exist.")
    beside = [path for path in root.iterdir() if path.is_file() and not _is_hidden(path)]
    if beside:
        notes.append(f"{root}: {_named(beside)} not read, for pictures stand in folders such as '1_ohwx man'.")
    for folder in sorted((path for path in root.iterdir() if path.is_dir()), key=str):
        number, _, words = folder.name.partition("_")
        if number.isdecimal() and int(number) > 0:
            yield folder, int(number), words.strip()
        elif not folder.name.startswith("."):
            notes.append(f"{folder} is ignored: its name does not begin with a number of repeats, as in '1_ohwx man'.")


def _unread(
    folder: Path, inside: list[Path], pictures: list[Path], how: tuple[ReadingRules, Callable[[], None]]
) -> Iterator[str]:
    """What lies in a folder and is not read: other files, captions without a picture, folders."""
    reading, check = how
    stems = {path.stem.casefold() for path in pictures}
    ends = {extension.casefold() for extension in reading.caption_extensions} if reading.captions != "folder" else set()
    read = {(stem + end) for stem in stems for end in ends} | {path.name.casefold() for path in pictures}
    others = [
        path
        for path in inside
        if path.name.casefold() not in read and not _is_hidden(path) and not _is_mask(path, reading)
    ]
    if others:
        yield f"{folder}: {_named(others)} not read, neither a picture nor a picture's caption."
    for below in sorted((path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path)), key=str):
        held = counted(_pictures_below(below, check), "picture")
        yield f"{below} is not read ({held} in it): pictures belong right in the folder {folder.name!r}."


def _pictures_below(folder: Path, check: Callable[[], None]) -> int:
    found = 0
    for parent, _, files in os.walk(folder):
        check()
        found += sum(1 for name in files if _is_picture(Path(parent, name)))
    return found


def _named(paths: list[Path]) -> str:
    names = ", ".join(sorted(path.name for path in paths)[:_NAMED])
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return f"{names}{more} {'is' if len(paths) == 1 else 'are'}"


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.casefold() in _SYSTEMS  # macOS leaves ._name.jpg


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS and not _is_hidden(path)


def _is_mask(path: Path, reading: ReadingRules) -> bool:
    return reading.masks_beside and path.stem.casefold().endswith(MASK_ENDS)


def _caption(path: Path, files: Mapping[str, Path], words: str, reading: ReadingRules) -> str:
    if reading.captions == "folder":
        return words
    for extension in reading.caption_extensions:
        file = files.get((path.stem + extension).casefold())
        if file is not None:
            return _first_line(file)
    if reading.captions == "file":
        wanted = " or ".join(path.stem + extension for extension in reading.caption_extensions)
        raise ExperimentError(f'{path} has no caption file ({wanted}), and the recipe says captions: "file".')
    return words


def _first_line(file: Path) -> str:
    try:
        lines = read_text(file).splitlines()
    except UnicodeDecodeError as error:
        raise ExperimentError(f"The caption {file} cannot be read as UTF-8; save it as UTF-8.") from error
    except OSError as error:
        raise ExperimentError(f"The caption {file} cannot be read: {error.strerror or error}.") from error
    return lines[0].strip() if lines else ""


def _rgb(image: Image.Image, background: str | None) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if not _is_clear(image) or background is None:
        return image.convert("RGB")
    under = Image.new("RGBA", image.size, background)
    return Image.alpha_composite(under, image.convert("RGBA")).convert("RGB")


def _is_clear(image: Image.Image) -> bool:
    """Whether it says how opaque each pixel is."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info
