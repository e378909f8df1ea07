"""Taking over a run folder that was made elsewhere, so that it can be written to like one that was made here.

Its ledger is read from a private copy, row by row, and what is sound is written into a new one that takes its place:
SQLite never opens the old file. Each picture is compared with what the ledger recorded of it. A cell with a picture
that is missing or is another one becomes undone, and is generated again.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.core.events import Adopted, Adopting, Listener
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.folder_text import CellRequests
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import ElsewhereError, ImageError, InfotextError, LedgerError
from ohwx_compare.files import atomic
from ohwx_compare.files.images import load_rgb, pixel_digest
from ohwx_compare.files.infotexts import read_record
from ohwx_compare.files.inner import require_inner_folder
from ohwx_compare.files.json_file import parse_json
from ohwx_compare.files.ledger.access import reading, schema_in, settled
from ohwx_compare.files.ledger.journal import has_journal, journal_of, require_harmless
from ohwx_compare.files.ledger.own import has_own_mark, mark, mark_of
from ohwx_compare.files.ledger.rows import (
    CheckpointRow,
    PictureRow,
    Result,
    checkpoint_rows,
    insert_cell,
    insert_checkpoint,
    insert_experiment,
    insert_pictures,
    picture_rows,
    results_in,
    stored_experiment,
)
from ohwx_compare.files.ledger.schema import UNMARKED, connect, explained, update

__all__ = ["claim", "judged_rows"]

_JUDGED: Mapping[str, tuple[str, ...]] = (
    MappingProxyType(  # tables of what was measured and voted; what is JSON in them
        {"measures": ("settings",), "scores": ("details",), "votes": ("shown",), "marks": ("tags",)}
    )
)
_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType({"TEXT": (str,), "INTEGER": (int,), "REAL": (float, int)})
_LANES = 4  # pictures compared at once
_MOST_PX = 64 << 20  # of a picture: 200 MB in memory


def claim(path: Path, *, adopt: bool, tell: Listener = lambda event: None) -> Adopted | None:
    """Make sure that the ledger at `path` is ours, made anew or adopted; None where nothing had to be adopted.

    The caller holds the folder's lock. A folder that an earlier version made has no mark, like one from elsewhere; it
    is adopted in either case. tell: hears `Adopting`. Raises ElsewhereError for any other that was made elsewhere
    unless `adopt`; LedgerError for one that cannot be used, OSError where it cannot be written to.
    """
    folder = path.parent
    require_harmless(path)
    if has_own_mark(path):
        return None
    if not os.path.lexists(path) or (path.stat().st_size == 0 and not has_journal(path)):
        if has_journal(path):
            raise LedgerError(f"{journal_of(path)} belongs to no ledger; delete it.")
        path.touch()
        mark(path)
        return None
    told = _read(path)
    if not (adopt or told.is_of_earlier_version):
        raise ElsewhereError(
            f"{folder} was made elsewhere: on another machine, by another user, or it is a copy. It can be looked at; "
            "before anything is generated into it, it must be adopted: its rows and pictures are checked then."
        )
    kept, pictures, undone = _sound(folder, told, tell)
    _put(path, told, kept, pictures)
    return Adopted(len(kept), tuple(undone))


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What a ledger from elsewhere says."""

    experiment: Experiment | None
    checkpoints: tuple[CheckpointRow, ...]
    results: Mapping[int, Result]
    requests: Mapping[int, str]
    pictures: Mapping[str, PictureRow]
    judged: Mapping[str, Sequence[tuple[object, ...]]]  # rows by table
    is_of_earlier_version: bool


def _read(path: Path) -> _Told:
    with reading(path.parent, path.name) as db:
        return _Told(
            experiment=stored_experiment(db, path),
            checkpoints=tuple(replace(row, identity=()) for row in checkpoint_rows(db).values()),  # another machine's
            results=results_in(db),
            requests={row["number"]: str(row["request"]) for row in db.execute("SELECT number, request FROM cells")},
            pictures=picture_rows(db),
            judged={table: judged_rows(db, table) for table in _JUDGED},
            is_of_earlier_version=not os.path.lexists(mark_of(path)) and schema_in(path) <= UNMARKED,
        )


