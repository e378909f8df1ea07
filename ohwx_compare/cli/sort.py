"""`ohwx sort`: pictures in the order of their likeness to photographs of a person."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.options import folders_of_detectors, require_device, require_file, require_folder
from ohwx_compare.errors import MeasureError
from ohwx_compare.files.folder_infos import write_table
from ohwx_compare.files.gallery import pictures
from ohwx_compare.words import counted

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector
    from ohwx_compare.judge.measure import PictureMeasure
    from ohwx_compare.judge.sorting import SortedPicture

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Sort pictures by the likeness of their face to photographs of a person: print the table, most alike first, or "
        "copy the pictures under names that sort so. The number is a distance by dlib's face network (`ohwx weights "
        "likeness`) or one of your own (--face-net): less is more alike. With --unlike and --vae it is a fallback that "
        "needs no network, from 0 to 1: more is more alike. Numbers of different styles do not compare."
    )
    parser.epilog = "example: ohwx sort outputs/txt2img-images --like photos --out sorted"
    parser.add_argument("inputs", nargs="+", metavar="PATH", type=Path, help="pictures, or folders of them")
    parser.add_argument(
        "--like",
        metavar="PATH",
        type=Path,
        action="append",
        required=True,
        help="photographs of the person, or a folder of them; may be repeated",
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="copy the pictures here; no file that is there is overwritten"
    )
    parser.add_argument("--link", action="store_true", help="hard links in place of copies, where the drive has them")
    parser.add_argument(
        "--faces", choices=("largest", "best"), default="largest", help="which face of a picture counts"
    )
    parser.add_argument(
        "--detector",
        metavar="NAME",
        help="see `ohwx detect` (default: face_yolov8n.pt, else opencv-frontalface, and that is said)",
    )
    parser.add_argument(
        "--detectors", metavar="DIR", type=Path, action="append", default=[], help="folder of detectors; repeatable"
    )
    parser.add_argument("--weights", metavar="DIR", type=Path, help="folder of dlib's files (default: see the docs)")
    parser.add_argument(
        "--face-net",
        metavar="FILE",
        type=Path,
        help="face network of ArcFace's kind (.onnx) in place of dlib's; needs the extra [onnx], and dlib's landmarks",
    )
    parser.add_argument(
        "--unlike", metavar="PATH", type=Path, action="append", default=[],
        help="pictures of other people, such as regularization images, for the fallback; may be repeated",
    )  # fmt: skip
    parser.add_argument("--vae", metavar="FILE", type=Path, help="checkpoint whose VAE the fallback looks with")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu, cuda, ... (default: cpu)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print the table as CSV")
    form.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Sort, print the table, copy where asked. The status is 1 where a picture could not be read."""
    from ohwx_compare.judge.sorting import place_sorted, require_apart, sort_by

    require_device(options.device)
    if (options.vae is None) != (not options.unlike):
        raise MeasureError(
            "--unlike and --vae go together: the fallback needs both; without either dlib's network is used."
        )
    if options.face_net and options.vae:
        raise MeasureError("--face-net and --vae exclude each other: the fallback is for want of a network.")
    require_file(options.face_net, "--face-net", "give weights that you have, or leave the flag out")
    if options.out:
        require_folder(options.out)
        require_apart(options.inputs, options.out)
    found = pictures(options.inputs)
    measure = _fallback(options) if options.vae else _measure(options)
    print(f"{measure.words.title}: {counted(len(found), 'picture')}", file=sys.stderr)
    order = sort_by(measure, found, is_distance=not options.vae)
    placed: Sequence[Path] = place_sorted(order, options.out, links=options.link) if options.out else ()
    names = [*map(str, placed), *[""] * (len(order) - len(placed))]
    rows = [_row(one, name) for one, name in zip(order, names, strict=True)]
    if options.json:
        print_json(rows)
    elif options.csv:
        write_table(sys.stdout, list(rows[0]), ([str(value) for value in row.values()] for row in rows))
    else:
        print(*(f"{row['value']:.3f}  {row['file']}" for row in rows if not row["outcome"]), sep="\n")
    if without := [row for row in rows if row["outcome"]]:
        print(f"{counted(len(without), 'picture')} could not be sorted:", file=sys.stderr)
        print(*(f"{row['file']}: {row['outcome']}" for row in without), sep="\n", file=sys.stderr)
    return 1 if any("read" in row["outcome"] for row in without) else 0


def _row(one: "SortedPicture", name: str) -> dict[str, Any]:
    score = one.score
    return {
        "file": str(one.path),
        "value": "" if score.value is None else round(score.value, 4),
        "nearest": score.details.get("nearest", ""),
        "nearest_distance": round(float(score.details.get("nearest_distance", 0)), 4) or "",
        "placed": name,
        "outcome": "" if score.value is not None else score.outcome,
    }


def _measure(options: argparse.Namespace) -> "PictureMeasure":
    from ohwx_compare.judge.face_sight import face_sight
    from ohwx_compare.judge.likeness import Likeness
    from ohwx_compare.judge.references import read_references
    from ohwx_compare.judge.weights import find_face_files, weights_folders

    files = find_face_files(weights_folders(Path("models/Stable-diffusion")), options.weights)
    sight = face_sight(files, _detector(options), face_net=options.face_net, device=options.device)
    references = read_references(options.like, sight)
    for note in references.notes:
        print(f"ohwx: {note}", file=sys.stderr)
    return Likeness(sight, references, faces=options.faces)


def _fallback(options: argparse.Namespace) -> "PictureMeasure":
    from ohwx_compare.judge.latent_likeness import LatentLikeness
    from ohwx_compare.judge.vae_sight import VaeSight

    sight = VaeSight.load(options.vae, options.device)
    return LatentLikeness(sight, _detector(options), pictures(options.like), pictures(options.unlike))


def _detector(options: argparse.Namespace) -> "Detector":
    from ohwx_compare.judge.run.judging import USUAL_DETECTOR, judging_detector

    folders = folders_of_detectors(options.detectors, Path("models/Stable-diffusion"))
    detector = judging_detector(options.detector or "", USUAL_DETECTOR, folders, options.device)
    if detector.note:
        print(f"ohwx: {detector.note}", file=sys.stderr)
    return detector
