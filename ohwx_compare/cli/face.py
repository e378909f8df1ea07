"""`ohwx face`: the face pass on pictures that exist already."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ohwx_compare.cli.answer import print_json, words_of
from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import (
    add_model_flags,
    checkpoint_map,
    detectors_asked,
    known_hashes,
    native_host,
    require_folder,
)
from ohwx_compare.compare.existing import read_picture, redraw, require_native
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.core import events
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import ExperimentError, Interrupted, OhwxError
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.names import FreeNames
from ohwx_compare.files.regular import load_json

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Run the face pass on existing pictures, with the prompt, sampler and seed of their infotexts, "
        "and write them as <stem>.png. The infotext is kept; ADetailer's keys are added or replaced."
    )
    parser.epilog = "example: ohwx face 00012-1382869474.png --checkpoints models/Stable-diffusion --out faces"
    parser.add_argument("inputs", nargs="+", metavar="IMAGE", type=Path, help="pictures, or folders of them")
    add_model_flags(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the pictures")
    parser.add_argument(
        "--settings",
        metavar="FILE",
        type=Path,
        help="face settings as JSON, like `faces` of an experiment file (default: those of the infotext, or else "
        "ADetailer's defaults)",
    )
    parser.add_argument(
        "--checkpoint", metavar="NAME", help="inpaint the faces with this one instead of the infotext's checkpoint"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the face pass on each; a picture that fails is reported and skipped. Returns the exit status."""
    require_folder(options.out)
    settings = _read_settings(options.settings) if options.settings else ()
    found = pictures(options.inputs)
    names = FreeNames(options.out, found, advice="choose another --out")
    results, bar = [], Bar()
    hashes = known_hashes(options, bar)
    resolve = cache(in_folder(options.checkpoints, checkpoint_map(options.checkpoint_map), hashes))
    with CtrlC(bar.say) as asked:
        host = native_host(options, asked, lambda count: bar(events.Step(count)), hashes)
        detector = _detectors(options, host.device.type)
        bar(events.Started("face", len(found)))
        try:
            for number, path in enumerate(found, 1):
                if asked.asked:
                    raise Interrupted
                try:
                    picture = read_picture(path, settings, options.checkpoint)
                    picture = replace(picture, faces=detectors_asked(options, picture.faces)[1])
                    require_native(picture)
                    loaded = host.use(resolve(picture.checkpoint))
                    result = redraw(host, detector, picture, loaded, names.take(path.stem, path))
                    bar(events.Image(number, path.name, result["outcome"]))
                except OhwxError as error:
                    result = {"file": str(path), "error": words_of(error)}
                    bar(events.Failed(number, path.name, words_of(error)))
                results.append(result)
        finally:
            bar.close()
            host.close()
            _print(results, options.json)
    return 1 if any("error" in result for result in results) else 0


def _read_settings(file: Path) -> tuple[FaceSettings, ...]:
    try:
        data = load_json(file)
    except OSError as error:
        raise ExperimentError(f"{file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ExperimentError(f"{file} is not a file of face settings (JSON): {error}.") from error
    tabs = data if isinstance(data, list) else [data]
    if not tabs:
        raise ExperimentError(f"{file} lists no face settings; give at least one, or {{}} for ADetailer's defaults.")
    return Experiment.from_dict({"job": {"prompt": "", "seed": 0}, "faces": tabs}).faces


def _detectors(options: argparse.Namespace, device: str) -> Callable[[str], Any]:
    from ohwx_compare.engine.detect import find_detector

    folders, _ = detectors_asked(options, ())
    return cache(lambda name: find_detector(name, folders, device=device))


def _print(results: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(results)
        return
    for result in results:
        what = result.get("error") or "; ".join([result["outcome"], *result["notes"]])
        print(f"{result['file']}  {what}")
