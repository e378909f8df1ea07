"""Ctrl-C in two steps: the first finishes the current batch, the second stops at once."""

import signal
from collections.abc import Callable
from types import FrameType

__all__ = ["CtrlC"]


class CtrlC:
    """While entered, counts Ctrl-C; `asked` tells whether one came. The second one raises KeyboardInterrupt."""

    def __init__(self, say: Callable[[str], None] = lambda line: None, what: str = "current batch of pictures") -> None:
        self.say = say
        self.what = what
        self.asked = False

    def __enter__(self) -> "CtrlC":
        self.previous = signal.signal(signal.SIGINT, self.on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self.previous)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """First: remember. Second: raise KeyboardInterrupt."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self.say(f"Finishing the {self.what}; press Ctrl-C again to stop at once.")
