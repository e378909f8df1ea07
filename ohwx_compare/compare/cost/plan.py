"""What a run would generate, counted beforehand; what its folder holds already is left out.

The batches and what they lack are those of `compare/work.py`, as in a run; each checkpoint is loaded once and only
where it is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohwx_compare.compare.batches import Batch, batches, by_checkpoint
from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.compare.loads import looks_unchanged
from ohwx_compare.compare.resolve import Resolve
from ohwx_compare.compare.work import NO_KEYS, BatchWork, CellKeys, KeysOf, needed
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.key_text import Forms
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import UnknownCheckpointError
from ohwx_compare.files.ledger.rows import Run

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


def shelved(own: Run | None, lenders: Sequence[Run] = ()) -> Shelved:
    """What the run's own folder holds, and what other folders lend to it.

    This is a forecast, so checkpoint files are compared by size and time alone; a run looks at their bytes.
    """
    runs = [*([own] if own else []), *lenders]
    sizes = [(path.stat().st_size, pixels) for run in runs for path, _, pixels in _pictures(run)]
    rows = [row for run in runs for row in run.checkpoints]
    lent = frozenset(key for run in lenders for _, key, _ in _pictures(run))
    return Shelved(
        lent | {key for _, key, _ in (_pictures(own) if own else ())},
        {Path(row.path).resolve(): row.sha256 for row in rows if looks_unchanged(row)},
        sum(size for size, _ in sizes) / sum(pixels for _, pixels in sizes) if sizes else PNG_BYTES,
        lent,
    )


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


def _pictures(run: Run) -> list[tuple[Path, str, int]]:
    """Path, key and px of every picture that is still there, before the face pass and last."""
    done = [cell for cell in run.cells if cell.result.outcome not in (Outcome.PENDING, Outcome.FAILED)]
    named = [
        (run.folder / path, key, cell.cell.job.width * cell.cell.job.height)
        for cell in done
        for path, key in ((cell.result.before, cell.result.before_key), (cell.result.image, cell.result.key))
        if path and key
    ]
    return [picture for picture in named if picture[0].is_file()]


def _disk_bytes(visits: Sequence[Visit], cells: Sequence[Cell], png_bytes: float) -> int:
    """Each picture as PNG and thumbnail; each cell once more on the sheets, before and after."""
    draws = [draw for visit in visits for draw in visit.draws]
    jobs = [job for draw in draws for job in (*draw.jobs, *(cell.job for cell in draw.faces))]
    has_faces = any(cell.faces for cell in cells)
    on_sheets = [cell.job for cell in cells] * (2 if has_faces else 1) if draws else []
    pixels = sum(job.width * job.height for job in (*jobs, *on_sheets))
    return round(pixels * png_bytes + len(jobs) * THUMB_BYTES)
