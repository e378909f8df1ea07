"""What lies inside a run folder: its folders are real ones and its files plain ones, so that nothing leads outside.

A folder may come from a stranger, and a link in it, or a junction on Windows, may lead anywhere.
"""

import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.errors import NotHereError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.words import quoted

__all__ = ["PAGE_PARTS", "PICTURE_TYPES", "inner_file", "inside", "is_inner_folder", "require_inner_folder"]

PICTURE_TYPES: Mapping[str, str] = MappingProxyType({
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
})  # fmt: skip
"""What is served, by suffix. A page is never read from disk: a folder may come from a stranger, so it is made anew."""

PAGE_PARTS = "page"
"""The folder of what a run's page is made of, in the run folder."""

_JUNCTION = (
    0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT, https://learn.microsoft.com/windows/win32/fileio/reparse-point-tags
)


def is_inner_folder(path: Path) -> bool:
    """Whether `path` is a folder itself, neither a link nor a junction to one."""
    try:
        told = path.lstat()
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(told.st_mode) and getattr(told, "st_reparse_tag", 0) != _JUNCTION


def require_inner_folder(path: Path) -> None:
    """Raise NotADirectoryError unless `path` is a folder itself, FileNotFoundError where there is nothing."""
    path.lstat()
    if not is_inner_folder(path):
        raise NotADirectoryError(f"{path} is a link or a file, expected a folder; delete it")


def inner_file(folder: Path, name: str) -> Path | None:
    """The file `name` ("/" between) of `folder`, None unless it is there and no link leads to it."""
    path = folder / name
    is_inside = all(is_inner_folder(parent) for parent in path.parents if folder in parent.parents)
    return path if is_inside and is_plain_file(path) else None


def inside(folder: Path, path: str) -> Path:
    """The file or folder that `path` ("/" between folders) names inside `folder`, links followed.

    Raises NotHereError for one that does not exist, and for every way out: names that are not plain, absolute paths,
    links that lead outside.
    """
    missing = NotHereError(f"There is no file {quoted(path)} here.")
    parts = path.split("/")
    if not all(map(is_plain_name, parts)):
        raise missing
    try:
        root = folder.resolve(strict=True)
        found = root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:  # missing; not to be looked into; links in a circle
        raise missing from error
    if not found.is_relative_to(root):
        raise missing
    return found
