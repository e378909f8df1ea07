"""Model files that settings and prompts call by name, in the folders of their kind: VAEs, LoRAs, embeddings.

As the webui finds them, but a name that means several different files is an error instead of the last one found.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ohwx_compare.errors import CheckpointError, UnknownNameError
from ohwx_compare.files.listing import list_files
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["NamedFiles"]


class NamedFiles:
    """The files of some folders by their names without folder, with or without suffix; listed at the first question."""

    def __init__(
        self,
        what: str,
        folders: Sequence[Path],
        digest: Callable[[Path], str],
        suffixes: Sequence[str] = (".safetensors",),
        *,
        more: Callable[[], Sequence[Path]] = tuple,
    ):
        """what: such a file is, for errors. digest: gives a file's sha256. suffixes: of such files, lower case.

        more: lists files that lie elsewhere.
        """
        self.what, self.folders, self._digest, self.suffixes = what, tuple(folders), digest, tuple(suffixes)
        self._more = more

    def names(self) -> list[str]:
        """Without suffix, sorted."""
        return sorted(self._stems, key=str.casefold)

    def find(self, name: str) -> Path:
        """The file that is called so; case matters only where it makes a difference.

        Raises UnknownNameError where there is none, CheckpointError where several different files have the name.
        """
        stem = name.replace("\\", "/").rpartition("/")[2]
        stem = next((stem[: -len(end)] for end in self.suffixes if stem.lower().endswith(end)), stem)
        found = self._stems.get(stem) or self._loosely(stem)
        if not found:
            raise UnknownNameError(self._unknown(name))
        if len(found) > 1 and len({self._digest(path) for path in found}) > 1:
            files = " or ".join(map(str, found))
            raise CheckpointError(f"The {self.what} {quoted(name)} could be {files}, which differ; rename one of them.")
        return found[0]

    def _loosely(self, stem: str) -> list[Path]:
        return [path for known, paths in self._stems.items() if known.casefold() == stem.casefold() for path in paths]

    def _unknown(self, name: str) -> str:
        if self.names():
            return f"There is no {self.what} {quoted(name)}; {did_you_mean(name, self.names())}"
        if not self.folders:
            return f"There is no {self.what} {quoted(name)}: no folder was given to look for it; give one."
        where = " or ".join(map(str, self.folders))
        return (
            f"There is no {self.what} {quoted(name)}: {where} holds no {' or '.join(self.suffixes)} file; put it there."
        )

    @cached_property
    def _stems(self) -> Mapping[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for folder in self.folders:
            for name in list_files(folder, self.suffixes):
                found.setdefault(Path(name).stem, []).append(folder / name)
        for path in self._more():
            found.setdefault(path.stem, []).append(path)
        return found
