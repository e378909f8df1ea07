"""A run as a person looks at it: columns, rows in groups of one prompt, and what came of each cell in words.

Sheet and page are both made from it. No model is needed: the ledger has everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from types import MappingProxyType

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.outcome import FaceRecord, Fate, Outcome
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.ledger.rows import Result, Run, RunCell
from ohwx_compare.words import counted

__all__ = [
    "Board",
    "Column",
    "Row",
    "RowGroup",
    "board_of",
    "face_caption",
    "face_words",
    "in_words",
    "job_words",
    "summary",
]

_PROMPTS = ("prompt", "prompt s/r")
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

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, over groups."""
        return tuple(row for group in self.groups for row in group.rows)

    @property
    def has_face_pass(self) -> bool:
        """Whether any cell has a picture after the face pass."""
        return any(cell.result.after for cell in self.run.cells)


def board_of(run: Run) -> Board:
    """Arrange a run, finished or not. Axes that change the prompt vary slowest, so that its rows stand together."""
    axes = run.experiment.axes
    across = run.experiment.column_axis or 0
    down = [i for i in range(len(axes)) if i != across]
    down.sort(key=lambda i: axes[i].kind not in _PROMPTS)
    cells = {cell.cell.coordinates: cell for cell in run.cells}
    rows = []
    for chosen in product(*(range(len(axes[i].values)) for i in down)):
        at = dict(zip(down, chosen, strict=True))
        line = [cells[tuple((at | {across: c})[i] for i in range(len(axes)))] for c in range(len(axes[across].values))]
        rows.append(Row(_row_label(axes, down, line), tuple(line)))
    groups = [
        RowGroup(*key, tuple(members))
        for key, members in groupby(rows, key=lambda row: (_same(row, "prompt"), _same(row, "negative")))
    ]
    columns = tuple(_column(run, across, c) for c in range(len(axes[across].values)))
    return Board(run, columns, tuple(groups))


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


def job_words(job: Job) -> str:
    """The settings of a picture besides its prompts, on one line."""
    schedule = "" if job.schedule == "Automatic" else f" {job.schedule}"
    sampling = f"{job.sampler}{schedule}, {counted(job.steps, 'step')}"
    words = [f"{job.width} × {job.height} px", sampling, f"CFG {job.cfg:g}"]
    if job.denoise is not None:
        words.append(f"denoise {job.denoise:g}")
    if job.subseed_strength:
        words.append(f"variation {job.subseed_strength:g}")
    return " · ".join([*words, f"{job.rng} noise"])


def face_words(tab: FaceSettings) -> str:
    """The settings of a face pass; those that change nothing are left out."""
    steps = None if tab.steps is None else counted(tab.steps, "step")
    size = None if tab.width is None or tab.height is None else f"inpainted at {tab.width} × {tab.height} px"
    words = [
        f"confidence from {tab.confidence:g}",
        _kept(tab),
        f"denoise {tab.denoise:g}",
        steps,
        None if tab.cfg is None else f"CFG {tab.cfg:g}",
        tab.sampler,
        size,
        f"mask dilated {tab.dilate} px, blurred {tab.blur} px",
        f"padding {tab.padding} px" if tab.only_masked else "whole picture inpainted",
        f"merge: {tab.merge}" if tab.merge != "None" else None,
    ]
    return f"{tab.model} · " + " · ".join(word for word in words if word)


def _kept(tab: FaceSettings) -> str | None:
    if not tab.top_k:
        return None
    most = "largest" if tab.top_k_by == "Area" else "most confident"
    return f"{most} face only" if tab.top_k == 1 else counted(tab.top_k, f"{most} face")


def summary(board: Board) -> str:
    """How large the experiment is, in words."""
    axes = [axis for axis in board.run.experiment.axes if len(axis.values) > 1 or axis.kind == "checkpoint"]
    return " × ".join(counted(len(axis.values), _NOUNS.get(axis.kind, f"{axis.kind} value")) for axis in axes)


def _row_label(axes: Sequence[Axis], down: Sequence[int], line: Sequence[RunCell]) -> str:
    cell = line[0].cell
    labels = [cell.labels[i] for i in down if axes[i].kind != "prompt"]
    return " · ".join(labels) or f"seed {cell.job.seed}"


def _same(row: Row, field: str) -> str:
    own = [cell for cell in row.cells if not cell.cell.is_control]  # a control's prompt names the class instead
    texts = {getattr(cell.cell.job, field) for cell in own or row.cells}
    return texts.pop() if len(texts) == 1 else ""


def _column(run: Run, axis: int, at: int) -> Column:
    value, label = run.experiment.axes[axis].values[at], run.experiment.labels_of(axis)[at]
    if not isinstance(value, CheckpointRef):
        return Column(label)
    used = next((row.sha256 for row in run.checkpoints if row.ref == str(value)), None)
    return Column(label, used or value.short_hash)


def _confidences(faces: Sequence[FaceRecord]) -> str:
    return ", ".join(f"{face.confidence:.2f}" for face in faces)


def _reasons(faces: Sequence[FaceRecord]) -> str:
    reasons = dict.fromkeys(face.reason for face in faces if face.reason)
    return f": {'; '.join(reasons)}" if reasons else ""
