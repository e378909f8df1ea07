"""What lies beside a ledger and would make SQLite do more than read it: looked at before SQLite sees any of it.

A rollback journal may end with the name of a super-journal, and rolling it back then deletes the files that this one
names, wherever they are; ours never does, for it has no second database. A write-ahead log is replayed whoever wrote
it; ours never has one. The formats: https://sqlite.org/fileformat.html, 1.3 and 3, and `readSuperJournal` in SQLite's
pager.c.
"""

import os
import stat
from pathlib import Path

from ohwx_compare.errors import LedgerError

__all__ = ["MOST_BYTES", "has_journal", "journal_of", "require_harmless"]

MOST_BYTES = 256 << 20  # of a ledger, and of its journal: ten times that of 10,000 cells
_MAGIC = bytes.fromhex("d9d505f920a163d7")
_PAGES, _PAGE_BYTES = slice(16, 20), slice(24, 28)  # of the database, in a journal's header
_HEAD = b"SQLite format 3\0"
_MODES = slice(18, 20)  # in the database's header: the format's write and read version, 2 for a write-ahead log


def journal_of(path: Path) -> Path:
    """The rollback journal of the ledger at `path`."""
    return path.with_name(f"{path.name}-journal")


def has_journal(path: Path) -> bool:
    """Whether the ledger at `path` was cut off within a transaction, or is in one right now."""
    return os.path.lexists(journal_of(path))


def require_harmless(path: Path) -> None:
    """Raise LedgerError unless SQLite may open the ledger at `path`, which need not be there."""
    log = path.with_name(f"{path.name}-wal")
    if os.path.lexists(log):
        raise LedgerError(f"{log} is a write-ahead log, which no run of this program has; delete it.")
    for file in (path, journal_of(path)):
        try:
            is_regular = stat.S_ISREG(file.lstat().st_mode)
        except (OSError, ValueError):  # not there, or gone by now: a run makes and removes its journal all the time
            continue
        if not is_regular:
            raise LedgerError(f"{file} is not a regular file, so it is not used. Choose another folder.")
    head = _part(path, 0, 100)
    if head.startswith(_HEAD) and head[_MODES] != b"\1\1":
        raise LedgerError(
            f"{path} asks for a write-ahead log, which no run of this program has. Choose another folder."
        )
    journal = journal_of(path)
    if _part(journal, -8, 8) == _MAGIC:
        raise LedgerError(
            f"{journal}: it names other files, which would be deleted; no run of this program writes that. Do not use "
            "this folder."
        )
    head = _part(journal, 0, 28)
    if int.from_bytes(head[_PAGES], "big") * int.from_bytes(head[_PAGE_BYTES], "big") > MOST_BYTES:
        raise LedgerError(f"{journal} would make the ledger larger than {MOST_BYTES >> 20} MB. Do not use this folder.")


def _part(path: Path, start: int, count: int) -> bytes:
    """`count` bytes from `start`, below 0 from the end; fewer of a short file, none of one that is not there."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size + start, 0) if start < 0 else start)
            return file.read(count)
    except OSError:
        return b""
