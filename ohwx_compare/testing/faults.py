"""Faults of the disk, on purpose: the Nth operation on a folder fails, or is the last thing that its process does.

What is opened to be written, renamed, linked, removed and made is seen by an audit hook, whoever asks for it; what is
flushed and what a ledger commits is seen by a stand-in. A write that fails shows as the flush after it. From a "grow"
on a ledger gets no page more: SQLite itself finds the disk full, in the midst of whatever it writes.
"""

import os
import sqlite3
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["KILLED", "OPERATIONS", "Fault", "faulty"]

OPERATIONS = ("open", "rename", "link", "remove", "mkdir", "fsync", "commit")
KILLED = 86  # the exit status of a process that ended at its fault
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Fault:
    """What goes wrong, and how often it could have so far.

    error: an errno, or None to end the process there, as a kill does. stays: every later operation fails too.
    """

    folder: Path  # operations elsewhere are left alone
    number: int  # of the operation that fails, from 1; 0 for none
    error: int | None
    operations: Collection[str] = OPERATIONS
    stays: bool = False
    seen: int = 0

    def meet(self, operation: str) -> None:
        """One operation. Raises OSError where it is the one."""
        if operation not in self.operations:
            return
        self.seen += 1
        if not self.number or self.seen < self.number or (self.seen > self.number and not self.stays):
            return
        if self.error is None:
            os._exit(KILLED)
        raise OSError(self.error, os.strerror(self.error))


_armed: list[Fault] = []  # what the hook asks: a hook stays for as long as its process
_hooked: list[bool] = []


@contextmanager
def faulty(fault: Fault) -> Iterator[Fault]:
    """Meet `fault` while the block lasts, in every thread of this process."""
    fsync, connect = os.fsync, sqlite3.connect

    def flush(file: Any) -> None:
        fault.meet("fsync")
        fsync(file)

    if not _hooked:
        sys.addaudithook(_heard)
        _hooked.append(True)
    os.fsync = flush  # type: ignore[assignment]
    sqlite3.connect = partial(connect, factory=_Ledger)  # type: ignore[assignment]
    _armed.append(fault)
    try:
        yield fault
    finally:
        _armed.remove(fault)
        os.fsync, sqlite3.connect = fsync, connect


class _Ledger(sqlite3.Connection):
    """SQLite writes in C: its commits are met before they begin, and after they end where the process does."""

    def executescript(self, sql: str) -> sqlite3.Cursor:
        self._grow()
        return super().executescript(sql)

    def _grow(self) -> None:
        try:
            _meet("grow")
        except OSError:
            super().execute("PRAGMA max_page_count = 1")  # what is there stays: SQLite takes the larger of both

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            self._grow()
        if sql != "COMMIT":
            return super().execute(sql, *values)
        try:
            _meet("commit")
        except OSError as error:
            raise sqlite3.OperationalError("disk I/O error") from error
        return super().execute(sql, *values)


def _meet(operation: str) -> None:
    for fault in list(_armed):
        fault.meet(operation)


def _heard(event: str, values: tuple[Any, ...]) -> None:
    if not _armed:
        return
    name = {"os.rename": "rename", "os.link": "link", "os.remove": "remove", "os.mkdir": "mkdir"}.get(event)
    if event == "open" and isinstance(values[2], int) and values[2] & _WRITING:
        name = "open"
    if name is None or not isinstance(values[0], str | bytes | os.PathLike):
        return
    path = str(Path(os.fsdecode(values[1] if name in ("rename", "link") else values[0])).absolute())
    for fault in list(_armed):
        if path.startswith(str(fault.folder)):
            fault.meet(name)
