"""Pictures in folders: which there are, and which of them are the same picture before and after its face pass."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ohwx_compare.errors import ImageError
from ohwx_compare.files.jxl import has_jxl
from ohwx_compare.words import quoted

__all__ = ["PICTURES", "befores", "by_name", "is_possible", "pictures"]

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif"}) | ({".jxl"} if has_jxl() else frozenset())
_BEFORE = re.compile(r"(?P<stem>.+?)(?:-ad)?-before")  # a run's own name; the one that ADetailer gives
_NUMBER = re.compile(r"([0-9]+)")
_COUNTED = re.compile(r"(?P<number>\d{3,15})(?P<rest>-.+)")  # the webui's: 00012-1382869474


def pictures(paths: Iterable[Path], check: Callable[[], None] = lambda: None) -> list[Path]:
    """The pictures among `paths`, those of a folder and all below it `by_name`; none twice, in the order given.

    A path that is named itself is taken whatever its suffix. Folders that cannot be looked into are passed over.
    check: called for each file and folder; what it raises ends the search. Raises ImageError for a path that does not
    exist, and where there is no picture at all.
    """
    found: dict[Path, None] = {}
    paths = list(paths)
    for path in paths:
        if not is_possible(path):
            raise ImageError(
                f"No file or folder can be called {quoted(str(path))}; give pictures, or folders of pictures."
            )
        if path.is_dir():
            found |= dict.fromkeys(sorted(_below(path, check), key=by_name))
        elif path.is_file():
            found[path] = None
        else:
            raise ImageError(f"There is no file or folder {path}; give pictures, or folders of pictures.")
    if not found:
        raise ImageError(f"{', '.join(map(str, paths))}: no PNG, JPEG, WebP or AVIF found; give a folder of pictures.")
    return list(found)


def by_name(path: Path) -> tuple[object, ...]:
    """What paths are sorted by: names without regard to case, the numbers in them as numbers.

    So the pictures of a run stay in their order when it grows past 9999 cells: its older names have four digits.
    """
    text = path.as_posix()
    parts = _NUMBER.split(text.casefold())  # text and number in turn
    numbers = [(len(digits), digits) for digits in (part.lstrip("0") for part in parts[1::2])]
    return (*(part for pair in zip(parts[::2], [*numbers, (-1, "")], strict=True) for part in pair), text)


def _below(folder: Path, check: Callable[[], None]) -> Iterator[Path]:
    """The pictures in a folder and below it; linked folders are not followed."""
    for parent, _, files in os.walk(folder):
        check()
        for name in files:
            check()
            path = Path(parent, name)
            if path.suffix.lower() in PICTURES and os.path.isfile(path):  # noqa: PTH113  no error where it is hidden
                yield path


def is_possible(path: Path) -> bool:
    """Whether the system can look for `path` at all: a prompt given in its place may be longer than names are."""
    try:
        path.exists()
    except (OSError, ValueError):
        return False
    return True


def befores(paths: Iterable[Path]) -> dict[Path, Path]:
    """Picture after its face pass -> picture before it, by name, where both are among `paths`.

    "name-before.png" belongs to "name.png" of its folder. The webui counts the picture that ADetailer saves before, so
    "00012-7-ad-before.png" belongs to the next "0001x-7.png" where there is no "00012-7.png".
    """
    known = {(path.parent, path.stem): path for path in paths}
    found: dict[Path, Path] = {}
    for (folder, stem), path in known.items():
        if match := _BEFORE.fullmatch(stem):
            after = known.get((folder, match["stem"])) or _next(match["stem"], folder, known)
            if after:
                found.setdefault(after, path)
    return found


def _next(stem: str, folder: Path, known: dict[tuple[Path, str], Path]) -> Path | None:
    counted = _COUNTED.fullmatch(stem)
    if not counted:
        return None
    width, first = len(counted["number"]), int(counted["number"])
    names = (f"{first + n:0{width}d}{counted['rest']}" for n in range(1, 100))
    return next((known[folder, name] for name in names if (folder, name) in known), None)
