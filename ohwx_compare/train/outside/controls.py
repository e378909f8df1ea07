"""How a run is controlled from outside: files in its output folder, so that any program can do it, on any system.

`stop` ends the run after the current step, `pause` makes it wait for as long as the file exists, `save` writes a
checkpoint. A run removes `stop` and `save` when it has seen them. Whoever starts a run clears what the one before left
unseen, before it starts: what is asked for while a run starts counts.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["WORDS", "Controls", "ask", "clear", "unask"]

WORDS = ("stop", "pause", "save")


def ask(folder: Path, word: str) -> None:
    """Ask the run in `folder` for one of WORDS. Raises OSError."""
    if word not in WORDS:
        raise ValueError(f"The control is {word!r}, expected one of {', '.join(WORDS)}.")
    if (folder / word).is_symlink():  # of a stranger: to touch it would touch what it leads to
        (folder / word).unlink()
    with suppress(FileExistsError):
        (folder / word).open("x").close()


def unask(folder: Path, word: str) -> None:
    """Take it back: a paused run resumes. Raises OSError."""
    (folder / word).unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Forget everything asked for. Raises OSError."""
    for word in WORDS:
        unask(folder, word)


class Controls:
    """The run's side. What an earlier run left unseen is removed first."""

    def __init__(self, folder: Path, asked: Callable[[], bool]) -> None:
        """`asked`: another way to ask for a stop."""
        self.folder, self.asked = folder, asked

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

    def wait(self, save: Callable[[], None]) -> None:
        """Return when the pause is over."""
        while self.pauses():
            if self.saves():
                save()
            time.sleep(0.5)
