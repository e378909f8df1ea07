"""Which run folders this user's programs made on this machine: those with a mark that nobody else can make.

The mark is signed with a key outside the folder, in the user's cache. It stands for the very files that lie in the
folder: the number of the ledger's file, that of the lock's, which is made once and never written, and when that one
came to be. So it holds for a folder that is renamed or moved on its drive, while a run goes on and after a kill, and
not for a copy, a restored backup, or what a stranger unpacks, even of a folder that was once shared with its mark.

Where a file system has no file numbers, and where the key cannot be kept, the mark holds as long as the process.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ohwx_compare.files.atomic import UNFINISHED, is_plain_file, write_bytes
from ohwx_compare.files.hashes import cache_folder
from ohwx_compare.files.lock import LOCK_FILE

__all__ = ["has_own_mark", "mark", "mark_of"]

_BYTES = 32  # of the key


def mark_of(ledger: Path) -> Path:
    """The file that holds the mark of the ledger at this path."""
    return ledger.with_suffix(".mark")


def has_own_mark(ledger: Path) -> bool:
    """Whether this user's programs made the ledger at this path, here."""
    path, expected = mark_of(ledger), _signature(ledger)
    if expected is None or not is_plain_file(path):
        return False
    try:
        with path.open("rb") as file:
            return hmac.compare_digest(file.read(len(expected) + 1), expected)
    except OSError:
        return False


def mark(ledger: Path) -> None:
    """Say that the ledger at this path is ours. The caller holds the folder's lock. Raises OSError."""
    signed = _signature(ledger)
    if signed is not None:
        write_bytes(mark_of(ledger), signed)


def _signature(ledger: Path) -> bytes | None:
    """None where ledger or lock is missing or is no file."""
    lock = ledger.with_name(LOCK_FILE)
    if not (is_plain_file(ledger) and is_plain_file(lock)):
        return None
    try:
        told = (ledger.lstat(), lock.lstat())
    except OSError:
        return None
    files: tuple[object, ...] = (told[0].st_ino, told[1].st_ino, told[1].st_ctime_ns)
    key = _kept_key(cache_folder())
    if not all(files):
        key, files = _passing_key(), (str(ledger.resolve()), *files)
    return hmac.new(key, repr(("run", *files)).encode("utf-8", "replace"), hashlib.sha256).hexdigest().encode()


@lru_cache(maxsize=4)
def _kept_key(hashes: Path | None) -> bytes:
    """This user's key, made where there is none. hashes: `cache_folder`; the key lies beside it."""
    if hashes is None:
        return _passing_key()
    path = hashes.parent / "key"
    with suppress(OSError):
        if not path.exists():
            _make(path)
        key = path.read_bytes()
        if len(key) == _BYTES:
            return key
    return _passing_key()


@lru_cache(maxsize=1)
def _passing_key() -> bytes:
    return secrets.token_bytes(_BYTES)


def _make(path: Path) -> None:
    """Write a key that only this user can read; where another process was faster, that one's stays. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            os.replace(beside, path)  # noqa: PTH105  the one call that replaces on Windows too
    finally:
        beside.unlink(missing_ok=True)
