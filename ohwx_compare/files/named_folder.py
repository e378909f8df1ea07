"""A folder that a page names: a whole path of the machine that answers, looked at only where its host allows that."""

from collections.abc import Callable
from pathlib import Path

from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import quoted

__all__ = ["named_folder", "require_named"]


def named_folder(key: str, named: object, allow: Callable[[Path], None]) -> Path | None:
    """The folder `named`, what a request holds at `key`; None for nothing.

    allow: raises ExperimentError for a place that the host hides. Raises ExperimentError too where there is no folder.
    """
    if not named:
        return None
    path = Path(str(named).strip(' "')) if isinstance(named, str) else Path()
    if not isinstance(named, str) or not path.is_absolute():
        raise ExperimentError(f"`{key}` must be a whole path of a folder, got {quoted(named)}.")
    require_named(path, allow)
    return path


def require_named(folder: Path, allow: Callable[[Path], None]) -> None:
    """Raise ExperimentError where there is no such folder; see `named_folder`."""
    allow(folder)
    try:
        is_there = folder.is_dir()
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        raise ExperimentError(
            f"There is no folder {quoted(str(folder))}; give the path of one on the machine that answers."
        )
