"""Files of run folders over HTTP: pictures and nothing else, from inside the folder and nowhere else."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.responses import FileResponse, Response

from ohwx_compare.errors import NotHereError

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

_FORBIDDEN = frozenset('\\:*?"<>|')  # Windows' separator, drive letters, streams and wildcards


def inside(folder: Path, path: str) -> Path:
    """The file or folder that `path` ("/" between folders) names inside `folder`, links followed.

    Raises NotHereError for one that does not exist, and for every way out: "..", absolute paths, drive letters,
    backslashes, links that lead outside, hidden names, control characters.
    """
    parts = path.split("/")
    is_odd = any(char in _FORBIDDEN or ord(char) < 32 for char in path)
    if is_odd or any(part.startswith(".") or part != part.strip() or part == "" for part in parts):
        raise NotHereError(f"There is no file {path[:80]!r} here.")
    try:
        root = folder.resolve(strict=True)
        found = root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:  # missing; half a surrogate pair; links in a circle
        raise NotHereError(f"There is no file {path[:80]!r} here.") from error
    if not found.is_relative_to(root):
        raise NotHereError(f"There is no file {path[:80]!r} here.")
    return found


def answer_file(path: Path, known: str | None) -> Response:
    """The picture `path`, or "not modified" where `known` (If-None-Match) still holds. Raises NotHereError."""
    kind = TYPES.get(path.suffix.lower())
    if kind is None or not path.is_file():
        raise NotHereError(f"There is no picture {path.name[:80]!r} here.")
    stat = path.stat()
    tag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    headers = {**HEADERS, "ETag": tag}
    if known is not None and tag in (part.strip().removeprefix("W/") for part in known.split(",")):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=kind, headers=headers)
