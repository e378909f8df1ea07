"""`ohwx face`: the face pass on pictures that exist already."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import add_model_flags, checkpoint_map, detector_folders, native_host
from ohwx_compare.compare.face_pass import Detailed, detail, require_built
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.core import events, infotext
from ohwx_compare.core.axes import CheckpointRef
from ohwx_compare.core.experiment import Experiment
from ohwx_compare.core.face import FaceSettings
from ohwx_compare.core.infotext import Infotext
from ohwx_compare.core.job import Job
from ohwx_compare.core.supported import unsupported_job
from ohwx_compare.errors import ExperimentError, ImageError, InfotextError, Interrupted, OhwxError, UnsupportedKeyError
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.images import load_rgb, write_png
from ohwx_compare.files.infotexts import read_infotext

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.compare.host import Loaded
    from ohwx_compare.hosts.native import NativeHost

__all__ = ["add_flags", "extended", "read_picture"]


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """A picture whose faces are to be redrawn."""

    path: Path
    text: Infotext
    job: Job
    faces: tuple[FaceSettings, ...]
    checkpoint: CheckpointRef
    notes: tuple[str, ...]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Run the face pass on pictures that exist, with the prompt, sampler and seed of their infotexts, "
        "and write them as <stem>.png. The infotext is kept, ADetailer's keys are added or replaced."
    )
    parser.epilog = "example: ohwx face 00012-1382869474.png --checkpoints models/Stable-diffusion --out faces"
    parser.add_argument("inputs", nargs="+", metavar="IMAGE", type=Path, help="pictures, or folders of them")
    add_model_flags(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the pictures")
    parser.add_argument(
        "--settings",
        metavar="FILE",
        type=Path,
        help="face settings as JSON, like `faces` of an experiment file; else those of the infotext, else ADetailer's "
        "defaults",
    )
    parser.add_argument(
        "--checkpoint", metavar="NAME", help="draw the faces with this one instead of the infotext's checkpoint"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Redraw all of them; a picture that fails is reported and the rest go on. Returns the exit status."""
    settings = _read_settings(options.settings) if options.settings else ()
    found = pictures(options.inputs)
    resolve = cache(in_folder(options.checkpoints, checkpoint_map(options.checkpoint_map)))
    results, bar = [], Bar()
    with CtrlC(bar.say) as asked:
        host = native_host(options, asked, lambda count: bar(events.Step(count)))
        detector = _detectors(options, host.device.type)
        bar(events.Started("face", len(found)))
        try:
            for number, path in enumerate(found, 1):
                if asked.asked:
                    raise Interrupted
                try:
                    picture = read_picture(path, settings, options.checkpoint)
                    loaded = host.use(resolve(picture.checkpoint))
                    result = _redraw(host, detector, picture, loaded, _target(path, options.out, found))
                    bar(events.Image(number, path.name, result["outcome"]))
                except OhwxError as error:
                    result = {"file": str(path), "error": str(error)}
                    bar(events.Failed(number, path.name, str(error)))
                results.append(result)
        finally:
            bar.close()
            host.close()
            _print(results, options.json)
    return 1 if any("error" in result for result in results) else 0


