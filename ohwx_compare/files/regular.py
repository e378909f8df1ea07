"""Files that a user names: only regular ones, and texts of a bounded size.

Reading a pipe could wait for ever and a device never ends, so both are refused before they are opened.
"""

import errno
import stat
from pathlib import Path
from typing import Any

from ohwx_compare.numerals import decode_json

__all__ = ["LONGEST_TEXT", "load_json", "read_text", "require_regular"]

LONGEST_TEXT = 5_000_000  # bytes: 12,000 prompts of 400 letters


def require_regular(path: Path) -> int:
    """The size in bytes of the regular file that `path` is or links to.

    Raises OSError for anything else, also for a path that no file can have.
    """
    try:
        found = path.stat()
    except ValueError as error:  # a NUL, half a surrogate pair
        raise OSError(errno.EINVAL, f"no file can have that name ({error})") from error
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise OSError(errno.EINVAL, f"it is {what}, expected a file")
    return found.st_size


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without its byte order mark. Raises OSError, for a long one too, UnicodeDecodeError."""
    if (size := require_regular(path)) > LONGEST_TEXT:
        raise OSError(errno.EFBIG, f"it has {size:,} bytes, expected at most {LONGEST_TEXT:,}")
    with path.open("rb") as file:
        return file.read(LONGEST_TEXT).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def load_json(path: Path) -> Any:
    """The value of a JSON file. Raises OSError as `read_text`, ValueError that says what is wrong with the JSON."""
    return decode_json(read_text(path))
