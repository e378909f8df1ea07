"""What decoding showed of a training set's pictures, each decoded once.

In one process a file counts as the same while its size and time are; another process believes what is remembered where
the file's identity proves it. Remembered is what was good: what cannot be decoded is tried again.
"""

import io
import json
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path

import PIL
from PIL import Image, UnidentifiedImageError

from ohwx_compare.core.buckets import Size
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.hashes import cache_folder
from ohwx_compare.files.identity import FileIdentity, proving_devices
from ohwx_compare.files.images import open_picture
from ohwx_compare.numerals import decode_json

__all__ = ["DAMAGED", "MODERN", "Looked", "looked_at"]

MODERN = frozenset({".avif", ".heic", ".heif", ".jxl"})  # pictures that not every Pillow reads
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    IndexError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)  # what Pillow raises for files that are not what they seem
_LARGEST = 500_000_000  # bytes of a picture
_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 lie on their side
_MAY_LIE = (b"eXIf", b"type exif", b"rientation")  # a PNG with none of them in it stands upright
_MADE_BY = f"1 {PIL.__version__}"  # how it is remembered, and by what it was decoded
_KEPT = 20_000  # pictures that are remembered, the newest


@dataclass(frozen=True)
class Looked:
    """What decoding a file showed."""

    size: Size = (0, 0)  # as it is trained
    frames: int = 1
    error: str | None = None  # then nothing else counts


def looked_at(paths: Sequence[Path], upright: bool, check: Callable[[], None]) -> list[Looked]:
    """What each file holds, in order; decoded on all cores, for Pillow releases the lock.

    upright: sizes follow the camera's orientation. check: called for each, in several threads; what it raises ends it.
    """
    memory = _Memory(upright)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            found = list(pool.map(partial(_look, memory=memory, check=check), paths))
    memory.keep()
    return found


@dataclass(eq=False)
class _Memory:
    """What was decoded before, also by other processes. All of them are one to the cache of a function."""

    upright: bool
    devices: frozenset[int] = field(default_factory=proving_devices)
    new: dict[str, tuple[tuple[int, ...], int, int, int]] = field(default_factory=dict)  # proof, width, height, frames

    def __post_init__(self) -> None:
        self.place = folder.parent / f"pictures-{int(self.upright)}.json" if (folder := cache_folder()) else None

    def __hash__(self) -> int:
        return hash(self.upright)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Memory) and self.upright == other.upright

    @cached_property
    def known(self) -> dict[str, tuple[tuple[int, ...], int, int, int]]:
        """What the disk remembers; read when a file is new to this process."""
        return self._recalled()

    def find(self, path: Path, now: FileIdentity) -> Looked | None:
        """What is remembered of a file as it is now."""
        try:
            proof, width, height, frames = self.known[str(path.absolute())]
            if FileIdentity.recorded(proof).proves(now):
                return Looked((int(width), int(height)), int(frames))
        except (KeyError, ValueError, TypeError):
            pass
        return None

    def note(self, path: Path, before: FileIdentity, seen: Looked) -> None:
        """Remember it of a file as it was before it was read."""
        if before.proof and seen.error is None:
            self.new[str(path.absolute())] = (before.proof, *seen.size, seen.frames)

    def keep(self) -> None:
        """Write what is new, if a disk takes it."""
        if not self.new or self.place is None:
            return
        kept = [*(self._recalled() | self.new).items()][-_KEPT:]
        with suppress(OSError):
            self.place.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.place, json.dumps({"made_by": _MADE_BY, "pictures": dict(kept)}))

    def _recalled(self) -> dict[str, tuple[tuple[int, ...], int, int, int]]:
        try:
            told = decode_json(self.place.read_text(encoding="utf-8")) if self.place else {}
            return dict(told["pictures"]) if told["made_by"] == _MADE_BY else {}
        except (OSError, ValueError, TypeError, KeyError):
            return {}


def _look(path: Path, memory: _Memory, check: Callable[[], None]) -> Looked:
    check()
    try:
        stat = path.stat()
        if stat.st_size > _LARGEST:
            return Looked(error=f"it has {stat.st_size:,} bytes, expected at most {_LARGEST:,}")
        return _seen(path, (stat.st_size, stat.st_mtime_ns), memory)
    except Image.DecompressionBombError as error:
        return Looked(error=f"it is too large ({error})")
    except DAMAGED as error:
        if _is_empty(path):
            return Looked(error="it is empty (0 bytes)")
        if path.suffix.lower() in MODERN:
            return Looked(error=f"it cannot be read here as {path.suffix[1:].upper()}; save it as JPEG or PNG")
        what = "it is not a picture that Pillow can read" if isinstance(error, UnidentifiedImageError) else str(error)
        return Looked(error=f"it cannot be decoded ({what})")


@lru_cache(maxsize=200_000)
def _seen(path: Path, version: tuple[int, int], memory: _Memory) -> Looked:
    """Look at a file once in this process: a plan is made again at each pause of somebody who types.

    version: size in bytes and time of change, under which the file counts as the same. Raises DAMAGED.
    """
    now = FileIdentity.of(path, devices=memory.devices)
    if (known := memory.find(path, now)) is not None:
        return known
    found = _decode(path.read_bytes(), memory.upright)
    memory.note(path, now, found)
    return found


def _decode(data: bytes, upright: bool) -> Looked:
    with open_picture(io.BytesIO(data)) as image:
        size = image.size
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a photo and its preview
        if image.format == "PNG" and not any(word in data for word in _MAY_LIE):
            image.verify()  # the checksums of all its chunks: far cheaper than decoding them
            return Looked(size, frames)
        image.draft("RGB", (1, 1))  # a JPEG is read whole, but in its smallest size
        image.load()
        if image.mode == "F":
            return Looked(error="its pixels are floating-point numbers; save it with 8 bits")
        if image.format == "TIFF":
            return Looked(image.size, frames)  # Pillow has turned it
        turned = upright and image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return Looked(size[::-1] if turned else size, frames)


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False
