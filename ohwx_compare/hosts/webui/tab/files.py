"""Files of run folders over HTTP: pictures and nothing else, from inside the folder and nowhere else."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.responses import FileResponse, Response

from ohwx_compare.errors import NotHereError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.inner import PICTURE_TYPES
from ohwx_compare.words import quoted

__all__ = ["HEADERS", "answer_file"]

HEADERS: Mapping[str, str] = MappingProxyType({
    "Cache-Control": "private, no-cache",  # kept, but asked for again: a cell may be drawn anew under its name
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
})  # fmt: skip
"""On every answer."""


def answer_file(
    path: Path, known: str | None, kind: str | None = None, more: Mapping[str, str] | None = None
) -> Response:
    """The file `path`, or "not modified" where `known` (If-None-Match) still holds. Raises NotHereError.

    kind: its media type; without one it must be a picture. more: headers.
    """
    kind = kind or PICTURE_TYPES.get(path.suffix.lower())
    if kind is None or not is_plain_file(path) or not os.access(path, os.R_OK):
        raise NotHereError(f"There is no picture {quoted(path.name)} here.")
    stat = path.stat()
    tag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    headers = {**HEADERS, **(more or {}), "ETag": tag}
    if known is not None and tag in (part.strip().removeprefix("W/") for part in known.split(",")):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=kind, headers=headers)
