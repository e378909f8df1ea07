"""`ohwx judge`: which checkpoint to keep, in numbers and a sentence, from a finished run and photographs."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import folders_of_detectors, require_device
from ohwx_compare.errors import ExperimentError

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector
    from ohwx_compare.files.ledger.measures import VoteRow
    from ohwx_compare.judge.run.pictures import JudgedRun

__all__ = ["add_flags"]

_DETECTOR = "face_yolov8n.pt"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Say which checkpoint of a comparison to keep: measure every picture, compare the trainings style by style, "
        "and write a report (judge.html and judge.md) into the folder. What the run folder and the recipe beside its "
        "checkpoints tell need not be said again. A second call measures only what is new."
    )
    parser.epilog = "example: ohwx judge my-comparison --photos photos/me --held-out photos/me-not-trained-on"
    parser.add_argument(
        "folder",
        metavar="RUN",
        type=Path,
        help="run folder of `ohwx compare`, or any folder of pictures with infotexts",
    )
    parser.add_argument(
        "--photos",
        metavar="DIR",
        type=Path,
        help="photographs of the person (default: those that the recipe trains on)",
    )
    parser.add_argument(
        "--held-out", metavar="DIR", type=Path, help="photographs of the person that were not trained on"
    )
    parser.add_argument(
        "--negatives",
        metavar="DIR",
        type=Path,
        help="photographs of other people, for a floor where the run has no picture of the base (default: the recipe's "
        "regularization images)",
    )
    parser.add_argument(
        "--base",
        metavar="FILE",
        type=Path,
        help="checkpoint that the trainings began from, where neither the run nor a record in the checkpoints tells it",
    )
    parser.add_argument(
        "--checkpoints", metavar="DIR", type=Path, help="folder of checkpoints, where the run's files have moved"
    )
    parser.add_argument(
        "--detectors", metavar="DIR", type=Path, action="append", default=[], help="folder of detectors; repeatable"
    )
    parser.add_argument(
        "--detector",
        metavar="NAME",
        help=f"face detector to measure with (default: the run's own, else {_DETECTOR}). Without it OpenCV's "
        "frontal-face cascade is used, and the report says so",
    )
    parser.add_argument("--class-token", metavar="WORDS", help='token and class in the prompts: "ohwx man"')
    parser.add_argument(
        "--band", metavar="B", type=_band, help="differences up to this do not matter, of a scale of 1 (default: 0.05)"
    )
    parser.add_argument("--adopt", action="store_true", help="take over a run folder that was made elsewhere or copied")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu, cuda, ... (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON instead of Markdown")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Score, judge and write the report. Returns the exit status."""
    from ohwx_compare.files.checkpoint import sha256
    from ohwx_compare.judge.run.judgement import judge_scores, require_comparable
    from ohwx_compare.judge.run.measures import Given, base_file, given_by_recipe, measures_for
    from ohwx_compare.judge.run.pictures import with_class_token
    from ohwx_compare.judge.run.scoring import score_run
    from ohwx_compare.judge.run.trained import trained_in
    from ohwx_compare.judge.verdict import BAND
    from ohwx_compare.judge.weights import weights_folders
    from ohwx_compare.look.report.markdown import judgement_markdown
    from ohwx_compare.look.report.numbers import judgement_json
    from ohwx_compare.look.report.page import write_judgement

    require_device(options.device)
    _require_folders(options)
    judged, votes, detector_name = _opened(options)
    given = given_by_recipe(
        judged,
        Given(
            photos=options.photos, held_out=options.held_out, negatives=options.negatives, base=options.base,
            weights=tuple(weights_folders(options.checkpoints)), device=options.device,
        ),
    )  # fmt: skip
    trained = trained_in(judged, sha256(given.base) if given.base else "", options.checkpoints)
    require_comparable(judged, trained)
    judged = with_class_token(judged, trained.class_token)
    given = base_file(judged, trained.bases, given)
    made = measures_for(judged, trained.bases, given, lambda: _detector(options, detector_name))
    bar = Bar()
    with CtrlC(bar.say) as asked:
        try:
            scored = score_run(judged, made.measures, trained.bases, bar, lambda: asked.asked, adopt=options.adopt)
        finally:
            bar.close()
    band = BAND if options.band is None else options.band
    found = judge_scores(judged, trained, scored, band=band, votes=votes, missing=made.missing)
    markdown = judgement_markdown(found)
    written = write_judgement(found, markdown)
    if options.json:
        print_json({**judgement_json(found), "report": [str(path) for path in written]})
    else:
        print(markdown)
        print(*written, sep="\n")
    return 0


def _opened(options: argparse.Namespace) -> "tuple[JudgedRun, tuple[VoteRow, ...], str]":
    """What is judged, with what went wrong in it unsaid, the votes on it, and the detector that its face pass used."""
    from ohwx_compare.files.ledger.measures import read_votes
    from ohwx_compare.files.ledger.reader import open_run
    from ohwx_compare.files.ledger.schema import LEDGER_FILE
    from ohwx_compare.judge.failures import found_in
    from ohwx_compare.judge.run.pictures import judged_folder, judged_run

    token = options.class_token or ""
    if not (options.folder / LEDGER_FILE).is_file():
        return judged_folder(options.folder, class_token=token), (), _DETECTOR
    opened = open_run(options.folder)
    used = [tab.model for tab in opened.experiment.faces if tab.model != "None"]
    judged = judged_run(opened, token)
    failures = tuple(finding.sentence for finding in found_in(opened))
    judged = replace(judged, missing=(*judged.missing, *failures))
    return judged, read_votes(options.folder), used[0] if used else _DETECTOR


def _detector(options: argparse.Namespace, name: str) -> "Detector":
    from ohwx_compare.engine.detect import find_detector

    near = options.checkpoints or Path("models/Stable-diffusion")
    folders = folders_of_detectors(options.detectors, near)
    return find_detector(options.detector or name, folders, device=options.device)


def _require_folders(options: argparse.Namespace) -> None:
    """Raise ExperimentError for a folder or file that was named and is not there."""
    if not options.folder.is_dir():
        raise ExperimentError(f"There is no folder {options.folder}; name a run folder, or a folder of pictures.")
    for flag in ("photos", "held_out", "negatives", "checkpoints"):
        path = getattr(options, flag)
        if path is not None and not path.is_dir():
            raise ExperimentError(f"--{flag.replace('_', '-')}: there is no folder {path}; give an existing one.")
    if options.base is not None and not options.base.is_file():
        raise ExperimentError(
            f"--base: there is no file {options.base}; give the checkpoint that the trainings began from."
        )


def _band(text: str) -> float:
    """The number in `text`, for argparse. Raises ArgumentTypeError for anything but 0 to 1, without 0."""
    from ohwx_compare.cli.options import share

    value = share(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be more than 0: no two trainings are the same to the last digit")
    return value
