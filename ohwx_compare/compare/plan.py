"""What a run would draw, counted before anything is drawn; what its folder holds already is left out.

It follows `compare/run.py`: the same batches, the same keys, each checkpoint loaded once and only where it is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohwx_compare.compare.batches import Batch, batches, by_checkpoint, pictures
from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.compare.resolve import Resolve
from ohwx_compare.core.experiment import Cell, Experiment
from ohwx_compare.core.job import Job
from ohwx_compare.core.keys import after_key, before_key
from ohwx_compare.core.outcome import Outcome
from ohwx_compare.errors import UnknownCheckpointError
from ohwx_compare.files.ledger import CheckpointRow, Result, Run

__all__ = ["Draw", "Plan", "Shelved", "Visit", "keys_with", "plan", "shelved"]

PNG_BYTES = 2.0  # a px, until the run folder holds pictures of its own
THUMB_BYTES = 25_000  # a JPEG of 384 px

Keys = Callable[[Cell, str], tuple[str, str]]  # cell, checkpoint sha256: keys of its picture before and of its last


@dataclass(frozen=True)
class Draw:
    """One batch's work: the pictures it lacks, and the cells whose face pass it lacks."""

    jobs: tuple[Job, ...]
    faces: tuple[Cell, ...]

    @property
    def inpaints(self) -> int:
        """Faces to be redrawn, if each tab finds as many as its top k allows, or one."""
        return sum(max(tab.top_k, 1) for cell in self.faces for tab in cell.faces)


@dataclass(frozen=True)
class Visit:
    """One checkpoint and what it draws; `checkpoint` is None where no file answers to its name."""

    checkpoint: Checkpoint | None
    draws: tuple[Draw, ...]


@dataclass(frozen=True)
class Shelved:
    """What a run folder holds already."""

    keys: frozenset[str]  # of its pictures
    sha256: Mapping[str, str]  # of the checkpoint files it knows, by reference; only of those unchanged since
    png_bytes: float  # a px, the mean of its pictures


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run's cost in things that can be counted. `visits` holds only checkpoints that have something to draw."""

    cells: int  # of the experiment, drawn already or not
    checkpoints: int
    missing: tuple[str, ...]  # checkpoints that no file answers to, as the experiment names them
    visits: tuple[Visit, ...]
    disk_bytes: int  # of the pictures, thumbnails and sheets to be written, estimated

    @property
    def renders(self) -> int:
        """Pictures to be drawn before the face pass."""
        return sum(len(draw.jobs) for visit in self.visits for draw in visit.draws)

    @property
    def inpaints(self) -> int:
        """Faces to be redrawn; see `Draw.inpaints`."""
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
    keys: Keys | None = None,
) -> Plan:
    """Count what a run of `experiment` would draw besides what is `there`.

    keys: what tells whether a cell is there; without, none is. Raises ExperimentError without a checkpoint,
    CheckpointError for a file that is not what was asked for.
    """
    cells, missing, visits = experiment.cells(), [], []
    for ref, group in by_checkpoint(cells):
        try:
            checkpoint = resolve(ref)
        except UnknownCheckpointError:
            checkpoint = None
            missing.append(str(ref))
        known = there.sha256.get(str(ref))
        found = (_lacks(b, keys if known else None, known, there.keys) for b in batches(group, batch))
        draws = tuple(draw for draw in found if draw.jobs or draw.faces)
        if draws:
            visits.append(Visit(checkpoint, draws))
    return Plan(
        cells=len(cells),
        checkpoints=len(experiment.checkpoints),
        missing=tuple(missing),
        visits=tuple(visits),
        disk_bytes=_disk_bytes(visits, cells, there.png_bytes),
    )


def shelved(run: Run) -> Shelved:
    """What the folder of `run` holds, its checkpoint files compared by size and time as a run does before it loads."""
    done = [cell for cell in run.cells if cell.result.outcome not in (Outcome.PENDING, Outcome.FAILED)]
    keyed = [(path, key) for c in done for path, key in _pictures(c.result) if (run.folder / path).is_file()]
    sized = [c for c in done if (run.folder / c.result.image).is_file()]
    pixels = sum(c.cell.job.width * c.cell.job.height for c in sized)
    return Shelved(
        frozenset(key for _, key in keyed),
        {row.ref: row.sha256 for row in run.checkpoints if _is_as_it_was(row)},
        sum((run.folder / c.result.image).stat().st_size for c in sized) / pixels if pixels else PNG_BYTES,
    )


def keys_with(fingerprint: Callable[[Job], Mapping[str, Any]], detectors: Mapping[str, str]) -> Keys:
    """Keys as a run makes them. fingerprint: the host's; detectors: name -> sha256."""

    def keys(cell: Cell, sha256: str) -> tuple[str, str]:
        before = before_key(cell.job, fingerprint(cell.job), sha256)
        if not cell.faces:
            return before, before
        return before, after_key(before, cell.faces, [detectors[tab.model] for tab in cell.faces])

    return keys


def _lacks(batch: Batch, keys: Keys | None, sha256: str | None, there: frozenset[str]) -> Draw:
    """A batch with nothing committed is drawn whole; else what is missing of it."""
    todo, jobs = list(batch), list(pictures(batch))
    if keys and sha256:
        todo = [cell for cell in batch if not there.issuperset(keys(cell, sha256))]
        asked = pictures(todo)
        lacking = [job for job, cells in asked.items() if keys(cells[0], sha256)[0] not in there]
        jobs = list(asked) if lacking and len(todo) == len(batch) else lacking
    return Draw(tuple(jobs), tuple(cell for cell in todo if cell.faces))


def _pictures(result: Result) -> list[tuple[str, str]]:
    """Path and key of a drawn cell's picture before the face pass and of its last one."""
    return [(result.before, result.before_key), (result.image, result.key)]


def _is_as_it_was(row: CheckpointRow) -> bool:
    try:
        stat = Path(row.path).stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (row.size, row.modified_ns)


def _disk_bytes(visits: Sequence[Visit], cells: Sequence[Cell], png_bytes: float) -> int:
    """Each picture as PNG and thumbnail; each cell once more on the sheets, before and after."""
    draws = [draw for visit in visits for draw in visit.draws]
    jobs = [job for draw in draws for job in (*draw.jobs, *(cell.job for cell in draw.faces))]
    has_faces = any(cell.faces for cell in cells)
    on_sheets = [cell.job for cell in cells] * (2 if has_faces else 1) if draws else []
    pixels = sum(job.width * job.height for job in (*jobs, *on_sheets))
    return round(pixels * png_bytes + len(jobs) * THUMB_BYTES)
