"""What all cells of a run share, in words for the head of its page and sheet.

What an axis varies is not among it: that stands beside the cells.
"""

from collections.abc import Iterable, Sequence

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.ledger.rows import RunCell
from ohwx_compare.words import counted

__all__ = ["noted", "settings_words"]


def settings_words(cells: Sequence[RunCell]) -> list[str]:
    """The settings that every one of `cells` (at least one) has: a line for the pictures, and one for each face tab."""
    jobs = dict.fromkeys(cell.cell.job for cell in cells)
    passes = dict.fromkeys(cell.cell.faces for cell in cells if cell.cell.faces)
    tabs = zip(*passes, strict=False)
    faces = (_shared(map(_face, dict.fromkeys(same))) for same in tabs)
    return [_shared(map(_job, jobs)), *(f"Face pass: {words}" for words in faces)]


def noted(cells: Iterable[RunCell]) -> int:
    """How many finished cells have a note that a person should read."""
    return sum(bool(cell.result.notes) and cell.result.outcome is not Outcome.FAILED for cell in cells)


def _shared(each: Iterable[list[str]]) -> str:
    first, *others = each
    return " · ".join(word for word in first if word and all(word in words for words in others))


def _job(job: Job) -> list[str]:
    return [
        f"{job.width} × {job.height} px",
        job.sampler if job.schedule == "Automatic" else f"{job.sampler} {job.schedule}",
        counted(job.steps, "step"),
        f"CFG {job.cfg:g}",
        "" if job.denoise is None else f"denoise {job.denoise:g}",
        f"variation {job.subseed_strength:g}" if job.subseed_strength else "",
        f"{job.rng} noise",
    ]


def _face(tab: FaceSettings) -> list[str]:
    """The settings of a face pass; those that change nothing are left out."""
    sized = tab.width is not None and tab.height is not None
    return [
        tab.model,
        f"confidence from {tab.confidence:g}",
        _kept(tab),
        f"denoise {tab.denoise:g}",
        "" if tab.steps is None else counted(tab.steps, "step"),
        "" if tab.cfg is None else f"CFG {tab.cfg:g}",
        tab.sampler or "",
        f"inpainted at {tab.width} × {tab.height} px" if sized else "",
        f"mask dilated {tab.dilate} px, blurred {tab.blur} px",
        f"padding {tab.padding} px" if tab.only_masked else "whole picture inpainted",
        f"merge: {tab.merge}" if tab.merge != "None" else "",
    ]


def _kept(tab: FaceSettings) -> str:
    if not tab.top_k:
        return ""
    most = "largest" if tab.top_k_by == "Area" else "most confident"
    return f"{most} face only" if tab.top_k == 1 else counted(tab.top_k, f"{most} face")
