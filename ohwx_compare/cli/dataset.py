"""`ohwx dataset`: what is wrong with a set of training pictures: a report, contact sheets, crops that keep faces."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.options import folders_of_detectors, require_device, require_folder
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.json_file import json_text
from ohwx_compare.words import counted

if TYPE_CHECKING:  # loads torch
    from PIL import Image

    from ohwx_compare.core.buckets import Buckets
    from ohwx_compare.core.geometry import Box
    from ohwx_compare.doctor.examine import SetPicture
    from ohwx_compare.doctor.facts import PictureFacts
    from ohwx_compare.doctor.findings import PictureFindings
    from ohwx_compare.engine.detect import Detector

__all__ = ["add_flags"]

_CONFIDENCE = 0.4  # least, of a face


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Look at every picture of a training or regularization set: files that cannot be read, faces that the crop "
        "cuts, small faces, blur, near-duplicates, long captions, what the whole set lacks or repeats. The report's "
        "folder gets report.json and a contact sheet for each problem. A second call resumes where the first was "
        "stopped. The pictures themselves are never changed."
    )
    parser.epilog = "example: ohwx dataset img --report img-report --crops img-cropped"
    parser.add_argument("folder", metavar="DIR", type=Path, help="pictures, or folders of them such as 1_ohwx man")
    parser.add_argument(
        "--report", metavar="DIR", type=Path, help="where the report goes (default: DIR-report, beside DIR)"
    )
    parser.add_argument(
        "--crops", metavar="DIR", type=Path,
        help="also write each picture here, cropped to a common SDXL size around its faces, with its caption",
    )  # fmt: skip
    parser.add_argument("--resolution", metavar="PX", type=int, default=1024, help="of the training (default: 1024)")
    parser.add_argument("--no-upscale", action="store_true", help="buckets as of bucket_no_upscale")
    parser.add_argument("--recipe", metavar="FILE", type=Path, help="take size and buckets from this recipe instead")
    parser.add_argument("--detector", metavar="NAME", help="see `ohwx sort`")
    parser.add_argument(
        "--detectors", metavar="DIR", type=Path, action="append", default=[], help="folder of detectors; repeatable"
    )
    parser.add_argument("--device", default="cpu", help="where to compute: cpu, cuda, ... (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


class _Faces:
    """A detector, asked for one picture's boxes."""

    def __init__(self, detector: "Detector") -> None:
        self.name, self.detector = detector.name, detector

    def __call__(self, image: "Image.Image") -> "tuple[Box, ...]":
        return tuple(one.box for one in self.detector.detect([image], _CONFIDENCE)[0])


def run(options: argparse.Namespace) -> int:
    """Look, report, crop. The status is 1 where a picture could not be read."""
    from ohwx_compare.doctor.examine import examined, set_pictures
    from ohwx_compare.doctor.findings import findings_of, placed

    report = options.report or options.folder.with_name(f"{options.folder.absolute().name}-report")
    require_folder(report, "--report")
    _require_apart(options.folder, {"--report": report, "--crops": options.crops})
    places, buckets = set_pictures(options.folder), _buckets(options)
    require_device(options.device)  # loads torch
    every: list[tuple[SetPicture, PictureFacts, PictureFindings]] = []
    with _held(report):
        faces = _Faces(_detector(options))
        for place, facts in examined(places, report, faces):
            every.append((place, facts, findings_of(facts, None if facts.error else placed(buckets, facts.size))))
            if options.crops and not facts.error:
                _crop(place, facts, options.crops)
            _tell(len(every), len(places))
        answer = {"detector": faces.name, **_report(every)}
        _write(report, every, answer, buckets)
    print_json(answer) if options.json else _say(answer, report, len(every))
    return 1 if answer["problems"].get("unread") else 0


