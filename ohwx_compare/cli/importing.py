"""Imports of torch and of what needs it, in six sevenths of the time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["importing"]


@contextmanager
def importing() -> Iterator[None]:
    """Within, nothing is collected, and what was imported is left alone afterwards: the collector would walk all of
    torch's objects, of which none is garbage, again and again."""
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
