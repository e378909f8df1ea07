"""Files beside the checkpoint that pictures depend on: a run keeps to the bytes that it began with."""

from pathlib import Path

from ohwx_compare.errors import HostError
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.identity import FileIdentity

__all__ = ["RunFiles", "identity_now"]


class RunFiles:
    """The hashes of VAEs, LoRAs and embeddings as they were when a run first asked for them."""

    def __init__(self, hashes: Hashes):
        self._hashes = hashes
        self._first: dict[Path, str] = {}

    def sha256(self, path: Path) -> str:
        """64 lower case hex digits, as the file was first. Raises CheckpointError where it cannot be read."""
        if path not in self._first:
            self._first[path] = self._hashes(path)
        return self._first[path]

    def require_untouched(self, path: Path) -> None:
        """Raise HostError unless the file is what it was first, before it is read."""
        if self._hashes(path) != self.sha256(path):
            raise HostError(f"{path.name} changed since the run began; start the run again.")


def identity_now(path: Path) -> FileIdentity:
    """As the file is now. Raises HostError where it is gone."""
    try:
        path.stat()
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror or error}.") from error
    return FileIdentity.of(path)
