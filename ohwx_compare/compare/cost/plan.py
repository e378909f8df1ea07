"""What a run would generate, counted beforehand; what its folder holds already is left out.

The batches and what they lack are those of `compare/work.py`, as in a run; each checkpoint is loaded once and only
where it is needed.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ohwx_compare.compare.batches import Batch, batches, by_checkpoint
from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.compare.resolve import Resolve
from ohwx_compare.compare.work import NO_KEYS, BatchWork, CellKeys, KeysOf, needed
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.key_text import Forms
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import UnknownCheckpointError
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.files.ledger.rows import CheckpointRow, Run

__all__ = ["ComparisonPlan", "Shelved", "Visit", "keys_in", "most_bytes", "plan", "shelved"]

PNG_BYTES = 2.0  # a px, until the run folder holds pictures of its own
THUMB_BYTES = 25_000  # a JPEG of 384 px


@dataclass(frozen=True)
class Visit:
    """One checkpoint and what it generates; `checkpoint` is None where there is no file of its name."""

    checkpoint: Checkpoint | None
    draws: tuple[BatchWork, ...]


@dataclass(frozen=True)
class Shelved:
    """What run folders hold already."""

    keys: frozenset[str]  # of their pictures
    sha256: Mapping[Path, str]  # of the checkpoint files they know, by resolved path; only of those unchanged since
    png_bytes: float  # a px, the mean of their pictures
    lent: frozenset[str] = frozenset()  # those of `keys` that are taken from elsewhere

    def has(self, key: str) -> bool:
        """Whether a picture with this key need not be generated."""
        return key in self.keys

    def is_lent(self, key: str) -> bool:
        """Whether it is taken from elsewhere."""
        return key in self.lent

    def key_here(self, forms: Forms) -> str:
        """The key that a picture carries there; today's for one that nobody has."""
        return next(filter(self.keys.__contains__, forms), forms[0])


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """A run's cost in things that can be counted. `visits` holds only checkpoints that have something to generate."""

    cells: int  # of the experiment, generated already or not
    checkpoints: int
    missing: tuple[str, ...]  # checkpoints without a file, as the experiment names them
    visits: tuple[Visit, ...]
    disk_bytes: int  # of the pictures, thumbnails and sheets to be written, estimated

    @property
    def renders(self) -> int:
        """Pictures to generate, before the face pass."""
        return sum(len(draw.jobs) for visit in self.visits for draw in visit.draws)

    @property
    def inpaints(self) -> int:
        """Faces to inpaint; see `BatchWork.inpaints`."""
        return sum(draw.inpaints for visit in self.visits for draw in visit.draws)

    @property
    def switches(self) -> int:
        """How often a checkpoint is loaded."""
        return len(self.visits)

    def to_json(self) -> dict[str, Any]:
        """All counts as JSON values."""
        names = ("cells", "renders", "inpaints", "checkpoints", "switches")
        counts = {name: getattr(self, name) for name in names}
        return {**counts, "missing": list(self.missing), "disk_bytes": self.disk_bytes}


def plan(
    experiment: Experiment,
    resolve: Resolve,
    *,
    batch: int = 4,
    there: Shelved = Shelved(frozenset(), {}, PNG_BYTES),
    keys: KeysOf | None = None,
) -> ComparisonPlan:
    """Count what a run of `experiment` would generate besides what is `there`.

    keys: tells whether a cell is there; without it, none is. Raises ExperimentError without a checkpoint,
    CheckpointError for a file that is not what was asked for.
    """
    cells, missing, visits = experiment.cells(), [], []
    for ref, group in by_checkpoint(cells):
        try:
            checkpoint = resolve(ref)
        except UnknownCheckpointError:
            checkpoint = None
            missing.append(str(ref))
        known = there.sha256.get(checkpoint.path.resolve()) if checkpoint else None
        found = (_lacks(b, keys, known, there) for b in batches(group, batch))
        draws = tuple(draw for draw in found if draw.jobs or draw.faces)
        if draws:
            visits.append(Visit(checkpoint, draws))
    return ComparisonPlan(
        cells=len(cells),
        checkpoints=len(experiment.checkpoints),
        missing=tuple(missing),
        visits=tuple(visits),
        disk_bytes=_disk_bytes(visits, cells, there.png_bytes),
    )


