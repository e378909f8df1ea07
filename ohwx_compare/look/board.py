"""A run as a person looks at it: columns, rows in groups of one prompt, and what came of each cell in words.

Sheet and page are both made from it. No model is needed: the ledger has everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.outcome import FaceRecord, Fate, Outcome
from ohwx_compare.files.ledger.rows import Result, Run, RunCell
from ohwx_compare.look.arrangement import Arrangement, arranged
from ohwx_compare.words import counted

__all__ = [
    "Board",
    "Column",
    "Row",
    "RowGroup",
    "board_of",
    "counted_values",
    "face_caption",
    "in_words",
    "summary",
]

_NOUNS: Mapping[str, str] = MappingProxyType(  # what one value of an axis is called
    {
        **{kind: kind for kind in ("checkpoint", "prompt", "seed", "sampler", "schedule")},
        **{"prompt s/r": "wording", "styles": "style choice", "cfg": "CFG value", "steps": "step count"},
        "face pass": "face pass setting",
    }
)


@dataclass(frozen=True)
class Column:
    """One column: its label, and its checkpoint's hash where checkpoints are the columns and it is known."""

    label: str
    hash: str | None = None  # hex digits of the sha256, all of them where the file was used, else those that were named


@dataclass(frozen=True)
class Row:
    """One row: its label and its cells, one a column."""

    label: str
    cells: tuple[RunCell, ...]


@dataclass(frozen=True)
class RowGroup:
    """Neighbouring rows of one prompt; both texts are "" where they differ between the columns."""

    prompt: str
    negative: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Board:
    """The whole grid."""

    run: Run
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    chosen: Arrangement | None = None  # None: as it was planned

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, over groups."""
        return tuple(row for group in self.groups for row in group.rows)

    @property
    def cells(self) -> tuple[RunCell, ...]:
        """All cells, row by row."""
        return tuple(cell for row in self.rows for cell in row.cells)

    @property
    def has_face_pass(self) -> bool:
        """Whether any cell has a picture after the face pass."""
        return any(cell.result.after for cell in self.cells)


def board_of(run: Run, chosen: Arrangement | None = None) -> Board:
    """Arrange a run, finished or not: as chosen, or as planned. Neighbouring rows of one prompt stand together."""
    shown = chosen or arranged(run)
    axes = run.experiment.axes
    lines = [tuple(run.cells[number - 1] for number in line) for line in shown.lines]
    rows = [Row(_row_label(axes, shown.rows, line), line) for line in lines]
    groups = [
        RowGroup(*key, tuple(members))
        for key, members in groupby(rows, key=lambda row: (_same(row, "prompt"), _same(row, "negative")))
    ]
    columns = tuple(_column(run, shown.columns, cell) for cell in (lines[0] if lines else ()))
    return Board(run, columns, tuple(groups), chosen)


def face_caption(result: Result) -> str:
    """What came of the face pass in a few words; "" where there was none."""
    faces = [face for face in result.faces if face.fate is Fate.INPAINTED]
    if result.outcome is Outcome.FACES:
        return f"{'face' if len(faces) == 1 else 'faces'} {_confidences(faces)}"
    return result.outcome.value if result.outcome in (Outcome.NO_FACE, Outcome.NONE_KEPT) else ""


def in_words(result: Result) -> str:
    """What came of a cell as a sentence, detectors and reasons included."""
    by_fate = {fate: [face for face in result.faces if face.fate is fate] for fate in Fate}
    detectors = ", ".join(dict.fromkeys(face.detector for face in result.faces))
    if result.outcome is Outcome.FAILED:
        return f"Failed: {result.error or 'no reason was recorded'}"
    if result.outcome is Outcome.PENDING:
        return "Not generated yet"
    if result.outcome is Outcome.DRAWN:
        return "Generated without a face pass"
    if not result.faces:
        return "No face found; the picture is unchanged"
    said = [
        f"{counted(len(faces), 'face')} {fate.value} ({_confidences(faces)}{_reasons(faces)})"
        for fate, faces in by_fate.items()
        if faces
    ]
    return f"{', '.join(said)}; found by {detectors}"


def summary(run: Run, cells: Sequence[RunCell] | None = None) -> str:
    """How large the experiment is in words, or what is shown of it."""
    axes = run.experiment.axes
    counts = [
        len(axis.values) if cells is None else len({cell.cell.coordinates[i] for cell in cells})
        for i, axis in enumerate(axes)
    ]
    told = [(axis.kind, count) for axis, count in zip(axes, counts, strict=True)]
    return " × ".join(counted_values(kind, count) for kind, count in told if count > 1 or kind == "checkpoint")


def counted_values(kind: str, count: int) -> str:
    """So many values of an axis: "2 checkpoints", "3 wordings", "1 face denoise value"."""
    return counted(count, _NOUNS.get(kind, f"{kind} value"))


def _row_label(axes: Sequence[Axis], down: Sequence[int], line: Sequence[RunCell]) -> str:
    cell = line[0].cell
    labels = [cell.labels[i] for i in down if axes[i].kind != "prompt"]
    return " · ".join(labels) or f"seed {cell.job.seed}"


def _same(row: Row, field: str) -> str:
    own = [cell for cell in row.cells if not cell.cell.is_control]  # a control's prompt names the class instead
    texts = {getattr(cell.cell.job, field) for cell in own or row.cells}
    return texts.pop() if len(texts) == 1 else ""


def _column(run: Run, axes: Sequence[int], top: RunCell) -> Column:
    values = [run.experiment.axes[i].values[top.cell.coordinates[i]] for i in axes]
    label = " · ".join(run.experiment.labels_of(i)[top.cell.coordinates[i]] for i in axes)
    ref = values[0] if len(values) == 1 else None
    if not isinstance(ref, CheckpointRef):
        return Column(label)
    used = next((row.sha256 for row in run.checkpoints if row.ref == str(ref)), None)
    return Column(label, used or ref.short_hash)


def _confidences(faces: Sequence[FaceRecord]) -> str:
    return ", ".join(f"{face.confidence:.2f}" for face in faces)


def _reasons(faces: Sequence[FaceRecord]) -> str:
    reasons = dict.fromkeys(face.reason for face in faces if face.reason)
    return f": {'; '.join(reasons)}" if reasons else ""
