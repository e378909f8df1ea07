"""A ledger that is held for writing: the folder's lock, whose folder it is, and one transaction for each change."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from ohwx_compare.core.events import Adopted, Listener
from ohwx_compare.errors import LedgerError
from ohwx_compare.files import lock
from ohwx_compare.files.ledger.adopt import claim
from ohwx_compare.files.ledger.schema import explained, open_ledger, unusable

__all__ = ["HeldLedger"]

_Held = TypeVar("_Held", bound="HeldLedger")


class HeldLedger:
    """A context manager; a second holder of the folder is refused with LedgerError.

    adopted: what became of a folder that was made elsewhere; None of one that was made here.
    """

    def __init__(self, path: Path, *, adopt: bool, tell: Listener = lambda event: None):
        """Make or open the ledger at `path`, whose folder is there.

        adopt: take over a folder that was made elsewhere; tell: hears how far that is; see `claim`.
        Raises LedgerError, ElsewhereError without `adopt`.
        """
        self.path = path
        self._turn = threading.Lock()  # of the threads that change something
        with ExitStack() as held:
            held.enter_context(closing(_hold(path.parent)))
            self.adopted = _claimed(path, adopt=adopt, tell=tell)
            with explained(path):
                self._db = held.enter_context(closing(open_ledger(path)))
            self._held = held.pop_all()

    def __enter__(self: _Held) -> _Held:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go; safe to call twice."""
        self._held.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._turn, explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")


def _hold(folder: Path) -> BinaryIO:
    """Hold a run folder until the returned file is closed. Raises LedgerError where somebody else does."""
    try:
        return lock.hold(folder)
    except BlockingIOError as error:
        raise LedgerError(f"Another run is writing to {folder}; wait for it, or choose another folder.") from error
    except OSError as error:
        raise unusable(folder / lock.LOCK_FILE, error) from error


def _claimed(path: Path, *, adopt: bool, tell: Listener) -> Adopted | None:
    """See `claim`; what the file system says against it is a LedgerError too."""
    try:
        return claim(path, adopt=adopt, tell=tell)
    except OSError as error:
        raise unusable(path.parent, error) from error
