"""A folder that a page names: a whole path of the machine that answers, looked at only where its host allows that."""

from collections.abc import Callable
from pathlib import Path

from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import quoted

__all__ = ["named_folder"]


def named_folder(key: str, named: object, allow: Callable[[Path], None]) -> Path | None:
    """The folder `named`, what a request holds at `key`; None for nothing.

    allow: raises ExperimentError for a place that the host hides. Raises ExperimentError too where there is no folder.
    """
    if not named:
        return None
    path = Path(str(named).strip(' "')) if isinstance(named, str) else Path()
    if not isinstance(named, str) or not path.is_absolute():
        raise ExperimentError(f"`{key}` must be a whole path of a folder, got {quoted(named)}.")
    allow(path)
    try:
        is_there = path.is_dir()
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        raise ExperimentError(f"There is no folder {quoted(named)}; give the path of one on the machine that answers.")
    return path
