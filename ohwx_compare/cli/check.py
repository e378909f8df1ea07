"""`ohwx check`: what went wrong in finished runs without anybody saying so."""

import argparse
from pathlib import Path

from ohwx_compare.cli.answer import print_json
from ohwx_compare.files.ledger.reader import open_run

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Look for pictures of a run that are not what their place in the grid says: the same pixels from two "
        "checkpoints, another file than was named, a VAE, clip skip, RNG or version that changed meanwhile, "
        "a prompt that is cut or another one, a style that adds nothing, pictures of one colour. No model is needed."
    )
    parser.epilog = "example: ohwx check my-comparison"
    parser.add_argument("runs", nargs="+", metavar="RUN", type=Path, help="run folder")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print every finding; the status is 1 where there is one."""
    from ohwx_compare.judge.failures import found_in

    found = [(folder, finding) for folder in options.runs for finding in found_in(open_run(folder))]
    if options.json:
        print_json([{"run": str(folder), **vars(finding)} for folder, finding in found])
    else:
        several = len(options.runs) > 1
        lines = [f"{folder}: {each.sentence}" if several else each.sentence for folder, each in found]
        print(*(lines or ["Nothing was found."]), sep="\n")
    return 1 if found else 0
