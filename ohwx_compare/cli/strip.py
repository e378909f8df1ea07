"""`ohwx strip`: copies of pictures without their metadata, or with another infotext; pixels are not touched."""

import argparse
import sys
from pathlib import Path

from ohwx_compare.errors import ImageError
from ohwx_compare.words import counted

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Copy PNG, JPEG and WebP pictures without what is written in them: infotexts, workflows, EXIF, XMP, comments. "
        "Nothing is decoded, so every pixel stays as it is; a JPEG is not compressed again. The orientation stays, "
        "and so does the colour profile."
    )
    parser.epilog = "example: ohwx strip outputs/txt2img-images --out to-share"
    parser.add_argument("inputs", nargs="+", metavar="PATH", type=Path, help="pictures, or folders of them")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="DIR", type=Path, help="folder for the copies; one that is there stays")
    where.add_argument("--in-place", action="store_true", help="overwrite the pictures themselves")
    parser.add_argument(
        "--infotext",
        metavar="FILE",
        type=Path,
        help="a text file whose text becomes the infotext of every picture, where the webui looks for it",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the copies; the status is 1 where one could not be written."""
    from ohwx_compare.files.bare import bare_file
    from ohwx_compare.files.gallery import pictures
    from ohwx_compare.files.regular import read_text

    text = read_text(options.infotext).rstrip("\n") if options.infotext else None
    found, failed = pictures(options.inputs), 0
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    for path in found:
        target = options.out / path.name if options.out else path
        try:
            bare_file(path, target, text, overwrite=options.in_place)
        except ImageError as error:
            failed += 1
            print(f"ohwx: {error}", file=sys.stderr)
    print(f"{counted(len(found) - failed, 'picture')} written.")
    return 1 if failed else 0
