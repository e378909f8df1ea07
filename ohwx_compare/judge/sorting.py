"""A folder of pictures in the order of a measure, and copies or links of them whose names sort so."""

import filecmp
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ohwx_compare.errors import ImageError, MeasureError
from ohwx_compare.files.atomic import link, write_bytes
from ohwx_compare.files.images import load_rgb
from ohwx_compare.judge.measure import MeasureContext, PictureMeasure, Score

__all__ = ["SortedPicture", "place_sorted", "require_apart", "sort_by"]

_TOGETHER = 8
_LONGEST = 80  # characters of a picture's own name in the new one


@dataclass(frozen=True, kw_only=True)
class SortedPicture:
    """A picture and what the measure says of it."""

    path: Path
    score: Score


def sort_by(measure: PictureMeasure, paths: Sequence[Path], *, is_distance: bool) -> list[SortedPicture]:
    """All pictures, the most alike first; those without a value last, by name. One that cannot be read says so.

    is_distance: of the measure's values: less is more alike.
    """
    sign = 1 if is_distance else -1
    found = [one for some in _parts(paths) for one in _scored(measure, some)]
    return sorted(found, key=lambda one: (one.score.value is None, sign * (one.score.value or 0.0), str(one.path)))


def place_sorted(pictures: Sequence[SortedPicture], folder: Path, *, links: bool) -> list[Path]:
    """Copy, or hard link, each picture that has a value to `folder` as "0001 0.312 name.png"; returns those names.

    No file is overwritten: one with the same bytes is left alone, another one's name is taken, and "-2" follows.
    Raises OSError where the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    valued = [one for one in pictures if one.score.value is not None]
    digits = max(len(str(len(valued))), 4)
    placed: dict[Path, None] = {}
    for rank, one in enumerate(valued, 1):
        stem = f"{rank:0{digits}d} {one.score.value:.3f} {one.path.stem[:_LONGEST]}"
        target = next(path for path in _names(folder, stem, one.path.suffix) if _is_free(path, one.path, placed))
        placed[target] = None
        if target.exists():
            continue
        if links:
            link(one.path, target)
        else:
            write_bytes(target, one.path.read_bytes())
    return list(placed)


def require_apart(inputs: Iterable[Path], folder: Path) -> None:
    """Raise MeasureError where sorted pictures would lie among those to be sorted, and be sorted the next time."""
    for path in inputs:
        if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
            raise MeasureError(f"{folder} lies in {path}, whose pictures are sorted; choose a folder beside it.")


def _parts(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    return (paths[i : i + _TOGETHER] for i in range(0, len(paths), _TOGETHER))


def _scored(measure: PictureMeasure, paths: Sequence[Path]) -> Iterator[SortedPicture]:
    images, read = [], []
    for path in paths:
        try:
            images.append(load_rgb(path))
            read.append(path)
        except ImageError as error:
            yield SortedPicture(path=path, score=Score(None, str(error)))
    for path, score in zip(read, measure.score(images, MeasureContext()), strict=True):
        yield SortedPicture(path=path, score=score)


def _names(folder: Path, stem: str, suffix: str) -> Iterator[Path]:
    return (folder / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}" for number in count(1))


def _is_free(path: Path, source: Path, placed: Iterable[Path]) -> bool:
    if path in placed or path.is_symlink():
        return False
    return not path.exists() or (path.is_file() and filecmp.cmp(path, source, shallow=False))
