"""How a run is controlled from outside: files in its output folder, so that any program can do it, on any system.

`stop` ends the run after the current step, `pause` makes it wait for as long as the file exists, `save` writes a
checkpoint. A run removes `stop` and `save` when it has seen them.
"""

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["WORDS", "Controls", "ask", "unask"]

WORDS = ("stop", "pause", "save")


def ask(folder: Path, word: str) -> None:
    """Ask the run in `folder` for one of WORDS. Raises OSError."""
    if word not in WORDS:
        raise ValueError(f"The control is {word!r}, expected one of {', '.join(WORDS)}.")
    (folder / word).touch()


def unask(folder: Path, word: str) -> None:
    """Take it back: a paused run resumes. Raises OSError."""
    (folder / word).unlink(missing_ok=True)


class Controls:
    """The run's side. What an earlier run left unseen is removed first."""

    def __init__(self, folder: Path, asked: Callable[[], bool]) -> None:
        """`asked`: another way to ask for a stop."""
        self.folder, self.asked = folder, asked
        self.clear()

    def clear(self) -> None:
        """Forget everything asked for."""
        for word in WORDS:
            unask(self.folder, word)

    def stops(self) -> bool:
        """Whether to stop after this step."""
        return self.asked() or (self.folder / "stop").exists()

    def saves(self) -> bool:
        """Whether a checkpoint is wanted now; a request counts once."""
        try:
            (self.folder / "save").unlink()
        except FileNotFoundError:
            return False
        return True

    def pauses(self) -> bool:
        """Whether to wait; a stop ends it."""
        return (self.folder / "pause").exists() and not self.stops()

    def wait(self) -> None:
        """Return when the pause is over."""
        while self.pauses():
            time.sleep(0.5)