def judged_rows(db: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    """The rows of a table of what was measured, voted or marked.

    Raises ValueError for a value that we would not write.
    """
    columns = db.execute('SELECT name, type, "notnull" FROM pragma_table_info(?)', (table,)).fetchall()
    rows = [tuple(row) for row in db.execute(f"SELECT * FROM {table}")]
    for row in rows:
        for (name, kind, is_needed), value in zip(columns, row, strict=True):
            if not (isinstance(value, _TYPES[kind]) or (value is None and not is_needed)):
                raise ValueError(f"a row of {table} cannot be read: its {name} is not of type {kind}")
            if name in _JUDGED[table]:
                parse_json(str(value))
    return rows


_Kept = tuple[Cell, Result, str]


def _sound(folder: Path, told: _Told, tell: Listener) -> tuple[list[_Kept], list[PictureRow], list[str]]:
    """The rows that are kept, their pictures as they are now, and the labels of the cells that become undone."""
    rows = [
        (cell, told.results[cell.number], told.requests[cell.number])
        for cell in (told.experiment.cells() if told.experiment else ())
        if cell.number in told.results
    ]
    named = dict.fromkeys(picture for _, result, _ in rows for picture in _pictures(result))
    compare = partial(_compared, folder, told.pictures)
    try:
        require_inner_folder(folder / "images")
        with ThreadPoolExecutor(_LANES) as lanes:
            found = {}
            for picture, row in zip(named, lanes.map(compare, named), strict=True):
                found[picture] = row
                tell(Adopting(len(found), len(named)))
    except FileNotFoundError:
        found = dict.fromkeys(named)
    requests, kept, undone = CellRequests(), [], []
    for cell, result, request in rows:
        is_whole = all(found[picture] for picture in _pictures(result))
        is_asked = request in requests.of(cell) and result.outcome is not Outcome.PENDING
        if is_whole and is_asked and (result.outcome is Outcome.FAILED or result.before):
            kept.append((cell, result, request))
        else:
            undone.append(cell.label)
    used = dict.fromkeys(picture for _, result, _ in kept for picture in _pictures(result))
    return kept, [row for picture in used if (row := found[picture])], undone


def _pictures(result: Result) -> Iterator[tuple[str, str | None]]:
    """Path and key of a cell's pictures; the key is None where the row has none."""
    if result.before:
        yield result.before, result.before_key
    if result.after:
        yield result.after, result.key


def _compared(folder: Path, recorded: Mapping[str, PictureRow], named: tuple[str, str | None]) -> PictureRow | None:
    """A picture, by path and key, as it is now; None where it is missing, or is not the one that was generated.

    Of versions before schema 4 nothing is recorded: there a picture before its face pass is compared with the digest
    that it carries, and one after it is believed by its key.
    """
    path, key = named
    file, known = folder / path, recorded.get(path)
    try:
        if not atomic.is_plain_file(file):
            return None
        carried = read_record(file)[1]
        image = load_rgb(file, most_px=_MOST_PX)
        told = file.stat()
    except (ImageError, InfotextError, OSError, ValueError):
        return None
    pixels = pixel_digest(image)
    own = carried.get("pixels") if carried.get("outcome") == "drawn" else carried.get("own", pixels)
    expected = known.pixels if known else own
    if pixels != expected or (key is not None and carried.get("key") != key):
        return None
    return PictureRow(path=path, pixels=pixels, size=told.st_size, modified_ns=told.st_mtime_ns)


def _put(path: Path, told: _Told, kept: Iterable[_Kept], pictures: Iterable[PictureRow]) -> None:
    """Put a new ledger into the place of the old one, and mark it. A kill at any moment loses nothing."""
    if has_journal(path):  # its transaction is rolled back for good; doing that twice gives the same
        atomic.write_stream(path, settled(path))
        journal_of(path).unlink()
    with _beside(path) as db:
        db.execute("PRAGMA journal_mode = MEMORY")
        update(db, path)
        db.execute("BEGIN")
        if told.experiment:
            insert_experiment(db, told.experiment)
        for row in told.checkpoints:
            insert_checkpoint(db, row)
        for cell, result, request in kept:
            insert_cell(db, cell, result, request)
        insert_pictures(db, pictures)
        for table, rows in told.judged.items():
            if rows:
                db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        db.execute("COMMIT")
    mark(path)


@contextmanager
def _beside(path: Path) -> Iterator[sqlite3.Connection]:
    """A new database that takes the place of `path` at the end."""
    with atomic.replacing(path) as file, explained(path), closing(connect(file)) as db:
        yield db
