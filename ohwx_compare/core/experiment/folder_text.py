"""What a run folder calls its cells and itself: texts of what was asked for, in today's form and in earlier ones."""

import hashlib

from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.key_text import Forms, canonical, told, told_each
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job

__all__ = ["CellRequests", "folder_digests"]


class CellRequests:
    """What cells ask for: checkpoint, job and face settings, without their places in the grid.

    Each distinct job and face pass is written out once.
    """

    def __init__(self) -> None:
        self._jobs: dict[Job, Forms] = {}
        self._faces: dict[tuple[FaceSettings, ...], Forms] = {}

    def of(self, cell: Cell) -> Forms:
        """`cell`'s request as a text; the same for equal requests."""
        if cell.job not in self._jobs:
            self._jobs[cell.job] = tuple(map(canonical, told(cell.job)))
        if cell.faces not in self._faces:
            self._faces[cell.faces] = tuple(map(canonical, told_each(cell.faces)))
        checkpoint, parts = canonical(str(cell.checkpoint)), (self._jobs[cell.job], self._faces[cell.faces])
        return tuple(f"[{checkpoint},{job},{faces}]" for job, faces in zip(*parts, strict=False))


def folder_digests(experiment: Experiment) -> Forms:
    """Eight digits that stand for `experiment` at the end of a folder's name; its notes ask for nothing."""
    forms = told_each((experiment.job, *experiment.faces))
    texts = (canonical({**experiment.to_dict(), "job": job, "faces": faces, "notes": []}) for job, *faces in forms)
    return tuple(hashlib.sha256(text.encode("utf-8")).hexdigest()[:8] for text in texts)
