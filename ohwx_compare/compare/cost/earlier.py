"""How long a planned run will take, estimated from what earlier runs took here.

Sampling dominates, and its time grows with steps times px; a run folder holds the seconds of every generated cell.
They do not include loading checkpoints.
"""

from collections.abc import Iterable
from itertools import groupby

from ohwx_compare.compare.batches import cells_by_job
from ohwx_compare.compare.cost.plan import ComparisonPlan
from ohwx_compare.core.experiment.outcome import Fate
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.steps import expected_faces, face_steps, picture_steps
from ohwx_compare.files.ledger.rows import Run, RunCell

__all__ = ["pace", "seconds_at"]


def pace(runs: Iterable[Run]) -> float | None:
    """Seconds for one step of one px, over all generated cells of `runs`; None where there are none."""
    seconds = work = 0.0
    for run in runs:
        timed = [cell for cell in run.cells if cell.result.seconds is not None]
        seconds += sum(cell.result.seconds or 0.0 for cell in timed)
        for _, group in groupby(timed, key=lambda cell: cell.cell.checkpoint):
            cells = list(group)
            work += sum(map(_picture, cells_by_job(cell.cell for cell in cells))) + sum(map(_faces_drawn, cells))
    return seconds / work if work else None


def seconds_at(pace: float, plan: ComparisonPlan) -> float:
    """Seconds for what `plan` lacks, without loads; each tab counts as many faces as its top k allows, or one."""
    draws = [draw for visit in plan.visits for draw in visit.draws]
    faces = sum(
        expected_faces(tab) * _face(cell.job, tab) for draw in draws for cell in draw.faces for tab in cell.faces
    )
    return pace * (sum(_picture(job) for draw in draws for job in draw.jobs) + faces)


def _picture(job: Job) -> float:
    return picture_steps(job) * job.width * job.height


def _faces_drawn(cell: RunCell) -> float:
    drawn = [face.tab for face in cell.result.faces if face.fate is Fate.INPAINTED]
    return sum(_face(cell.cell.job, cell.cell.faces[tab]) for tab in drawn)


def _face(job: Job, tab: FaceSettings) -> float:
    return face_steps(job, tab) * (tab.width or job.width) * (tab.height or job.height)
