"""One writer for each folder: an SQLite file in an exclusive transaction, which is an operating system's lock on every
platform, and gone with its process, however that ended."""

import sqlite3
from pathlib import Path

__all__ = ["LOCK_FILE", "hold", "is_held"]

LOCK_FILE = "run.lock"
_PATIENCE = 0.5  # seconds; whoever only looks (`is_held`) is done sooner


def hold(folder: Path) -> sqlite3.Connection:
    """Hold `folder` until the returned connection is closed.

    Raises BlockingIOError where another process holds it, sqlite3.Error where the lock file cannot be made or used.
    """
    held = sqlite3.connect(folder / LOCK_FILE, timeout=_PATIENCE, isolation_level=None)
    try:
        held.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        held.close()
        if "locked" in str(error):
            raise BlockingIOError(f"{folder} is held by another process.") from error
        raise
    return held


def is_held(folder: Path) -> bool:
    """Whether a process holds `folder` right now; asking makes no file."""
    try:
        looking = sqlite3.connect(f"{(folder / LOCK_FILE).absolute().as_uri()}?mode=ro", timeout=0, uri=True)
    except sqlite3.OperationalError:
        return False
    try:
        looking.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    finally:
        looking.close()
    return False
