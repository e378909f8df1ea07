"""`ohwx compare`: an infotext or an experiment file in, a run folder with sheet and page out."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import Bar, clock
from ohwx_compare.cli.drawing import add_ray_flags, drawing
from ohwx_compare.cli.importing import importing
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import (
    add_model_flags,
    at_least_1,
    checkpoint_map,
    detectors_asked,
    known_hashes,
    require_folder,
    warn_of_disk,
)
from ohwx_compare.cli.over_api import add_api_flags, crew_of
from ohwx_compare.cli.texts import require_embeddings, texts_of, with_vae
from ohwx_compare.compare.cost.plan import most_bytes
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.core.events import Event, Listener, Started
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.control import Control
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.prompt.style_families import expanded_styles
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.errors import CheckpointError, ExperimentError, Interrupted
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.ledger.reader import experiment_in
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.listing import list_checkpoints
from ohwx_compare.files.regular import load_json
from ohwx_compare.files.styles import styles_near
from ohwx_compare.files.vaes import named_vaes
from ohwx_compare.train.outside.runs import class_token_of
from ohwx_compare.words import counted, quoted

if TYPE_CHECKING:
    from ohwx_compare.hosts.api.crew import ApiCrew

__all__ = ["add_experiment_flags", "add_flags", "experiment_of", "read_experiment", "run_experiment"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Generate the pictures of every checkpoint of an experiment, before and after the face pass, into a run folder "
        "with a labelled sheet and a page. The same command again resumes where it stopped."
    )
    parser.epilog = "example: ohwx compare --from grid.png --checkpoints models/Stable-diffusion --out my-comparison"
    add_experiment_flags(parser)
    add_model_flags(parser)
    add_api_flags(parser)
    add_ray_flags(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="run folder, new or to be resumed")
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="resume a run folder that was made elsewhere (on another machine, by another user, a copy): its rows and "
        "pictures are checked first, and a cell whose picture is missing or was changed is generated again",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def add_experiment_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says which experiment is meant."""
    parser.add_argument(
        "experiment", nargs="?", metavar="EXPERIMENT", type=Path, help="experiment file (JSON), or a run folder"
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="IMAGE_OR_INFOTEXT",
        help="a picture or X/Y/Z grid, a text file, or the infotext itself, instead of an experiment file",
    )
    parser.add_argument("--all", action="store_true", help="compare all of --checkpoints, whatever the infotext names")
    parser.add_argument(
        "--control",
        metavar="BASE[=WORDS]",
        help="the checkpoint that the trainings began from, asked for the class in place of the subject (man for ohwx "
        "man): one more column. WORDS: token and class in your prompts (default: what a checkpoint says that it was "
        "trained with, else ohwx man)",
    )
    parser.add_argument(
        "--batch", metavar="N", type=at_least_1, default=4, help="most pictures generated together (default: 4)"
    )
    parser.add_argument(
        "--reuse",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="another run folder, or a folder of them: its pictures of the same settings and the same files are reused "
        "instead of generated; may be repeated",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    require_folder(options.out)
    crew = crew_of(options)
    return run_experiment(experiment_of(options, crew), options, crew)


def experiment_of(options: argparse.Namespace, crew: "ApiCrew | None" = None) -> Experiment:
    """The experiment that the flags ask for; crew: the webuis that draw it, whose checkpoints count then.

    Raises ExperimentError, InfotextError, ImageError or CheckpointError, and UnsupportedKeyError naming what our engine
    does not support.
    """
    experiment = read_experiment(options.experiment, options.source, styles_near(options.checkpoints), options)
    experiment = replace(experiment, faces=detectors_asked(options, experiment.faces)[1])
    if options.all:
        names = [one.name for one in crew.checkpoints()] if crew else list_checkpoints(options.checkpoints)
        if not names and crew:
            raise ExperimentError("The webui lists no .safetensors file to compare.")
        if not names:
            raise ExperimentError(f"--checkpoints {options.checkpoints} holds no .safetensors file to compare.")
        experiment = experiment.with_checkpoints(_comparable(names))
    elif not experiment.checkpoints:
        raise ExperimentError("The experiment names no checkpoint; add a checkpoint axis, or --all for all of them.")
    if options.control:
        experiment = experiment.with_control(_control(experiment, options))
    if options.vae and "vae" in {axis.kind for axis in experiment.axes}:
        raise ExperimentError("--vae stands for every VAE, so that an axis of VAEs shows one picture; leave one out.")
    infotext.require_drawn((cell.job, cell.faces) for cell in experiment.cells())
    return experiment


def _control(experiment: Experiment, options: argparse.Namespace) -> Control:
    """The base as control. Raises ExperimentError."""
    name, _, words = options.control.partition("=")
    base = CheckpointRef.parse(name)
    if not set(experiment.checkpoints) - {base}:
        raise ExperimentError(f"--control {base} is the only checkpoint; name one to compare with it.")
    return Control.of(base, words or _learned(experiment, options) or "ohwx man")


def _learned(experiment: Experiment, options: argparse.Namespace) -> str | None:
    """Token and class by the record that our trainer left in one of the checkpoints."""
    resolve = in_folder(options.checkpoints, checkpoint_map(options.checkpoint_map), known_hashes(options), reads=False)
    for ref in experiment.checkpoints:
        with suppress(CheckpointError):  # the run says what is wrong
            if learned := class_token_of(resolve(ref).path):
                return learned
    return None


def _comparable(names: Sequence[str]) -> list[CheckpointRef]:
    """All that can be asked for by name; the others are named on stderr and left out. Raises ExperimentError."""
    refs = []
    for name in names:
        try:
            ref = CheckpointRef.parse(name)
        except ExperimentError as error:
            print(f"ohwx: {error} It is left out.", file=sys.stderr)
            continue
        if str(ref) == name:
            refs.append(ref)
        else:
            print(f"ohwx: {quoted(name)} would be read as {quoted(str(ref))}; it is left out.", file=sys.stderr)
    if not refs:
        raise ExperimentError("No checkpoint has a name that can be compared; rename the files.")
    return refs


def read_experiment(
    file: Path | None,
    source: str | None,
    styles: Mapping[str, Style] | None = None,
    options: argparse.Namespace | None = None,
) -> Experiment:
    """The experiment of a JSON file or of an infotext; styles: the webui's, by name; options: for the files it names.

    Raises ExperimentError, InfotextError or ImageError.
    """
    if file is None and source is not None:
        first, *more = texts_of(source)
        if more:
            print(f"{first.stem} holds {counted(1 + len(more), 'infotext')}; only the first is used.", file=sys.stderr)
        text, about_vae = infotext.parse(first.text), tuple[str, ...]()
        if options and not getattr(options, "api", None):  # a webui has its own
            text, about_vae = with_vae(text, options.vae, named_vaes(options.vaes, [options.checkpoints], sha256))
            require_embeddings(text, options.embeddings)
        experiment = Experiment.from_infotext(text, styles)
        experiment = replace(experiment, notes=(*experiment.notes, *about_vae))
        for note in experiment.notes:
            print(f"ohwx: {note}", file=sys.stderr)
        return experiment
    if file is None or source is not None:
        raise ExperimentError("Give either an experiment file or --from IMAGE_OR_INFOTEXT.")
    if (file / LEDGER_FILE).is_file():
        return experiment_in(file)
    try:
        data = load_json(file)
    except OSError as error:
        raise ExperimentError(f"{file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ExperimentError(
            f"{file} is not an experiment file (JSON): {error}. For a picture or infotext use --from."
        ) from error
    return Experiment.from_dict(_with_families(data, styles or {}), styles).as_typed()


def _with_families(data: Any, library: Mapping[str, Style]) -> Any:
    """The experiment with names of styles where an axis asks for some of a family."""
    axes: Any = data.get("axes") if isinstance(data, dict) else None
    for axis in axes if isinstance(axes, list) else ():
        if isinstance(axis, dict) and axis.get("kind") == "styles" and isinstance(axis.get("values"), list):
            axis["values"] = expanded_styles(axis["values"], library)
    return data


def run_experiment(experiment: Experiment, options: argparse.Namespace, crew: "ApiCrew | None" = None) -> int:
    """Generate `experiment` as the flags say, here or by the `crew`, then its sheet and page.

    Returns the exit status.
    """
    with importing():
        from ohwx_compare.compare.run import Options
        from ohwx_compare.compare.run import draw_run as draw
        from ohwx_compare.engine.detect import find_detector
        from ohwx_compare.files.ledger.reader import open_run
        from ohwx_compare.look.page import write_page
        from ohwx_compare.look.sheet import write_sheets

    folders, _ = detectors_asked(options, ())
    cells, checkpoints = len(experiment.cells()), len(experiment.checkpoints)
    size = f"{counted(cells, 'cell')} over {counted(checkpoints, 'checkpoint')}"
    print(f"{size}, into {options.out}", file=sys.stderr)
    if not options.out.exists():
        warn_of_disk(most_bytes(experiment), options.out)
    bar = Bar()
    with closing(bar), CtrlC(bar.say) as asked, drawing(experiment, options, crew, asked, bar) as by:
        if crew:
            crew.require(experiment)
        result = draw(
            experiment,
            by.host,
            cache(lambda name: find_detector(name, folders, device=by.device)),
            options.out,
            _keeping(options.out, by.linear, bar),
            resolve=by.resolve,
            options=Options(batch=options.batch, reuse=tuple(options.reuse), adopt=options.adopt),
        )
    finished = open_run(options.out)
    sheets, page = write_sheets(finished), write_page(finished)
    summary = {
        "folder": str(options.out),
        "cells": cells,
        **{name: getattr(result, name) for name in ("drawn", "reused", "failed", "skipped")},
        "sampled": result.sampled,
        "seconds": round(result.seconds, 1),
        "sheets": [str(sheet) for sheet in sheets],
        "page": str(page),
    }
    if options.json:
        print_json(summary)
    else:
        counts = f"{result.drawn} generated, {result.reused} reused, {result.failed} failed, {result.skipped} skipped"
        print(f"{counts} in {clock(result.seconds)}")
        if result.about_files:
            print(result.about_files)
        print(*sheets, page, sep="\n")
    if result.is_interrupted:
        raise Interrupted
    return 1 if result.failed else 0


def _keeping(folder: Path, linear: str, bar: Bar) -> Listener:
    """`bar`, and the run's folder keeps what multiplies in its linear layers once it took the experiment."""
    from ohwx_compare.hosts.run_linear import keep_linear

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            keep_linear(folder, linear)
        bar(event)

    return listen