def read_picture(path: Path, settings: Sequence[FaceSettings] = (), checkpoint: str | None = None) -> _Picture:
    """Read what a picture's faces are drawn with.

    settings: instead of the infotext's. checkpoint: instead of the infotext's. Raises ImageError, and InfotextError for
    a picture without infotext, a grid, or a key that is not drawn yet; hires fix and img2img lie behind the picture.
    """
    text = read_infotext(path)
    if text is None:
        raise InfotextError(f"{path} carries no infotext, so nothing tells its prompt; draw it with one.")
    parsed = infotext.parse(text)
    if infotext.xyz(parsed):
        raise InfotextError(f"{path} is an X/Y/Z grid; give the single pictures.")
    faces = tuple(settings) or infotext.faces(parsed)
    notes = () if faces else ("its infotext has no face settings: drawn with ADetailer's defaults",)
    faces = faces or (FaceSettings(),)
    job = replace(infotext.to_job(parsed), denoise=None)
    refused = [
        what for what in infotext.unsupported(parsed) if not what.startswith("Hires ") and "ADetailer" not in what
    ]
    refused = list(dict.fromkeys((*refused, *unsupported_job(job, faces))))
    if refused:
        raise UnsupportedKeyError(f"{path.name} needs what this engine does not draw yet: {'; '.join(refused)}.")
    require_built(faces)
    name, short_hash = infotext.model(parsed)
    if not (checkpoint or name or short_hash):
        raise InfotextError(f"{path} names no checkpoint; name one with --checkpoint.")
    ref = CheckpointRef.parse(checkpoint) if checkpoint else CheckpointRef(name or short_hash, short_hash)
    return _Picture(path=path, text=parsed, job=job, faces=faces, checkpoint=ref, notes=notes)


def extended(text: Infotext, job: Job, faces: Sequence[FaceSettings]) -> Infotext:
    """`text` with ADetailer's keys for `faces` in place of its own; what our key held is of another picture."""
    kept = text.without("ohwx", *(pair.key for pair in text.pairs if pair.key.startswith("ADetailer ")))
    for pair in infotext.from_job(job, model=None, model_hash=None, faces=faces).pairs:
        if pair.key == "ohwx" or pair.key.startswith("ADetailer "):
            kept = kept.with_value(pair.key, pair.value)
    return kept


def _read_settings(file: Path) -> tuple[FaceSettings, ...]:
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ExperimentError(f"{file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ExperimentError(f"{file} holds no face settings (JSON): {error}.") from error
    tabs = data if isinstance(data, list) else [data]
    if not tabs:
        raise ExperimentError(f"{file} lists no face settings; give at least one, {{}} for ADetailer's defaults.")
    return Experiment.from_dict({"job": {"prompt": "", "seed": 0}, "faces": tabs}).faces


def _detectors(options: argparse.Namespace, device: str) -> Callable[[str], Any]:
    from ohwx_compare.engine.detect import find_detector

    folders = detector_folders(options.detectors, options.checkpoints)
    return cache(lambda name: find_detector(name, folders, device=device))


def _target(path: Path, folder: Path, found: Sequence[Path]) -> Path:
    """`<stem>.png`, numbered where stems repeat. Raises ImageError where that is one of the pictures."""
    same = [other for other in found if other.stem.casefold() == path.stem.casefold()]
    number = same.index(path)
    target = folder / f"{path.stem}{f'-{number + 1}' if number else ''}.png"
    if target.resolve() in {other.resolve() for other in found}:
        raise ImageError(f"{target} is one of the pictures; choose another --out.")
    return target


def _redraw(
    host: "NativeHost", detector: Callable[[str], Any], picture: _Picture, loaded: "Loaded", target: Path
) -> dict[str, Any]:
    detectors = [detector(tab.model) for tab in picture.faces]
    drawn: Detailed = detail(host, detectors, picture.faces, [picture.job], [load_rgb(picture.path)])[0]
    name, short_hash = infotext.model(picture.text)
    is_own = loaded.sha256.startswith(short_hash.lower()) if short_hash else name == Path(loaded.checkpoint.name).stem
    other = None if is_own else Path(loaded.checkpoint.name).stem
    written = extended(picture.text, picture.job, [replace(tab, checkpoint=other) for tab in picture.faces])
    target.parent.mkdir(parents=True, exist_ok=True)
    write_png(target, drawn.image, infotext.render(written))
    return {
        "file": str(target),
        "from": str(picture.path),
        "checkpoint": loaded.checkpoint.name,
        "outcome": drawn.outcome.value,
        "faces": [face.to_json() for face in drawn.faces],
        "notes": [*picture.notes, *drawn.notes],
    }


def _print(results: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(results)
        return
    for result in results:
        what = result.get("error") or "; ".join([result["outcome"], *result["notes"]])
        print(f"{result['file']}  {what}")
