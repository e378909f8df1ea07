"""From a folder of pictures to its judgement: what is given, completed by what the folder and the recipe tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ohwx_compare.core.events import Listener
from ohwx_compare.engine import detect
from ohwx_compare.engine.detect import Cascade, Detector
from ohwx_compare.errors import DetectorError
from ohwx_compare.files.detectors import has_detector
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.ledger.votes_kept import read_votes
from ohwx_compare.judge.failures import found_in
from ohwx_compare.judge.run.judgement import Judgement, judge_scores, require_comparable
from ohwx_compare.judge.run.measures import Given, base_file, given_by_recipe, measures_for
from ohwx_compare.judge.run.measuring import Scorers
from ohwx_compare.judge.run.pictures import JudgedRun, judged_folder, judged_run, with_class_token
from ohwx_compare.judge.run.scoring import score_run
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.judge.verdict import BAND

__all__ = ["USUAL_DETECTOR", "JudgeRequest", "judge_folder", "judging_detector"]

USUAL_DETECTOR = "face_yolov8n.pt"
"""Looked for where neither the user nor the run's face pass names one."""


@dataclass(frozen=True, kw_only=True)
class JudgeRequest:
    """What is judged, and how."""

    folder: Path  # a run folder, or any folder of pictures with infotexts
    given: Given
    checkpoints: Path | None = None  # a folder of them, where the run's files have moved
    detectors: tuple[Path, ...] = ()  # folders of them
    detector: str = ""  # the name of one; "" the run's own
    class_token: str = ""
    band: float = BAND
    adopt: bool = False  # take over a folder that was made elsewhere


def judge_folder(
    asked: JudgeRequest,
    on_event: Listener = lambda event: None,
    is_stopping: Callable[[], bool] = lambda: False,
    scorers: Scorers | None = None,
) -> Judgement:
    """Measure what was not measured yet, and judge. Scores go into the folder's ledger; nothing else is written.

    scorers: as `score_run` takes them. Raises MeasureError, ImageError and LedgerError for what cannot be judged,
    Interrupted where `is_stopping` says so.
    """
    judged, votes, usual = _opened(asked)
    given = given_by_recipe(judged, asked.given)
    digest = Hashes(cache_folder())
    trained = trained_in(judged, digest(given.base) if given.base else "", asked.checkpoints)
    require_comparable(judged, trained)
    judged = with_class_token(judged, trained.class_token)
    given = base_file(judged, trained.bases, given)
    detector = partial(judging_detector, asked.detector, usual, asked.detectors, given.device)
    made = measures_for(judged, trained.bases, given, detector, digest)
    scored = score_run(judged, made.measures, on_event, is_stopping, adopt=asked.adopt, scorers=scorers)
    return judge_scores(judged, trained, scored, band=asked.band, votes=votes, missing=made.missing)


def judging_detector(named: str, usual: str, folders: Sequence[Path], device: str) -> Detector:
    """The detector that was named; else the usual one, and where that is not there OpenCV's, which says so in its note.

    A comparison never falls to another detector, for its pictures would be others. Here faces are only looked for.
    Raises DetectorError for a named one that is not there, and for one that cannot be read.
    """
    if named:
        return detect.find_detector(named, folders, device=device)
    try:
        return detect.find_detector(usual, folders, device=device)
    except DetectorError:
        if has_detector(usual, folders):
            raise
    return Cascade(
        f"the face detector {usual} was not found, so OpenCV's frontal-face cascade looked for the faces; it finds "
        "upright faces of photographs, and few in drawings"
    )


def _opened(asked: JudgeRequest) -> tuple[JudgedRun, tuple[VoteRow, ...], str]:
    """What is judged, with what went wrong in it unsaid, the votes on it, and the detector that its face pass used."""
    if not (asked.folder / LEDGER_FILE).is_file():
        return judged_folder(asked.folder, class_token=asked.class_token), (), USUAL_DETECTOR
    opened = open_run(asked.folder)
    used = [tab.model for tab in opened.experiment.faces if tab.model != "None"]
    judged = judged_run(opened, asked.class_token)
    failures = tuple(finding.sentence for finding in found_in(opened))
    judged = replace(judged, missing=(*judged.missing, *failures))
    return judged, read_votes(asked.folder), used[0] if used else USUAL_DETECTOR
