"""The pictures of a run folder: named for people, found again by the key that each PNG carries.

`images/0012 epoch 5 1382869474-before.png`: number of the cell, checkpoint, seed, `-before` where a face pass follows.
`thumbs/` holds the same names as JPEG. What a killed run left half-written is swept away when the folder is opened.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ohwx_compare.core.axes import CheckpointRef
from ohwx_compare.core.infotext import extra, parse
from ohwx_compare.core.outcome import FaceRecord, Outcome
from ohwx_compare.errors import ImageError, InfotextError, LedgerError
from ohwx_compare.files import atomic
from ohwx_compare.files.images import load_rgb, read_infotext, write_png, write_thumbnail

__all__ = ["Record", "Shelf", "Stored", "file_name", "pixel_digest"]

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # what Windows forbids in a name
_LONGEST = 80  # characters of the checkpoint's part: Windows paths end at 260
_LONGEST_BYTES = 120  # of it in UTF-8: names end at 255 bytes elsewhere


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a PNG knows about itself, under the infotext's key `ohwx`; nothing of when, so that two runs are equal."""

    key: str
    cell: int  # the number it was first drawn for
    run: str  # name of the run folder
    checkpoint: str  # sha256 of the file
    outcome: Outcome
    pixels: str  # `pixel_digest` of the picture before the face pass
    notes: tuple[str, ...] = ()
    faces: tuple[FaceRecord, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON values, empty parts left out; `from_json` gives the same record back."""
        data = {**vars(self), "outcome": self.outcome.value, "notes": list(self.notes)}
        data["faces"] = [face.to_json() for face in self.faces]
        return {name: value for name, value in data.items() if value != []}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Record":
        """Read what `to_json` wrote; what others added is left. Raises KeyError, TypeError or ValueError."""
        names = ("key", "cell", "run", "checkpoint", "pixels")
        if not isinstance(data["key"], str):
            raise TypeError("a key is text")
        return cls(
            **{name: data[name] for name in names},
            outcome=Outcome(data["outcome"]),
            notes=tuple(data.get("notes", ())),
            faces=tuple(FaceRecord.from_json(face) for face in data.get("faces", ())),
        )


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A picture on the shelf; paths relative to the run folder, "/" between."""

    path: str
    thumb: str
    infotext: str
    record: Record


class Shelf:
    """The `images/` and `thumbs/` of one run folder, whose lock the caller holds."""

    def __init__(self, folder: Path):
        """Make or open the folders; every PNG with a key is found. Raises LedgerError if they cannot be made."""
        self.folder = folder
        try:
            for name in ("images", "thumbs"):
                (folder / name).mkdir(parents=True, exist_ok=True)
                atomic.sweep(folder / name)
        except OSError as error:
            raise LedgerError(f"{folder} cannot be used: {error}. Choose another --out folder.") from error
        self._stored: dict[str, Stored] = {}
        self._keys: dict[str, str] = {}  # by path
        for path in sorted((folder / "images").glob("*.png")):
            if stored := self._read(path):
                self._take(stored)

    def find(self, key: str) -> Stored | None:
        """The picture with this key, None where there is none (any more)."""
        stored = self._stored.get(key)
        return stored if stored and (self.folder / stored.path).is_file() else None

    def load(self, stored: Stored) -> Image.Image:
        """Its pixels, RGB. Raises ImageError."""
        return load_rgb(self.folder / stored.path)

    def put(self, name: str, image: Image.Image, infotext: str, record: Record) -> Stored:
        """Write picture and thumbnail; both are on disk on return. Raises LedgerError where they cannot be.

        name: without suffix. Another picture that has it already keeps it: this one gets part of its key appended.
        """
        if self._keys.get(f"images/{name}.png", record.key) != record.key:
            name = f"{name} ({record.key[:8]})"
        stored = Stored(path=f"images/{name}.png", thumb=f"thumbs/{name}.jpg", infotext=infotext, record=record)
        try:
            write_thumbnail(self.folder / stored.thumb, image)
            write_png(self.folder / stored.path, image, infotext)
        except ImageError as error:
            raise LedgerError(str(error)) from error
        self._take(stored)
        return stored

    def _take(self, stored: Stored) -> None:
        self._stored[stored.record.key] = stored
        self._keys[stored.path] = stored.record.key

    def _read(self, path: Path) -> Stored | None:
        try:
            text = read_infotext(path) or ""
            record = Record.from_json(extra(parse(text)))
        except (ImageError, InfotextError, KeyError, TypeError, ValueError):
            return None  # somebody else's picture
        thumb = f"thumbs/{path.stem}.jpg"
        try:
            if not (self.folder / thumb).is_file():
                write_thumbnail(self.folder / thumb, load_rgb(path))
        except ImageError:
            return None  # damaged: drawn again
        return Stored(path=f"images/{path.name}", thumb=thumb, infotext=text, record=record)


def file_name(number: int, ref: CheckpointRef, seed: int, *, before: bool) -> str:
    """The name of a cell's picture, without suffix: sortable, readable, fit for every file system."""
    stem = _UNSAFE.sub("_", ref.stem)[:_LONGEST].encode("utf-8")[:_LONGEST_BYTES].decode("utf-8", "ignore").strip(" .")
    return f"{number:04d} {stem} {seed}{'-before' if before else ''}"


def pixel_digest(image: Image.Image) -> str:
    """sha256 of an RGB picture's size and pixels: equal for equal pictures whatever file holds them."""
    return hashlib.sha256(json.dumps(image.size).encode() + image.tobytes()).hexdigest()
