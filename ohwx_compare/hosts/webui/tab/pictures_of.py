"""PNG info of a whole folder, for the tab."""

import io
from pathlib import Path
from typing import Any

from modules import paths

from ohwx_compare.errors import ExperimentError, ImageError
from ohwx_compare.files.folder_infos import columns, infos, write_csv
from ohwx_compare.files.gallery import pictures
from ohwx_compare.hosts.webui import features

__all__ = ["found_pictures", "pictures_csv", "pictures_of"]

_MOST = 5000  # rows that a page is sent


def found_pictures(named: list[str]) -> list[Path]:
    """The pictures that files and folders name, as `files.gallery.pictures`.

    Raises ImageError, and ExperimentError for places that the webui's own --hide-ui-dir-config hides from its users.
    """
    chosen = [Path(name.strip().strip('"')) for name in named if name.strip()]
    if not chosen:
        raise ExperimentError("Enter a picture or a folder of pictures on the machine that runs the webui.")
    data = Path(paths.data_path).resolve()
    if features.hides_folders() and not all(path.resolve().is_relative_to(data) for path in chosen):
        raise ExperimentError("The webui runs with --hide-ui-dir-config: only folders below its own can be read.")
    try:
        return pictures(chosen)
    except (OSError, ValueError) as error:  # a name that no file system takes
        raise ImageError(f"{chosen[0]} cannot be read: {error}.") from error


def pictures_of(folder: str) -> dict[str, Any]:
    """`{"rows": [{"path", "infotext", "pair", "values", "error"}], "columns", "total"}`, the first rows of very many.

    pair: the same picture before or after its face pass. Raises as `found_pictures`.
    """
    found = found_pictures([folder])
    read = list(infos(found[:_MOST]))
    rows = [
        {
            "path": info.file,
            "infotext": info.infotext or "",
            "pair": info.before or info.after,
            "values": info.parameters,
            "error": info.error,
        }
        for info in read
    ]
    return {"rows": rows, "columns": columns(read), "total": len(found)}


def pictures_csv(folder: str) -> str:
    """All of them as CSV, with a byte order mark so that Excel reads it as UTF-8. Raises as `found_pictures`."""
    out = io.StringIO()
    write_csv(out, infos(found_pictures([folder])))
    return "\ufeff" + out.getvalue()
