"""How long a planned run will take, told from what earlier runs took here.

Sampling dominates, and its time goes with steps times px; a run folder holds the seconds of every cell that was drawn.
Loading checkpoints is not in them.
"""

from collections.abc import Iterable
from itertools import groupby

from ohwx_compare.compare.batches import cells_by_job
from ohwx_compare.compare.cost.plan import ComparisonPlan
from ohwx_compare.core.experiment.outcome import Fate
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.ledger.rows import Run, RunCell

__all__ = ["pace", "seconds_at"]


def pace(runs: Iterable[Run]) -> float | None:
    """Seconds for one step of one px, over all cells of `runs` that were drawn; None where none was."""
    seconds = work = 0.0
    for run in runs:
        timed = [cell for cell in run.cells if cell.result.seconds is not None]
        seconds += sum(cell.result.seconds for cell in timed)
        for _, group in groupby(timed, key=lambda cell: cell.cell.checkpoint):
            cells = list(group)
            work += sum(map(_picture, cells_by_job(cell.cell for cell in cells))) + sum(map(_faces_drawn, cells))
    return seconds / work if work else None


def seconds_at(pace: float, plan: ComparisonPlan) -> float:
    """Seconds to draw what `plan` lacks, a tab being as many faces as its top k allows, or one; without loads."""
    draws = [draw for visit in plan.visits for draw in visit.draws]
    faces = sum(max(tab.top_k, 1) * _face(cell.job, tab) for draw in draws for cell in draw.faces for tab in cell.faces)
    return pace * (sum(_picture(job) for draw in draws for job in draw.jobs) + faces)


def _picture(job: Job) -> float:
    return _steps(job.steps, job.denoise) * job.width * job.height


def _faces_drawn(cell: RunCell) -> float:
    drawn = [face.tab for face in cell.result.faces if face.fate is Fate.INPAINTED]
    return sum(_face(cell.cell.job, cell.cell.faces[tab]) for tab in drawn)


def _face(job: Job, tab: FaceSettings) -> float:
    return _steps(tab.steps or job.steps, tab.denoise) * (tab.width or job.width) * (tab.height or job.height)


def _steps(steps: int, denoise: float | None) -> int:
    """img2img at denoise d runs int(d * steps) + 1 (webui, modules/sd_samplers_common.py:setup_img2img_steps)."""
    return steps if denoise is None else int(min(denoise, 0.999) * steps) + 1