def _tell(looked: int, total: int) -> None:
    """About twenty lines a set, which the webui's tab reads too."""
    if looked % max(1, total // 20) == 0 or looked == total:
        print(f"{looked} of {counted(total, 'picture')} looked at", file=sys.stderr, flush=True)


def _buckets(options: argparse.Namespace) -> "Buckets":
    """Those of the recipe's concept of this folder, else of its first one; without a recipe, as the flags say."""
    from ohwx_compare.core.buckets import Buckets

    side = options.resolution
    if not 64 <= side <= 4096:
        raise ExperimentError(f"--resolution is {side}, expected 64 to 4096 px.")
    if not options.recipe:
        return Buckets(resolution=(side, side), no_upscale=options.no_upscale)
    from ohwx_compare.train.plan.reading import buckets_of
    from ohwx_compare.train.recipe.concepts import concepts_of
    from ohwx_compare.train.recipe.recipe import read_recipe

    concepts = concepts_of(read_recipe(options.recipe))
    wanted = options.folder.absolute()
    return buckets_of(next((one for one in concepts if one.folder and Path(one.folder) == wanted), concepts[0]))


@contextmanager
def _held(report: Path) -> Iterator[None]:
    """One look writes into a report's folder at a time."""
    from ohwx_compare.files.lock import hold

    report.mkdir(parents=True, exist_ok=True)
    try:
        held = hold(report)
    except BlockingIOError as error:
        raise ExperimentError(f"Another `ohwx dataset` writes into {report}; wait for it, or stop it.") from error
    with held:
        yield


def _detector(options: argparse.Namespace) -> "Detector":
    from ohwx_compare.engine.detect import Yolo, find_detector

    name = options.detector
    if name and Path(name).is_file():
        return Yolo(Path(name), device=options.device)
    folders = folders_of_detectors(options.detectors, Path("models/Stable-diffusion"))
    if name:
        return find_detector(name, folders, device=options.device)
    wanted = "face_yolov8n.pt"
    if any((folder / wanted).is_file() for folder in folders):
        return find_detector(wanted, folders, device=options.device)
    print(f"There is no {wanted}; opencv-frontalface looks for faces, and misses more of them.", file=sys.stderr)
    return find_detector("opencv-frontalface", folders)


def _require_apart(folder: Path, others: dict[str, Path | None]) -> None:
    """Nothing is written among the pictures."""
    inside = folder.resolve()
    for flag, other in others.items():
        if other is not None and (other.resolve() == inside or inside in other.resolve().parents):
            raise ExperimentError(f"{flag} {other} lies in {folder}, among the pictures; choose a folder beside it.")


def _report(every: "Sequence[tuple[SetPicture, PictureFacts, PictureFindings]]") -> dict[str, Any]:
    """All that was found, as JSON values."""
    from ohwx_compare.doctor.findings import PROBLEMS, diagnose, duplicates

    alike = set(duplicates([facts.small for _, facts, _ in every]))
    named = [[*finding.problems, *(["duplicates"] if at in alike else [])] for at, (*_, finding) in enumerate(every)]
    pictures = [
        {
            "number": at, "file": place.inside, "problems": problems, "error": facts.error or None,
            "width": facts.size[0], "height": facts.size[1], "faces": [list(map(round, f.xyxy)) for f in facts.faces],
            "shot": finding.shot or None, "bucket": list(finding.bucket), "cut_away": finding.away,
            "face_px": finding.face, "enlargement": finding.enlargement, "blur": facts.blur, "tokens": facts.tokens,
        }
        for at, ((place, facts, finding), problems) in enumerate(zip(every, named, strict=True))
    ]  # fmt: skip
    by_problem = {name: [at for at, one in enumerate(named) if name in one] for name in PROBLEMS}
    return {
        "pictures": pictures,
        "problems": {name: places for name, places in by_problem.items() if places},
        "shots": dict(Counter(finding.shot for *_, finding in every if finding.shot)),
        "buckets": dict(Counter("x".join(map(str, finding.bucket)) for *_, finding in every if any(finding.bucket))),
        "set": diagnose([facts for _, facts, _ in every], [finding for *_, finding in every]),
    }


def _write(
    report: Path,
    every: "Sequence[tuple[SetPicture, PictureFacts, PictureFindings]]",
    answer: dict[str, Any],
    buckets: "Buckets",
) -> None:
    from ohwx_compare.doctor.contact import sheet_name, write_contact_sheet
    from ohwx_compare.doctor.findings import kept_window, placed
    from ohwx_compare.files.atomic import write_text

    def shown(at: int) -> "tuple[int, Path, tuple[Box, ...], tuple[float, ...]]":
        place, facts, _ = every[at]
        placement = None if facts.error else placed(buckets, facts.size)
        return at, place.path, facts.faces, kept_window(placement) if placement else ()

    for old in report.glob("*.jpg"):
        old.unlink()
    for name, places in answer["problems"].items():
        write_contact_sheet(report / sheet_name(name), map(shown, places))
    write_text(report / "report.json", json_text(answer) + "\n")


def _crop(place: "SetPicture", facts: "PictureFacts", crops: Path) -> None:
    """Write one crop, if it is not there, behind its caption: a crop that is there is whole."""
    from ohwx_compare.doctor.crops import keep_faces
    from ohwx_compare.files.atomic import write_text
    from ohwx_compare.files.dataset import ReadingRules, load_picture

    path = crops / (place.inside if place.inside.endswith(".png") else f"{place.inside}.png")
    if path.exists():
        return
    if facts.caption and facts.caption != place.words:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path.with_suffix(".txt"), facts.caption + "\n")
    keep_faces(load_picture(place.path, ReadingRules()), facts.faces, path)


def _say(answer: dict[str, Any], report: Path, count: int) -> None:
    from ohwx_compare.doctor.findings import PROBLEMS

    print(
        f"{counted(count, 'picture')}: {', '.join(f'{n} {shot}' for shot, n in answer['shots'].items()) or 'no face'}"
    )
    for name, places in answer["problems"].items():
        files = [answer["pictures"][at]["file"] for at in places]
        more = f" and {len(files) - 5} more" if len(files) > 5 else ""
        print(f"{name}: {len(files)} ({PROBLEMS[name]}): {', '.join(files[:5])}{more}")
    for sentence in answer["set"]:
        print(sentence)
    print(f"The report and a contact sheet for each problem are in {report}.")
