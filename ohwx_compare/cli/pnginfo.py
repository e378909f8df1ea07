"""`ohwx pnginfo`: the infotexts of pictures and folders, as text, CSV or JSON."""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ohwx_compare.cli.answer import print_json
from ohwx_compare.core.pairs import parse
from ohwx_compare.errors import ImageError, InfotextError
from ohwx_compare.files.gallery import befores, pictures
from ohwx_compare.files.infotexts import read_infotext

__all__ = ["Info", "add_flags"]


@dataclass(frozen=True, kw_only=True)
class Info:
    """What one picture says of itself. Without infotext all is empty; `error` tells what could not be read."""

    file: str
    before: str | None = None  # the same picture before its face pass, where both were given
    after: str | None = None
    infotext: str | None = None
    prompt: str = ""
    negative: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    error: str | None = None


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Print the infotexts of PNG, JPEG and WebP pictures as the webui writes them, of folders with all "
        "below. Pictures before and after a face pass are told to belong together."
    )
    parser.epilog = "example: ohwx pnginfo outputs/txt2img-images --csv > pictures.csv"
    parser.add_argument("inputs", nargs="+", metavar="PATH", type=Path, help="pictures, or folders of them")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="a table, one column a key")
    form.add_argument("--jsonl", action="store_true", help="one JSON object a line and picture")
    form.add_argument("--json", action="store_true", help="one JSON list")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print; the status is 1 where a picture could not be read or no infotext was found at all."""
    found = pictures(options.inputs)
    infos = list(_infos(found))
    if options.csv:
        _print_csv(infos)
    elif options.jsonl:
        for info in infos:
            print(json.dumps(vars(info), ensure_ascii=False))
    elif options.json:
        print_json([vars(info) for info in infos])
    else:
        print(*map(_in_words, infos), sep="\n\n")
    wrong = [info for info in infos if info.error]
    for info in wrong:
        print(f"ohwx: {info.error}", file=sys.stderr)
    if not wrong and not any(info.infotext for info in infos):
        print("ohwx: no picture carries an infotext; they were saved without.", file=sys.stderr)
    return 1 if wrong or not any(info.infotext for info in infos) else 0


def _infos(found: Iterable[Path]) -> Iterator[Info]:
    found = list(found)
    before_of = befores(found)
    after_of = {before: after for after, before in before_of.items()}
    for path in found:
        pair = {
            "before": str(before_of[path]) if path in before_of else None,
            "after": str(after_of[path]) if path in after_of else None,
        }
        text = None
        try:
            text = read_infotext(path)
            parsed = parse(text) if text else None
        except ImageError as error:
            yield Info(file=str(path), **pair, error=str(error))
            continue
        except InfotextError as error:
            yield Info(file=str(path), **pair, infotext=text, error=f"{path}: {error}")
            continue
        if parsed is None:
            yield Info(file=str(path), **pair)
            continue
        values = {pair.key: pair.value for pair in parsed.pairs}
        yield Info(
            file=str(path), **pair, infotext=text, prompt=parsed.prompt, negative=parsed.negative, parameters=values
        )


def _print_csv(infos: Iterable[Info]) -> None:
    """A column for every key that any picture has, in the order in which they come up."""
    infos = list(infos)
    keys = dict.fromkeys(key for info in infos for key in info.parameters)
    own = ("file", "before", "after", "prompt", "negative")
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow((*own, *keys, "error"))
    for info in infos:
        values = (info.parameters.get(key, "") for key in keys)
        table.writerow((*(getattr(info, name) or "" for name in own), *values, info.error or ""))


def _in_words(info: Info) -> str:
    pair = "".join(f"\n{what}: {path}" for what, path in (("before", info.before), ("after", info.after)) if path)
    return f"{info.file}{pair}\n{info.infotext or info.error or '(no infotext)'}"
