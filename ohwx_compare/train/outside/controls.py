"""What a run is asked for from outside: files in its output folder, so that anything can ask, on any system.

`stop` finishes the step in hand, `pause` waits for as long as it is there, `save` writes a checkpoint. A run takes
`stop` and `save` away when it has seen them. What a run before left unseen is cleared by whoever starts the next one,
before it starts: what is asked for while a run starts counts.
"""

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["WORDS", "Controls", "ask", "clear", "unask"]

WORDS = ("stop", "pause", "save")


def ask(folder: Path, word: str) -> None:
    """Ask the run in `folder` for one of WORDS. Raises OSError."""
    if word not in WORDS:
        raise ValueError(f"{word!r} is none of {WORDS}.")
    (folder / word).touch()


def unask(folder: Path, word: str) -> None:
    """Take it back: a paused run goes on. Raises OSError."""
    (folder / word).unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Forget everything asked for. Raises OSError."""
    for word in WORDS:
        unask(folder, word)


class Controls:
    """The run's side."""

    def __init__(self, folder: Path, asked: Callable[[], bool]) -> None:
        """`asked`: another way to ask for a stop."""
        self.folder, self.asked = folder, asked

    def stops(self) -> bool:
        """Whether to stop after this step."""
        return self.asked() or (self.folder / "stop").exists()

    def saves(self) -> bool:
        """Whether a checkpoint is wanted now; asked once, answered once."""
        try:
            (self.folder / "save").unlink()
        except FileNotFoundError:
            return False
        return True

    def pauses(self) -> bool:
        """Whether to wait; a stop ends it."""
        return (self.folder / "pause").exists() and not self.stops()

    def wait(self, save: Callable[[], None]) -> None:
        """Return when no pause is asked for any more; `save` is called for each checkpoint that is wanted meanwhile."""
        while self.pauses():
            if self.saves():
                save()
            time.sleep(0.5)
