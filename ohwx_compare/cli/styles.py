"""`ohwx styles`: styles by family, of a styles.csv or a Fooocus; some of them as a file; which are in a prompt."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.core.prompt.style_families import STYLE_FAMILIES
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted

if TYPE_CHECKING:
    from ohwx_compare.core.prompt.styles import Style

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "List the styles of a webui's styles.csv, or of a Fooocus' folder sdxl_styles, by family, or write some of "
        'them as a styles.csv. An axis of styles takes "3 of the photo family" as a value, too.'
    )
    parser.epilog = "example: ohwx styles Fooocus/sdxl_styles --portraits --out styles.csv"
    parser.add_argument("source", metavar="PATH", type=Path, help="styles.csv, or the folder sdxl_styles of a Fooocus")
    parser.add_argument("--family", choices=STYLE_FAMILIES, default="", help="only of this family")
    parser.add_argument("--portraits", action="store_true", help="only such as suit a portrait")
    parser.add_argument("--count", type=int, metavar="N", help="so many of them, evenly from the list")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write them as a styles.csv; what is there is kept as .bak"
    )
    parser.add_argument(
        "--in", dest="source_text", metavar="IMAGE_OR_INFOTEXT", help="say which of them are in the prompt of a picture"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print or write. Returns the exit status."""
    from ohwx_compare.core.prompt.style_families import chosen_styles, family_name
    from ohwx_compare.files.styles import read_any_styles, write_styles

    if options.count is not None and options.count < 1:
        raise ExperimentError(f"--count must be at least 1, got {options.count}.")
    library = read_any_styles(options.source).values()
    found = chosen_styles(library, options.family, count=options.count, portraits=options.portraits)
    if options.source_text is not None:
        return _recover(options.source_text, found)
    if options.out:
        write_styles(options.out, found)
        print(f"{counted(len(found), 'style')} written to {options.out}.")
    else:
        print(*(f"{family_name(style)}\t{style.name}" for style in found), sep="\n")
    return 0 if found else 1


def _recover(source: str, library: "tuple[Style, ...]") -> int:
    from ohwx_compare.cli.texts import texts_of
    from ohwx_compare.core.infotext import infotext
    from ohwx_compare.core.prompt.styles import recovered_styles

    text = infotext.parse(texts_of(source)[0].text)
    names, prompt, negative = recovered_styles(text.prompt, text.negative, library)
    print(*[f"Styles: {', '.join(names) or 'none'}", prompt, f"Negative prompt: {negative}"], sep="\n")
    return 0 if names else 1
