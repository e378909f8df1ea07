"""`ohwx plan`: what a comparison will cost, counted before anything is generated."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import clock
from ohwx_compare.cli.compare import add_experiment_flags, experiment_of
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import (
    add_model_flags,
    checkpoint_map,
    detectors_asked,
    interruption,
    known_hashes,
    native_settings,
    require_folder,
    warn_of_disk,
)
from ohwx_compare.compare.cost.forecast import Forecast
from ohwx_compare.compare.cost.plan import ComparisonPlan, plan, shelved
from ohwx_compare.compare.face_pass import detector_key, require_built
from ohwx_compare.compare.resolve import in_folder, resolve_detectors
from ohwx_compare.compare.shelf import run_folders
from ohwx_compare.compare.work import keys_with
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import read_header, require_sdxl
from ohwx_compare.files.detectors import has_detector, missing_detector
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.files.memory import free_bytes
from ohwx_compare.judge.measure import UNET_CALLS
from ohwx_compare.words import counted

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Count what `ohwx compare` with the same flags would generate, load and write, and measure with --calibrate "
        "how long it will take here. Nothing is written."
    )
    parser.epilog = "example: ohwx plan --from grid.png --checkpoints models/Stable-diffusion --calibrate"
    add_experiment_flags(parser)
    add_model_flags(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, help="run folder; what it holds already is not counted")
    parser.add_argument(
        "--calibrate", action="store_true", help="take a few steps with the first checkpoint to measure the time"
    )
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    if options.out:
        require_folder(options.out)
    experiment = experiment_of(options)
    for tabs in {cell.faces for cell in experiment.cells()}:
        require_built(tabs)
    forecast = _forecast(experiment, options)
    pictures = sum(2 if cell.faces else 1 for cell in experiment.cells())
    planned, summary = forecast.plan, {**forecast.to_json(), "judge_unet_calls": UNET_CALLS * pictures}
    warn_of_disk(planned.disk_bytes, options.out or Path())
    wrong = list(_wrong(planned))
    for problem in wrong:
        print(f"ohwx: {problem}", file=sys.stderr)
    if options.json:
        print_json(summary)
    else:
        print(*_lines(summary, free_bytes(options.out or Path())), sep="\n")
    return 1 if wrong else 0


def _wrong(planned: ComparisonPlan) -> Iterator[str]:
    """What the headers of the checkpoint files show to be wrong with them."""
    for visit in planned.visits:
        try:
            if visit.checkpoint:
                require_sdxl(read_header(visit.checkpoint.path))
        except CheckpointError as error:
            yield str(error)


def _forecast(experiment: Experiment, options: argparse.Namespace) -> Forecast:
    """The plan, and its seconds where they are asked for."""
    hashes = known_hashes(options)
    resolve = in_folder(options.checkpoints, checkpoint_map(options.checkpoint_map), hashes, reads=False)
    places, _ = detectors_asked(options, ())
    names = {tab.model for cell in experiment.cells() for tab in cell.faces}
    if (lost := [name for name in names if not has_detector(name, places)]) and not options.out:
        raise missing_detector(min(lost), places)
    own = _opened([options.out] if options.out else [])
    lenders = _opened(run_folders(options.reuse))
    if not (own or lenders or options.calibrate):
        return Forecast(plan(experiment, resolve, batch=options.batch), None)
    from ohwx_compare.compare.cost.calibrate import seconds
    from ohwx_compare.engine.detect import find_detector

    with CtrlC() as asked:
        host = native_settings(options).host(hashes, lambda: interruption(asked))
        find = cache(lambda name: find_detector(name, places, device=host.device.type))
        try:
            named = (tab.model for cell in experiment.cells() for tab in cell.faces)
            detectors = resolve_detectors(named, find, options.out or Path())
            if own or lenders:
                there = shelved(own[0] if own else None, lenders, hashes)
                seen = {name: detector_key(found) for name, found in detectors.items()}
                where = cache(resolve)
                keys = keys_with(host.fingerprint, seen, there, lambda c: host.beside(where(c.checkpoint), c.job))
                planned = plan(experiment, resolve, batch=options.batch, there=there, keys=keys)
            else:
                planned = plan(experiment, resolve, batch=options.batch)
            return Forecast(planned, seconds(planned, host, detectors) if options.calibrate else None)
        finally:
            host.close()


def _opened(folders: list[Path]) -> list[Run]:
    return [open_run(folder) for folder in folders if (folder / "run.sqlite").is_file()]


def _lines(summary: Mapping[str, Any], free: int) -> list[str]:
    lines = [
        f"{counted(summary['cells'], 'cell')} over {counted(summary['checkpoints'], 'checkpoint')}",
        f"to generate: {counted(summary['renders'], 'picture')}, {counted(summary['inpaints'], 'face')}, "
        f"{counted(summary['switches'], 'checkpoint load')}",
        f"on disk: about {summary['disk_bytes'] / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free",
    ]
    if summary["seconds"] is not None:
        lines.append(f"time: about {clock(summary['seconds'])}, with top k faces in each picture (1 where top k is 0)")
    calls = counted(summary["judge_unet_calls"], "UNet call")
    lines.append(f"afterwards: `ohwx judge --second-opinion` would take {calls}; without that flag it takes none")
    lines += [f"missing: {name}" for name in summary["missing"]]
    return lines
