"""`ohwx pnginfo`: the infotexts of pictures and folders, as text, CSV or JSON."""

import argparse
import sys
from pathlib import Path

from ohwx_compare.cli.answer import print_json
from ohwx_compare.files.folder_infos import Info, infos, write_csv
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.json_file import json_text

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Print the infotexts of PNG, JPEG, WebP and AVIF pictures as the webui writes them, also of whole folders. "
        "The pictures before and after a face pass are paired."
    )
    parser.epilog = "example: ohwx pnginfo outputs/txt2img-images --csv > pictures.csv"
    parser.add_argument("inputs", nargs="+", metavar="PATH", type=Path, help="pictures, or folders of them")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="a table with one column for each key")
    form.add_argument("--jsonl", action="store_true", help="one JSON object per line, one line for each picture")
    form.add_argument("--json", action="store_true", help="one JSON list")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print; the status is 1 where a picture could not be read or no infotext was found at all."""
    found = pictures(options.inputs)
    read = list(infos(found))
    if options.csv:
        write_csv(sys.stdout, read)
    elif options.jsonl:
        for info in read:
            print(json_text(vars(info)))
    elif options.json:
        print_json([vars(info) for info in read])
    else:
        print(*map(_in_words, read), sep="\n\n")
    wrong = [info for info in read if info.error]
    for info in wrong:
        print(f"ohwx: {info.error}", file=sys.stderr)
    if not wrong and not any(info.infotext for info in read):
        print("ohwx: none of the pictures has an infotext.", file=sys.stderr)
    return 1 if wrong or not any(info.infotext for info in read) else 0


def _in_words(info: Info) -> str:
    pair = "".join(f"\n{what}: {path}" for what, path in (("before", info.before), ("after", info.after)) if path)
    return f"{info.file}{pair}\n{info.infotext or info.error or _missing(info)}"


def _missing(info: Info) -> str:
    return f"(no infotext) {info.reason or ''}".strip()
