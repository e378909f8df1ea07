"""PNG info of a whole folder, for the tab."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError, ImageError
from ohwx_compare.files.folder_infos import Info, columns, infos, write_csv
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.images import load_rgb
from ohwx_compare.hosts.webui.folders import require_shown
from ohwx_compare.words import quoted

__all__ = ["found_pictures", "pictures_csv", "pictures_of", "thumbnail_of"]

_MOST = 5000  # rows that a page is sent
_THUMB, _MOST_PX = 96, 100_000_000  # px: the longer side of a thumbnail; of a picture that is decoded for one
_MOST_TEXT = 50_000_000  # characters of infotexts in one answer


def found_pictures(named: list[str], check: Callable[[], None]) -> list[Path]:
    """The pictures that files and folders name, as `files.gallery.pictures`. check: see there.

    Raises ImageError, and ExperimentError for places that the webui's own --hide-ui-dir-config hides from its users.
    """
    chosen = [Path(name.strip().strip('"')) for name in named if name.strip()]
    if not chosen:
        raise ExperimentError("Enter a picture or a folder of pictures on the machine that runs the webui.")
    for path in chosen:
        require_shown(path)
    try:
        found = pictures(chosen, check)
    except (OSError, ValueError) as error:  # a name that no file system takes
        raise ImageError(f"{quoted(str(chosen[0]))} cannot be read: {error}.") from error
    for path in found:
        if path.is_symlink():
            require_shown(path)
    return found


def pictures_of(folder: str, check: Callable[[], None]) -> dict[str, Any]:
    """`{"rows": [{"path", "program", "infotext", "told", "pair", "values", "error"}], "columns", "total"}`, the first
    rows of very many.

    told: another program's own text. pair: the same picture before or after its face pass. check: called for each
    file. Raises as `found_pictures`.
    """
    found = found_pictures([folder], check)
    read = list(_bounded(infos(found[:_MOST]), check))
    rows = [
        {
            "path": info.file,
            "program": info.program,
            "told": info.raw or "",
            "infotext": info.infotext or "",
            "pair": info.before or info.after,
            "values": info.parameters,
            "error": info.error,
        }
        for info in read
    ]
    return {"rows": rows, "columns": columns(read), "total": len(found)}


def pictures_csv(folder: str, check: Callable[[], None]) -> str:
    """All of them as CSV, with a byte order mark so that Excel reads it as UTF-8. Raises as `found_pictures`."""
    out = io.StringIO()
    write_csv(out, _bounded(infos(found_pictures([folder], check)), check))
    return "\ufeff" + out.getvalue()


def thumbnail_of(path: str) -> bytes:
    """A picture as a JPEG of at most 96 px a side. Raises ImageError, and as `found_pictures`."""
    found = found_pictures([path], lambda: None)
    if len(found) != 1:
        raise ExperimentError(f"{quoted(path)} is not a picture.")
    small, out = load_rgb(found[0], most_px=_MOST_PX), io.BytesIO()
    small.thumbnail((_THUMB, _THUMB))
    small.save(out, "JPEG", quality=80)
    return out.getvalue()


def _bounded(read: Iterator[Info], check: Callable[[], None]) -> Iterator[Info]:
    """Raises ExperimentError where the texts together grow beyond measure."""
    size = 0
    for info in read:
        check()
        size += len(info.infotext or "") + len(info.raw or "")
        if size > _MOST_TEXT:
            raise ExperimentError(
                f"The infotexts of this folder have over {_MOST_TEXT:,} letters; choose one of the folders in it."
            )
        yield info
