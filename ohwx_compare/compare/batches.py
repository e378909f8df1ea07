"""What is generated together: the plan fixes the batches, so that a resumed run has the same ones.

A picture of a batch differs from the same picture generated alone in the last bits of its sums; with a fixed plan two
runs are equal all the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.prompt.parts import strip_tags
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.steps import expected_faces, face_steps, picture_steps

__all__ = ["Batch", "batches", "by_checkpoint", "cells_by_job", "cost", "face_cost"]

Batch = tuple[Cell, ...]


def by_checkpoint(cells: Iterable[Cell]) -> Iterator[tuple[CheckpointRef, Batch]]:
    """Cells in the order of generation, one checkpoint at a time; each comes once."""
    for ref, group in groupby(cells, key=lambda cell: cell.checkpoint):
        yield ref, tuple(group)


def cells_by_job(cells: Iterable[Cell]) -> dict[Job, Batch]:
    """The pictures before the face pass that cells of one checkpoint need, and the cells that start from each."""
    found: dict[Job, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.job, []).append(cell)
    return {job: tuple(group) for job, group in found.items()}


def batches(cells: Iterable[Cell], limit: int) -> list[Batch]:
    """Cells of one checkpoint in the batches that generate them: at most `limit` pictures of one kind, in order.

    Cells that share a picture are in one batch with it.
    """
    groups = []
    for _, kind in groupby(cells_by_job(cells).items(), key=lambda item: _kind(item[0])):
        same = list(kind)
        groups += [same[i : i + limit] for i in range(0, len(same), limit)]
    return [tuple(cell for _, cells_of in group for cell in cells_of) for group in groups]


def cost(cells: Sequence[Cell]) -> float:
    """Sampling steps of cells of one checkpoint: each picture once, and the faces to be expected."""
    pictures = sum(map(picture_steps, cells_by_job(cells)))
    return pictures + sum(face_cost(cell.job, cell.faces) for cell in cells)


def face_cost(job: Job, tabs: Sequence[FaceSettings]) -> float:
    """Sampling steps of one picture's face pass; each tab counts as many faces as its top k allows, or one."""
    return sum(expected_faces(tab) * face_steps(job, tab) for tab in tabs)


def _kind(job: Job) -> tuple[object, ...]:
    loras = strip_tags(job.prompt)[1], strip_tags(job.hires_prompt or job.prompt)[1]
    size = (job.width, job.height, job.hires_upscaler, job.hires_scale, job.hires_width, job.hires_height)
    return (*size, job.steps, job.sampler, job.schedule, job.cfg, job.rng, job.denoise, job.vae, loras)
