"""`ohwx detect`: the faces in pictures, as boxes."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import ImageDraw

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.options import folders_of_detectors, require_device, require_folder, share
from ohwx_compare.errors import DetectorError, OhwxError
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.images import load_rgb, write_result
from ohwx_compare.files.json_file import json_text
from ohwx_compare.files.names import FreeNames

if TYPE_CHECKING:  # loads torch
    from PIL import Image

    from ohwx_compare.engine.detect import Detection, Detector

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Print the boxes of the faces in each picture, one JSON object per line: XYXY in px, and confidence."
    )
    parser.epilog = "example: ohwx detect photos --detector face_yolov8n.pt --preview boxes"
    parser.add_argument("inputs", nargs="+", metavar="IMAGE", type=Path, help="pictures, or folders of them")
    parser.add_argument(
        "--detector",
        metavar="NAME",
        default="face_yolov8n.pt",
        help="a YOLOv8 file, its name in a detector folder, or opencv-frontalface, which needs no file and misses more "
        "faces (default: face_yolov8n.pt)",
    )
    parser.add_argument(
        "--detectors", metavar="DIR", type=Path, action="append", default=[], help="folder of detectors; repeatable"
    )
    parser.add_argument(
        "--confidence", metavar="C", type=share, default=0.3, help="least confidence, 0 to 1 (default: 0.3)"
    )
    parser.add_argument("--preview", metavar="DIR", type=Path, help="also write the pictures with their boxes here")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu, cuda, ... (default: cpu)")
    parser.add_argument("--json", action="store_true", help="one JSON list instead of lines")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Detect picture by picture; one that cannot be read is reported and skipped. Returns the exit status."""
    from ohwx_compare.engine.detect import Yolo, find_detector

    require_device(options.device)
    if options.preview:
        require_folder(options.preview, "--preview")
    found = pictures(options.inputs)
    names = FreeNames(options.preview or Path(), found, advice="choose another --preview")
    named = Path(options.detector)
    if named.is_file():
        detector: Detector = Yolo(named, device=options.device)
    elif named.parent != Path():
        raise DetectorError(f"There is no detector file {named}; give a YOLOv8 file, or its name alone.")
    else:
        folders = folders_of_detectors(options.detectors, Path("models/Stable-diffusion"))
        detector = find_detector(options.detector, folders, device=options.device)
    about = {"detector": detector.name, **({"note": detector.note} if detector.note else {})}
    results = []
    for path in found:
        try:
            image = load_rgb(path)
            faces = detector.detect([image], options.confidence)[0]
            if options.preview:
                write_result(names.take(path.stem, path), _with_boxes(image, faces), "")
            result = {"file": str(path), "width": image.width, "height": image.height, **about, "faces": _boxes(faces)}
        except OhwxError as error:
            result = {"file": str(path), "error": str(error)}
        results.append(result)
        if not options.json:
            print(json_text(result), flush=True)
    if options.json:
        print_json(results)
    return 1 if any("error" in result for result in results) else 0


def _boxes(faces: "list[Detection]") -> list[dict[str, Any]]:
    return [
        {"box": [round(float(edge), 2) for edge in face.box.xyxy], "confidence": round(float(face.confidence), 4)}
        for face in faces
    ]


def _with_boxes(image: "Image.Image", faces: "list[Detection]") -> "Image.Image":
    drawn = image.copy()
    pen, width = ImageDraw.Draw(drawn), max(min(image.size) // 200, 1)
    for face in faces:
        pen.rectangle(face.box.xyxy, outline="#00ff66", width=width)
        pen.text((face.box.x1 + 2 * width, face.box.y1 + 2 * width), f"{face.confidence:.2f}", fill="#00ff66")
    return drawn
