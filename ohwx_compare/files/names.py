"""Names of files and folders: which are plain, and the one rule for results that are made from a user's files.

`<stem>.png`; where that name is taken, `<stem>-2.png`, `<stem>-3.png`, ... A name is taken that an earlier input of the
same call got, that one of the inputs has, and that a file has which this program did not make. So nothing of the user's
is overwritten, two inputs never share an output, and the same call again writes the same names.
"""

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from ohwx_compare.errors import ImageError
from ohwx_compare.files.images import is_made_here
from ohwx_compare.words import on_one_line

__all__ = ["FreeNames", "is_plain_name"]

_FORBIDDEN = frozenset('<>:"/\\|?*')  # separators, Windows' drive letters, streams and wildcards


def is_plain_name(name: str) -> bool:
    """Whether a file or folder can be called so on any system, and be asked for over HTTP.

    Not hidden, one line without control characters and half surrogate pairs, no blank at either end.
    """
    is_odd = name.startswith(".") or bool(set(name) & _FORBIDDEN)
    return bool(name) and not is_odd and name == name.strip() == on_one_line(name)


class FreeNames:
    """Names in one folder, which need not be there yet; upper and lower case are one, as on Windows and macOS."""

    def __init__(self, folder: Path, inputs: Iterable[Path] = (), *, advice: str = "choose another folder"):
        """inputs: the files given, none of which is overwritten; advice: what helps where one would have to be."""
        self.folder, self._advice = folder, advice
        self._inputs = {path.resolve() for path in inputs}
        self._given: set[str] = set()

    def take(self, stem: str, source: Path | None = None) -> Path:
        """The PNG to write for an input called `stem`; each call gives another.

        source: the file it is made of. Raises ImageError where its own name in the folder is `source` itself: the user
        asked for the picture's place.
        """
        if source and (self.folder / f"{stem}.png").resolve() == source.resolve():
            raise ImageError(f"{source} is one of the pictures given and would be overwritten; {self._advice}.")
        names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        name = next(name for name in names if not self._is_taken(name))
        self._given.add(name.casefold())
        return self.folder / f"{name}.png"

    def _is_taken(self, name: str) -> bool:
        path = self.folder / f"{name}.png"
        if name.casefold() in self._given or path.resolve() in self._inputs:
            return True
        return (path.exists() or path.is_symlink()) and not is_made_here(path)
