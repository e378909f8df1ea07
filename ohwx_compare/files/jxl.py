"""JPEG XL: Pillow reads it where the package pillow-jxl-plugin is installed, and nobody else does here."""

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

__all__ = ["has_jxl", "is_jxl", "learn_jxl"]

_PLUGIN = "pillow_jxl"
_STARTS = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")  # bare and boxed, ISO/IEC 18181-2


def is_jxl(start: bytes) -> bool:
    """Whether a file begins as JPEG XL does."""
    return start.startswith(_STARTS)


@lru_cache(maxsize=1)
def has_jxl() -> bool:
    """Whether the package is installed."""
    return find_spec(_PLUGIN) is not None


@lru_cache(maxsize=1)
def learn_jxl() -> None:
    """Teach Pillow to read it where that can be."""
    if has_jxl():
        import_module(_PLUGIN)
