"""Files of run folders over HTTP: pictures and nothing else, from inside the folder and nowhere else."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.responses import FileResponse, Response

from ohwx_compare.errors import NotHereError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.words import quoted

__all__ = ["HEADERS", "TYPES", "answer_file", "inside"]

TYPES: Mapping[str, str] = MappingProxyType({
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
})  # fmt: skip
"""What is served, by suffix. A page is never read from disk: a folder may come from a stranger, so it is made anew."""

HEADERS: Mapping[str, str] = MappingProxyType({
    "Cache-Control": "private, no-cache",  # kept, but asked for again: a cell may be drawn anew under its name
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
})  # fmt: skip
"""On every answer."""


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


def answer_file(path: Path, known: str | None) -> Response:
    """The picture `path`, or "not modified" where `known` (If-None-Match) still holds. Raises NotHereError."""
    kind = TYPES.get(path.suffix.lower())
    if kind is None or not is_plain_file(path) or not os.access(path, os.R_OK):
        raise NotHereError(f"There is no picture {quoted(path.name)} here.")
    stat = path.stat()
    tag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    headers = {**HEADERS, "ETag": tag}
    if known is not None and tag in (part.strip().removeprefix("W/") for part in known.split(",")):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=kind, headers=headers)
