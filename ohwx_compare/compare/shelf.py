"""The pictures of a run folder: named for people, found again by the key in each PNG.

`images/0012 epoch 5 1382869474-before.png`: number of the cell, checkpoint, seed, `-before` where a face pass follows.
`thumbs/` holds the same names as JPEG. What a killed run left half-written is swept away when the folder is opened.
Pictures of other run folders may be lent: found by their keys too, and copied in where they are needed.

A key says what a picture was, not that it still is that: one whose size or time is another than the ledger recorded is
compared by its pixels, and so is each that is lent or is the input of a face pass. What was painted over is generated
again, and so is a picture of which neither its ledger nor itself says what its pixels were.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image

from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.key_text import Forms
from ohwx_compare.core.experiment.outcome import FaceRecord, Outcome
from ohwx_compare.errors import ImageError, InfotextError, LedgerError
from ohwx_compare.files import atomic
from ohwx_compare.files.gallery import by_name
from ohwx_compare.files.images import load_rgb, pixel_digest, write_png, write_thumbnail
from ohwx_compare.files.infotexts import read_record
from ohwx_compare.files.inner import PAGE_PARTS, is_inner_folder, require_inner_folder
from ohwx_compare.files.ledger.access import schema_in
from ohwx_compare.files.ledger.reader import read_pictures
from ohwx_compare.files.ledger.rows import PictureRow
from ohwx_compare.files.ledger.schema import LEDGER_FILE, UNMARKED, unusable
from ohwx_compare.files.packed import PackedPicture, write_packed

__all__ = ["PictureRecord", "Shelf", "Stored", "file_name", "run_folders"]

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # what Windows forbids in a name
_LONGEST = 80  # characters of the checkpoint's part: Windows paths end at 260
_LONGEST_BYTES = 120  # of it in UTF-8: names end at 255 bytes elsewhere


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """What a PNG knows about itself, in a chunk of its own; nothing of when, so that two runs are equal."""

    key: str
    cell: int  # the number it was first drawn for
    run: str  # name of the run folder
    checkpoint: str  # sha256 of the file
    outcome: Outcome
    pixels: str  # `pixel_digest` of the picture before the face pass
    own: str = ""  # of the picture itself, where it is after one
    notes: tuple[str, ...] = ()
    faces: tuple[FaceRecord, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON values, empty parts left out; `from_json` gives the same record back."""
        data = {**vars(self), "outcome": self.outcome.value, "notes": list(self.notes)}
        data["faces"] = [face.to_json() for face in self.faces]
        return {name: value for name, value in data.items() if value not in ([], "")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PictureRecord":
        """Read what `to_json` wrote; what others added is left. Raises KeyError, TypeError or ValueError."""
        names = ("key", "cell", "run", "checkpoint", "pixels")
        if not isinstance(data["key"], str):
            raise TypeError("a key is text")
        return cls(
            **{name: data[name] for name in names},
            own=data.get("own", ""),
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
    record: PictureRecord
    written: PictureRow


@dataclass(frozen=True)
class _Lent:
    """A picture of another folder, and what its ledger recorded of it, if anything."""

    path: Path
    record: PictureRecord
    written: PictureRow | None

    def is_still(self, pixels: str) -> bool:
        """Whether `pixels`, the digest of what it holds now, is that of what was generated."""
        return _expected(self.record, self.written) in (None, pixels)


class Shelf:
    """The `images/` and `thumbs/` of one run folder, whose lock the caller holds, and what other folders lend to it."""

    def __init__(
        self, folder: Path, lenders: Sequence[Path] = (), recorded: Mapping[str, PictureRow] = MappingProxyType({})
    ):
        """Make or open the folders; every PNG with a key is found. Raises LedgerError where that fails, and for links.

        lenders: other run folders, the first one that holds a key lends it; nothing in them is changed.
        recorded: what the folder's ledger says of its pictures, by path.
        """
        self.folder, self._recorded = folder, recorded
        try:
            for name in ("images", "thumbs"):
                (folder / name).mkdir(parents=True, exist_ok=True)
                require_inner_folder(folder / name)
                atomic.sweep(folder / name)
            for own in (folder, *filter(is_inner_folder, [folder / PAGE_PARTS])):
                atomic.sweep(own)  # what a kill left of its mark, its sheet and its page
        except OSError as error:
            raise unusable(folder, error) from error
        self._stored: dict[str, Stored] = {}
        self._keys: dict[str, str] = {}  # by path
        for path in _pictures(folder):
            if stored := self._read(path):
                self._take(stored)
        self._lent: dict[str, _Lent] = {}
        for lent in (lent for lender in lenders if not _is_same(lender, folder) for lent in _lent_by(lender)):
            self._lent.setdefault(lent.record.key, lent)

    def generators(self) -> Counter[str]:
        """How many of the pictures that are here or lent each checkpoint generated, by the file's sha256."""
        records = {key: lent.record for key, lent in self._lent.items()}
        records |= {key: stored.record for key, stored in self._stored.items()}
        return Counter(record.checkpoint for record in records.values())

    def find(self, key: str) -> Stored | None:
        """The picture with this key, None where there is none (any more)."""
        stored = self._stored.get(key)
        if stored and os.path.isfile(f"{self.folder}/{stored.path}"):  # noqa: PTH113  asked for many times a cell: fast
            return stored
        return None

    def get(self, key: str) -> Stored:
        """The picture with this key. Raises ImageError where it is gone."""
        if stored := self.find(key):
            return stored
        raise ImageError(f"A picture of {self.folder} vanished while the run went on; start the run again.")

    def key_here(self, forms: Forms) -> str:
        """The key that a picture carries here, or else where it is lent; today's for one that nobody has."""
        return next(filter(self.find, forms), None) or next(filter(self.is_lent, forms), forms[0])

    def is_lent(self, key: str) -> bool:
        """Whether another folder has a picture with this key, copied in already or not."""
        return key in self._lent

    def has(self, key: str) -> bool:
        """Whether a picture with this key need not be generated."""
        return self.is_lent(key) or self.find(key) is not None

    def borrow(self, key: str, name: str) -> Stored | None:
        """Copy a lent picture in under `name` (without suffix), unless one with this key is here.

        It keeps its infotext, so it says which run generated it. None where no folder has it whole (any more); a
        picture cut short or painted over in its own folder is not used. Raises LedgerError where this folder cannot be
        written.
        """
        if (stored := self.find(key)) or key not in self._lent:
            return stored
        lent = self._lent[key]
        image = _loaded(lent.path)
        if image is None or not lent.is_still(pixels := pixel_digest(image)):
            del self._lent[key]
            return None
        path, thumb = self._paths(name, key)
        self._write(thumb, lambda there: write_thumbnail(there, image))
        self._write(path, lambda there: atomic.link(lent.path, there))
        stored = self._read(self.folder / path, pixels)
        if stored is None or stored.record.key != key:  # its folder is being drawn into
            (self.folder / path).unlink(missing_ok=True)
            del self._lent[key]
            return None
        self._take(stored)
        return stored

    def recheck(self, key: str) -> None:
        """Forget the picture with this key unless its pixels are those that were generated."""
        stored = self.find(key)
        if stored is None:
            return
        image = _loaded(self.folder / stored.path)
        if image is None or pixel_digest(image) != stored.written.pixels:
            del self._stored[key]

    def load(self, stored: Stored) -> Image.Image:
        """Its pixels, RGB. Raises ImageError."""
        return load_rgb(self.folder / stored.path)

    def put(
        self, name: str, image: Image.Image | PackedPicture, infotext: str, record: PictureRecord, pixels: str
    ) -> Stored:
        """Write picture and thumbnail; both are on disk on return. Raises LedgerError where they cannot be.

        name: without suffix. Another picture that has it already keeps it: this one gets part of its key appended.
        pixels: the picture's digest.
        """
        path, thumb = self._paths(name, record.key)
        known = json.dumps(record.to_json(), ensure_ascii=False)
        if isinstance(image, PackedPicture):
            self._write(thumb, lambda there: atomic.write_bytes(there, image.thumb))
            self._write(path, lambda there: write_packed(there, image, infotext, known))
        else:
            self._write(thumb, lambda there: write_thumbnail(there, image))
            self._write(path, lambda there: write_png(there, image, infotext, known))
        written = self._row(path, pixels)
        stored = Stored(path=path, thumb=thumb, infotext=infotext, record=record, written=written)
        self._take(stored)
        return stored

    def _write(self, name: str, write: Callable[[Path], None]) -> None:
        path = self.folder / name
        try:
            write(path)
        except (ImageError, OSError) as error:
            why = error.__cause__ or error
            raise LedgerError(
                f"{path} cannot be written: {getattr(why, 'strerror', None) or why}. Free some space or make it "
                f"writable, then start the run again: what is finished is kept."
            ) from error

    def _paths(self, name: str, key: str) -> tuple[str, str]:
        if self._keys.get(f"images/{name}.png", key) != key:
            name = f"{name} ({key[:8]})"
        return f"images/{name}.png", f"thumbs/{name}.jpg"

    def _take(self, stored: Stored) -> None:
        self._stored[stored.record.key] = stored
        self._keys[stored.path] = stored.record.key

    def _read(self, path: Path, expected: str | None = None) -> Stored | None:
        """expected: the digest of its pixels, where it is of another folder and this one has recorded nothing."""
        if (told := _told(path)) is None:
            return None
        name, thumb = f"images/{path.name}", f"thumbs/{path.stem}.jpg"
        has_thumb, written = atomic.is_plain_file(self.folder / thumb), self._row(name, "")
        known = self._recorded.get(name)
        if has_thumb and known and written == replace(known, pixels=""):
            return Stored(path=name, thumb=thumb, infotext=told[0], record=told[1], written=known)
        image = _loaded(path)
        if image is None:
            return None  # damaged: drawn again
        written = replace(written, pixels=pixel_digest(image))
        if written.pixels != (expected or _expected(told[1], known)):
            return None  # painted over, or nothing says what it was: drawn again
        if not has_thumb:
            self._write(thumb, lambda there: write_thumbnail(there, image))
        return Stored(path=name, thumb=thumb, infotext=told[0], record=told[1], written=written)

    def _row(self, path: str, pixels: str) -> PictureRow:
        told = (self.folder / path).stat()
        return PictureRow(path=path, pixels=pixels, size=told.st_size, modified_ns=told.st_mtime_ns)


def run_folders(folders: Iterable[Path]) -> list[Path]:
    """The run folders that `folders` name: each is one, or holds some. Raises LedgerError for one that is neither."""
    found = []
    for folder in folders:
        below = sorted(folder.iterdir()) if folder.is_dir() else []
        runs = [path for path in (folder, *below) if is_inner_folder(path / "images")]
        if not runs:
            raise LedgerError(f"{folder} is not a run folder and holds none; choose the folder of an earlier run.")
        found += runs
    return found


def _pictures(folder: Path) -> list[Path]:
    """The PNGs of a run folder; what a link leads to is not the folder's."""
    if not is_inner_folder(folder / "images"):
        return []
    return [path for path in sorted((folder / "images").glob("*.png"), key=by_name) if atomic.is_plain_file(path)]


def _lent_by(folder: Path) -> Iterator[_Lent]:
    """Its pictures that can be compared with what was generated; of an earlier version, that records none, all."""
    try:
        written, is_earlier = read_pictures(folder), schema_in(folder / LEDGER_FILE) <= UNMARKED
    except LedgerError:  # pictures without a ledger, or with one that is not read
        written, is_earlier = {}, False
    for path in _pictures(folder):
        if told := _told(path):
            lent = _Lent(path, told[1], written.get(f"images/{path.name}"))
            if is_earlier or _expected(lent.record, lent.written) is not None:
                yield lent


def _expected(record: PictureRecord, written: PictureRow | None) -> str | None:
    """The digest of the pixels that were generated; None where neither ledger nor picture says it."""
    return written.pixels if written else _own_digest(record)


def _own_digest(record: PictureRecord) -> str | None:
    """The digest of its own pixels that a picture carries; None of an earlier version's after a face pass."""
    return record.pixels if record.outcome is Outcome.DRAWN else record.own or None


def _loaded(path: Path) -> Image.Image | None:
    """None for a damaged picture."""
    try:
        return load_rgb(path)
    except ImageError:
        return None


def _told(path: Path) -> tuple[str, PictureRecord] | None:
    """A picture's infotext and what it knows about itself; None for somebody else's picture."""
    try:
        text, known = read_record(path)
        return text or "", PictureRecord.from_json(known)
    except (ImageError, InfotextError, KeyError, TypeError, ValueError):
        return None


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def file_name(number: int, ref: CheckpointRef, seed: int, *, before: bool, digits: int = 4) -> str:
    """The name of a cell's picture, without suffix: sortable, readable, fit for every file system.

    digits: of the largest number of the experiment, 4 at least. In a folder that grew past 9999 cells both widths are
    found, so who sorts names does it `by_name`.
    """
    stem = _UNSAFE.sub("_", ref.stem)[:_LONGEST].encode("utf-8")[:_LONGEST_BYTES].decode("utf-8", "ignore").strip(" .")
    return f"{number:0{digits}d} {stem} {seed}{'-before' if before else ''}"
