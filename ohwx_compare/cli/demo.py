"""`ohwx demo`: the article's experiment in the toy world, from two datasets to an answer in numbers."""

import argparse
import os
import sys
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import require_folder, warn_of_disk
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted

if TYPE_CHECKING:  # loads torch, which --help does without
    from ohwx_compare.demo.answer import Answer

__all__ = ["add_flags"]

_BYTES = 700_000_000  # of eleven checkpoints, the states to go on from, and the pictures


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "The whole job with a small model of a toy world, nothing to download: train a subject with and without "
        "regularization images, compare ten checkpoints with the face pass, measure likeness and style, and open a "
        "page that says what regularization images did. The same command again resumes where it stopped."
    )
    parser.epilog = "example: ohwx demo --out demo"
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("demo"), help="folder (default: demo)")
    parser.add_argument("--quick", action="store_true", help="fewer exposures, styles and seeds")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON and open no browser")
    parser.add_argument(
        "--webui",
        metavar="DIR",
        type=Path,
        help="a webui's folder: put the checkpoints there too, with the face detector and all that the webui needs to "
        "load them, so that it can generate the same comparisons",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, compare, measure, answer. Returns the exit status."""
    from ohwx_compare.demo.answer import answer
    from ohwx_compare.demo.page import write_answer
    from ohwx_compare.demo.parts import toy_parts
    from ohwx_compare.demo.sizes import QUICK, WHOLE
    from ohwx_compare.demo.work import work

    require_folder(options.out)
    models = _models(options.webui) if options.webui else None
    sizes = QUICK if options.quick else WHOLE
    if not (options.out / "index.html").exists():
        warn_of_disk(_BYTES, options.out)
    bar = Bar()
    with CtrlC(bar.say, "current step or pictures") as interrupt:
        try:
            readings = work(options.out, sizes, toy_parts(), bar, lambda: interrupt.asked)
        finally:
            bar.close()
    found = answer(readings)
    page = write_answer(options.out, found, readings)
    if models:
        _put(models, options.out, [options.out / each.file for each in sizes.trained()])
    _tell(found, page, is_json=options.json)
    return 0


def _models(webui: Path) -> Path:
    """The webui's folder of models. Raises ExperimentError where there is none that can be written to."""
    models = webui / "models"
    if not models.is_dir():
        raise ExperimentError(
            f"--webui {webui}: there is no folder models in it; give the webui's own folder, or its data folder."
        )
    require_folder(models, "--webui")
    return models


def _put(models: Path, out: Path, checkpoints: list[Path]) -> None:
    from ohwx_compare.toy.for_webui import put_into_webui

    try:
        folder = put_into_webui(models, checkpoints)
    except OSError as error:
        raise ExperimentError(f"--webui: {models} cannot be written to: {error.strerror or error}.") from error
    print(
        f"ohwx: {counted(len(checkpoints), 'checkpoint')} put into {folder}. To generate the same there: Reload UI, "
        f'then drop a sheet of {out / "comparison"} onto the tab "ohwx compare".',
        file=sys.stderr,
    )


def _tell(found: "Answer", page: Path, *, is_json: bool) -> None:
    from ohwx_compare.demo.words import findings, headline, sentences

    told = [*findings(found), *sentences(found)]
    if is_json:
        print_json({"page": str(page), "headline": headline(found), "sentences": told, **asdict(found)})
        return
    print(headline(found), *told, page, sep="\n")
    if sys.stdout.isatty() and not os.environ.get("CI"):
        webbrowser.open(page.resolve().as_uri())
