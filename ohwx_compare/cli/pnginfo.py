"""`ohwx pnginfo`: how pictures and folders of them were generated, as text, CSV, JSON or lines of prompts."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ohwx_compare.cli.answer import print_json
from ohwx_compare.files.folder_infos import Info, infos, write_csv
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.json_file import json_text
from ohwx_compare.files.prompt_lines import prompt_line

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Print how PNG, JPEG, WebP, AVIF and JPEG XL pictures were generated, also of whole folders: the infotext of "
        "the webui, or what ComfyUI, InvokeAI, NovelAI, Fooocus, SwarmUI, Draw Things, Easy Diffusion and NMKD write, "
        "by the webui's keys. The pictures before and after a face pass are paired."
    )
    parser.epilog = "example: ohwx pnginfo outputs/txt2img-images --csv > pictures.csv"
    parser.add_argument("inputs", nargs="+", metavar="PATH", type=Path, help="pictures, or folders of them")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="a table with one column for each key")
    form.add_argument("--jsonl", action="store_true", help="one JSON object per line, one line for each picture")
    form.add_argument("--json", action="store_true", help="one JSON list")
    form.add_argument(
        "--prompts",
        action="store_true",
        help="one line for each picture, as the webui's script Prompts from file or textbox takes them",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print; the status is 1 where a picture could not be read, or none says how it was generated."""
    wrong: list[str] = []
    is_any = False

    def followed() -> Iterator[Info]:
        nonlocal is_any
        for info in infos(pictures(options.inputs)):
            wrong.extend([info.error] if info.error else [])
            is_any = is_any or bool(info.infotext or info.raw)
            yield info

    _write(options, followed())
    for error in wrong:
        print(f"ohwx: {error}", file=sys.stderr)
    if not wrong and not is_any:
        print("ohwx: none of the pictures has an infotext, or another program's metadata.", file=sys.stderr)
    return 1 if wrong or not is_any else 0


def _write(options: argparse.Namespace, read: Iterator[Info]) -> None:
    """In the form asked for; a table and a list are kept in memory, all else is written as it is read."""
    if options.csv:
        write_csv(sys.stdout, read)
    elif options.json:
        print_json([vars(info) for info in read])
    elif options.jsonl:
        for info in read:
            print(json_text(vars(info)))
    elif options.prompts:
        for line in filter(None, map(prompt_line, read)):
            print(line)
    else:
        for place, info in enumerate(read):
            print(*([""] if place else []), _in_words(info), sep="\n")


def _in_words(info: Info) -> str:
    pair = "".join(f"\n{what}: {path}" for what, path in (("before", info.before), ("after", info.after)) if path)
    return f"{info.file}{pair}\n{info.infotext or info.error or _missing(info)}"


def _missing(info: Info) -> str:
    """Why there is no infotext, and what another program says in its place, in the form of one."""
    lines = [f"(no infotext) {info.reason or ''}".strip(), info.prompt]
    lines += [f"Negative prompt: {info.negative}"] if info.negative else []
    lines.append(", ".join(f"{key}: {value}" for key, value in info.parameters.items()))
    return "\n".join(filter(None, lines))
