"""What the command line writes to: no control character of a stranger's text reaches the terminal as it is.

Escape sequences move the cursor, rename the window and rewrite what was said before. Only line ends, tabs and a
carriage return at the start of what is written (the progress bar's) pass.
"""

import io
import os
import re
import sys
from typing import Any, TextIO

from ohwx_compare.errors import OhwxError

__all__ = ["OutputError", "Plain", "open_missing", "printable", "silence"]

_CONTROL = re.compile(r"(?!\A)\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class OutputError(OhwxError):
    """What was to be printed cannot be: the disk that stdout goes to is full, or it is closed."""


def printable(text: str) -> str:
    """`text` as one line without control characters: each stands as Python writes it."""
    return _CONTROL.sub(_escaped, text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", " "))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"  # JSON's way too, so that a document stays one


class Plain(io.TextIOBase):
    """A text stream over another, which gets everything but control characters.

    is_talk: what cannot be written is left out; else `write` and `flush` raise OutputError.
    """

    def __init__(self, stream: TextIO, *, is_talk: bool = False):
        self._stream, self._is_talk = stream, is_talk

    def write(self, text: str) -> int:
        """Write; returns the number of characters given."""
        self._try(lambda: self._stream.write(_CONTROL.sub(_escaped, text)))
        return len(text)

    def flush(self) -> None:
        """Hand on what is waiting."""
        self._try(self._stream.flush)

    def isatty(self) -> bool:
        """Whether a person reads along."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor below. Raises OSError where there is none."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding below."""
        return self._stream.encoding

    def _try(self, write: Any) -> None:
        try:
            write()
        except BrokenPipeError:
            if not self._is_talk:
                raise
        except OSError as error:
            if not self._is_talk:
                raise OutputError(f"The output cannot be written: {error.strerror or error}.") from error


def open_missing() -> None:
    """Give stdin, stdout and stderr something where the shell closed them (`2>&-`).

    Else the next file that is opened would get their number, and what is said would be written into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  for the whole process


def silence(stream: TextIO) -> None:
    """Let what is still waiting for `stream` go nowhere, so that the end of the process does not fail on it."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # no real stream
        return
