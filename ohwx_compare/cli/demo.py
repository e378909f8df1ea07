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

if TYPE_CHECKING:  # loads torch, which --help does without
    from ohwx_compare.toy.demo.answer import Answer

__all__ = ["add_flags"]

_BYTES = 700_000_000  # of eleven checkpoints, the states to go on from, and the pictures


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "The whole job on a small model of a toy world, nothing downloaded: train a subject with and without "
        "regularization images, compare ten checkpoints with the face pass, measure likeness and style, and open a "
        "page that says what regularization images did. The same command goes on where it stopped."
    )
    parser.epilog = "example: ohwx demo --out demo"
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("demo"), help="folder (default: demo)")
    parser.add_argument("--quick", action="store_true", help="fewer exposures, styles and seeds")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON and open no browser")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, compare, measure, answer. Returns the exit status."""
    from ohwx_compare.toy.demo.answer import answer
    from ohwx_compare.toy.demo.page import write_answer
    from ohwx_compare.toy.demo.parts import toy_parts
    from ohwx_compare.toy.demo.sizes import QUICK, WHOLE
    from ohwx_compare.toy.demo.work import work

    require_folder(options.out)
    if not (options.out / "index.html").exists():
        warn_of_disk(_BYTES, options.out)
    bar = Bar()
    with CtrlC(bar.say, "step or pictures in hand") as interrupt:
        try:
            readings = work(
                options.out, QUICK if options.quick else WHOLE, toy_parts(), bar, lambda: interrupt.asked
            )  # fmt: skip
        finally:
            bar.close()
    found = answer(readings)
    page = write_answer(options.out, found, readings)
    _tell(found, page, is_json=options.json)
    return 0


def _tell(found: "Answer", page: Path, *, is_json: bool) -> None:
    from ohwx_compare.toy.demo.words import headline, sentences

    if is_json:
        print_json(
            {"page": str(page), "headline": headline(found), "sentences": list(sentences(found)), **asdict(found)}
        )
        return
    print(headline(found), *sentences(found), page, sep="\n")
    if sys.stdout.isatty() and not os.environ.get("CI"):
        webbrowser.open(page.resolve().as_uri())