def most_bytes(experiment: Experiment) -> int:
    """Bytes that a run of `experiment` writes if nothing of it is there yet, estimated."""

    def unknown(ref: CheckpointRef) -> Checkpoint:
        raise UnknownCheckpointError(str(ref))

    return plan(experiment, unknown).disk_bytes


def shelved(own: Run | None, lenders: Sequence[Run] = (), hashes: Hashes | None = None) -> Shelved:
    """What the run's own folder holds, and what other folders lend to it.

    This is a forecast: a checkpoint file counts as what `hashes` say it seems to hold, and where they know nothing of
    it, as the recorded one that it resembles. A run looks at its bytes.
    """
    hashes = hashes or Hashes()
    runs = [*([own] if own else []), *lenders]
    pictures = [picture for run in runs for picture in _pictures(run)]
    files = [(Path(row.path), row) for run in runs for row in run.checkpoints]
    seems = {path.resolve(): sha256 for path, row in files if (sha256 := _seems(path, row, hashes))}
    return Shelved(
        frozenset(picture.key for picture in pictures),
        seems,
        sum(one.size for one in pictures) / sum(one.pixels for one in pictures) if pictures else PNG_BYTES,
        frozenset(picture.key for picture in pictures if picture.run is not own),
    )


def _seems(path: Path, row: CheckpointRow, hashes: Hashes) -> str | None:
    """The sha256 that the file seems to have."""
    now = FileIdentity.of(path)
    if row.file.proves(now):
        return row.sha256
    if seen := hashes.seems(path):
        return seen
    return row.sha256 if row.file.resembles(now) and not hashes.keeps(path) else None


def keys_in(run: Run) -> KeysOf:
    """The keys that a run's own cells have, whatever the host would say now: for a forecast without a host."""
    known = {_ident(c.cell): CellKeys(c.result.before_key or "", c.result.key) for c in run.cells if c.result.key}

    def keys(cell: Cell, sha256: str) -> CellKeys:
        return known.get(_ident(cell), NO_KEYS)

    return keys


def _ident(cell: Cell) -> tuple[object, ...]:
    return cell.checkpoint, cell.job, cell.faces


def _lacks(batch: Batch, keys: KeysOf | None, sha256: str | None, there: Shelved) -> BatchWork:
    if keys is None or sha256 is None:
        return needed(batch, batch, dict.fromkeys((cell.number for cell in batch), NO_KEYS))
    own = {cell.number: keys(cell, sha256) for cell in batch}
    todo = [cell for cell in batch if not there.keys.issuperset((own[cell.number].before, own[cell.number].last))]
    return needed(batch, todo, own).lacking(there, is_fresh=len(todo) == len(batch))


class _Picture(NamedTuple):
    """A picture of a run folder, before the face pass or last, that is still there."""

    run: Run
    key: str
    size: int  # bytes
    pixels: int


def _pictures(run: Run) -> Iterator[_Picture]:
    for cell in run.cells:
        done = cell.result
        if done.outcome in (Outcome.PENDING, Outcome.FAILED):
            continue
        for path, key in ((done.before, done.before_key), (done.image, done.key)):
            if path is None or key is None:
                continue
            try:
                size = os.stat(f"{run.folder}/{path}").st_size  # noqa: PTH116  a Path for each costs more than the rest
            except OSError:  # gone since
                continue
            yield _Picture(run, key, size, cell.cell.job.width * cell.cell.job.height)


def _disk_bytes(visits: Sequence[Visit], cells: Sequence[Cell], png_bytes: float) -> int:
    """Each picture as PNG and thumbnail; each cell once more on the sheets, before and after."""
    draws = [draw for visit in visits for draw in visit.draws]
    jobs = [job for draw in draws for job in (*draw.jobs, *(cell.job for cell in draw.faces))]
    has_faces = any(cell.faces for cell in cells)
    on_sheets = [cell.job for cell in cells] * (2 if has_faces else 1) if draws else []
    pixels = sum(job.width * job.height for job in (*jobs, *on_sheets))
    return round(pixels * png_bytes + len(jobs) * THUMB_BYTES)
