"""`ohwx judge`: which checkpoint to keep, in numbers and a sentence, from a finished run and photographs."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.drawing import add_ray_flags, measuring
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import folders_of_detectors, require_device, require_file
from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.measure import UNET_CALLS

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.judge.run.judging import JudgeRequest

__all__ = ["add_flags"]


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
    _add_ways(parser)
    parser.add_argument(
        "--styles-out",
        metavar="DIR",
        type=Path,
        help="also write a styles.csv for each checkpoint, of the run's styles that it still draws",
    )
    parser.add_argument("--adopt", action="store_true", help="take over a run folder that was made elsewhere or copied")
    parser.add_argument("--device", help="where to compute: cpu, cuda, ... (default: cpu; with --ray a worker's own)")
    add_ray_flags(parser, "measure the pictures", sends=False)
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON instead of Markdown")
    parser.set_defaults(run=run)


def _add_ways(parser: argparse.ArgumentParser) -> None:
    """How pictures are looked at and compared."""
    parser.add_argument(
        "--detectors", metavar="DIR", type=Path, action="append", default=[], help="folder of detectors; repeatable"
    )
    parser.add_argument(
        "--detector",
        metavar="NAME",
        help="face detector to measure with (default: the run's own, else face_yolov8n.pt, else OpenCV's frontal-face "
        "cascade, and the report says so)",
    )
    parser.add_argument(
        "--face-net",
        metavar="FILE",
        type=Path,
        help="face network of ArcFace's kind (.onnx) in place of dlib's; needs the extra [onnx], and dlib's landmarks",
    )
    parser.add_argument(
        "--clip",
        metavar="FILE",
        type=Path,
        help="CLIP weights (open_clip's, .safetensors): CLIP-I and CLIP-T beside the answer; needs the extra [clip]",
    )
    parser.add_argument(
        "--csd",
        metavar="FILE",
        type=Path,
        help="weights of contrastive style descriptors (.safetensors): CSD beside the answer; needs the extra [clip]",
    )
    parser.add_argument(
        "--clip-model", metavar="NAME", default="ViT-L-14", help="open_clip's name of their model (default: ViT-L-14)"
    )
    parser.add_argument("--class-token", metavar="WORDS", help='token and class in the prompts: "ohwx man"')
    parser.add_argument(
        "--band", metavar="B", type=_band, help="differences up to this do not matter, of a scale of 1 (default: 0.05)"
    )
    parser.add_argument(
        "--second-opinion",
        action="store_true",
        help=f"also ask the base's UNet whether the style was kept: {UNET_CALLS} calls a picture, see `ohwx plan`",
    )


def run(options: argparse.Namespace) -> int:
    """Score, judge and write the report. Returns the exit status."""
    from ohwx_compare.files.ledger.reader import open_run
    from ohwx_compare.judge.run.judging import judge_folder
    from ohwx_compare.judge.run.still_drawn import styles_still_drawn, write_still_drawn
    from ohwx_compare.look.report.markdown import judgement_markdown
    from ohwx_compare.look.report.numbers import judgement_json
    from ohwx_compare.look.report.page import write_judgement

    if not options.ray:
        require_device(options.device)
    elif options.second_opinion:
        raise ExperimentError(
            "--second-opinion is not shared out by --ray; judge with --ray first, then with --second-opinion alone, on "
            "a machine with a GPU. Only that is measured then."
        )
    _require_folders(options)
    bar = Bar()
    with closing(bar), CtrlC(bar.say) as asked, measuring(options) as scorers:
        found = judge_folder(_request(options), bar, lambda: asked.asked, scorers)
    markdown = judgement_markdown(found)
    written: tuple[Path, ...] = write_judgement(found, markdown)
    if options.styles_out:
        axes = open_run(options.folder).experiment.axes
        written = (*written, *write_still_drawn(styles_still_drawn(found, axes), options.styles_out))
    if options.json:
        print_json({**judgement_json(found), "report": [str(path) for path in written]})
    else:
        print(markdown)
        print(*written, sep="\n")
    return 0


def _request(options: argparse.Namespace) -> "JudgeRequest":
    from ohwx_compare.judge.run.judging import JudgeRequest
    from ohwx_compare.judge.run.measures import Given, folders_given
    from ohwx_compare.judge.verdict import BAND
    from ohwx_compare.judge.weights import weights_folders

    near = options.checkpoints or Path("models/Stable-diffusion")
    return JudgeRequest(
        folder=options.folder,
        given=Given(
            photos=folders_given(options.photos), held_out=options.held_out,
            negatives=folders_given(options.negatives), base=options.base,
            weights=tuple(weights_folders(options.checkpoints)), face_net=options.face_net,
            device="cpu" if options.ray else options.device or "cpu",
            second_opinion=options.second_opinion, clip=options.clip, csd=options.csd, clip_model=options.clip_model,
        ),
        checkpoints=options.checkpoints,
        detectors=tuple(folders_of_detectors(options.detectors, near)),
        detector=options.detector or "",
        class_token=options.class_token or "",
        band=BAND if options.band is None else options.band,
        adopt=options.adopt,
    )  # fmt: skip


def _require_folders(options: argparse.Namespace) -> None:
    """Raise ExperimentError for a folder or file that was named and is not there."""
    if not options.folder.is_dir():
        raise ExperimentError(f"There is no folder {options.folder}; name a run folder, or a folder of pictures.")
    for flag in ("photos", "held_out", "negatives", "checkpoints"):
        path = getattr(options, flag)
        if path is not None and not path.is_dir():
            raise ExperimentError(f"--{flag.replace('_', '-')}: there is no folder {path}; give an existing one.")
    files = {
        "base": "give the checkpoint that the trainings began from",
        **dict.fromkeys(("face_net", "clip", "csd"), "give weights that you have, or leave the flag out"),
    }
    for flag, remedy in files.items():
        require_file(getattr(options, flag), f"--{flag.replace('_', '-')}", remedy)


def _band(text: str) -> float:
    """The number in `text`, for argparse. Raises ArgumentTypeError for anything but 0 to 1, without 0."""
    from ohwx_compare.cli.options import share

    value = share(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be more than 0: no two trainings are the same to the last digit")
    return value
