"""What was encoded once, kept on the disk by what it was made of: content, encoder, bucket.

An entry is a small safetensors file under a hash of all that decides its numbers, so one that is wrong cannot be asked
for: a changed picture, VAE or bucket has another name. A damaged entry is as good as none. The least recently used go
first where there is no room; whatever is lost is encoded again.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ohwx_compare.files.atomic import write_bytes, write_text
from ohwx_compare.files.hashes import cache_folder
from ohwx_compare.files.identity import FileIdentity, proving_devices
from ohwx_compare.numerals import decode_json

__all__ = ["EncodedShelf", "encoded_folder", "weights_hash"]

_FORMAT = 1  # of an entry's name and contents
_SEEN = "files.json"


def encoded_folder() -> Path | None:
    """Where this user's encoded pictures and captions are; None for a user without a home folder."""
    hashes = cache_folder()
    return hashes.parent / "encoded" if hashes else None


def weights_hash(state: Iterable[tuple[str, Tensor]]) -> str:
    """sha256 of tensors by name and bytes, 64 hex digits."""
    digest = hashlib.sha256()
    for name, tensor in state:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class EncodedShelf:
    """Entries by key. A context manager: at its end it remembers files and makes room."""

    def __init__(self, folder: Path | None, most: int) -> None:
        """folder: None keeps nothing. most: bytes of all entries together; 0 keeps nothing."""
        self.folder = folder if most else None
        self.most = most
        self.found, self.made = 0, 0  # entries that were there, and that were put
        self._seen = self._recalled()
        self._asked: set[str] = set()
        self._devices = proving_devices()

    def __enter__(self) -> "EncodedShelf":
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):  # a full or read-only disk: all is encoded again, nothing else is lost
            self._remember()
            self._make_room()

    def key(self, *what: object) -> str:
        """The name of an entry made of all this, which must say the same of the same in every process."""
        return hashlib.sha256(json.dumps([_FORMAT, *map(str, what)]).encode("utf-8", "replace")).hexdigest()[:40]

    def hash_of(self, path: Path) -> str:
        """sha256 of a file's bytes; one that is proved untouched since it was hashed is not read. Raises OSError."""
        name, now = str(path.absolute()), FileIdentity.of(path, devices=self._devices)
        known = self._seen.get(name)
        if known and FileIdentity.recorded(known[0]).proves(now):
            self._asked.add(name)
            return known[1]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if now.proof:
            self._seen[name] = list(now.proof), digest
            self._asked.add(name)
        return digest

    def get(self, key: str) -> dict[str, Tensor] | None:
        """An entry; None where it is not there or damaged."""
        if self.folder is None:
            return None
        path = self._place(key)
        try:
            entry = load(path.read_bytes())
            os.utime(path)
        except (OSError, SafetensorError):
            return None
        self.found += 1
        return entry

    def put(self, key: str, tensors: dict[str, Tensor]) -> None:
        """Keep an entry; where the disk refuses it, it is not kept."""
        if self.folder is None:
            return
        with suppress(OSError):
            path = self._place(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}))
            self.made += 1

    def _place(self, key: str) -> Path:
        return (self.folder or Path()) / key[:2] / key[2:]

    def _recalled(self) -> dict[str, tuple[list[int], str]]:
        try:
            told = decode_json(((self.folder or Path()) / _SEEN).read_text(encoding="utf-8"))
            return {name: (list(proof), str(digest)) for name, (proof, digest) in told.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _remember(self) -> None:
        if self.folder is not None and self._asked:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.folder / _SEEN, json.dumps(self._seen))

    def _make_room(self) -> None:
        if self.folder is None or not self.made:
            return
        told = [(path.stat(), path) for path in self.folder.glob("*/*") if path.is_file()]
        left = sum(stat.st_size for stat, _ in told)
        for stat, path in sorted(told, key=lambda one: one[0].st_mtime_ns):
            if left <= self.most:
                break
            path.unlink(missing_ok=True)
            left -= stat.st_size
