"""`ohwx sheet`: other sheets of a run, with other columns and rows, of some values, for paper."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.errors import ExperimentError

if TYPE_CHECKING:
    from ohwx_compare.files.ledger.rows import Run
    from ohwx_compare.look.arrangement import Arrangement

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Write sheets of a run that is there: other axes as columns and rows, some of their values, a sheet for each "
        "value, with or without words, for paper. No model is needed, and nothing is generated."
    )
    parser.epilog = 'example: ohwx sheet my-comparison --columns seed --show "checkpoint=noREG" --paper "a4 landscape"'
    parser.add_argument("folder", metavar="RUN", type=Path, help="run folder")
    for name in ("columns", "rows"):
        parser.add_argument(
            f"--{name}",
            metavar="AXIS",
            action="append",
            default=[],
            help=f"an axis for the {name}, as checkpoint, seed, prompt, styles; may be repeated, the slowest first",
        )
    parser.add_argument("--swap", action="store_true", help="columns become rows, and rows columns")
    parser.add_argument(
        "--show",
        metavar="AXIS=VALUE",
        action="append",
        default=[],
        help="show this value of the axis alone, or those that hold these words; may be repeated",
    )
    parser.add_argument(
        "--each",
        metavar="AXIS",
        action="append",
        default=[],
        help="a sheet for each of its values; may be repeated",
    )
    parser.add_argument("--before", action="store_true", help="the pictures before the face pass")
    parser.add_argument("--margin", type=int, metavar="PX", help="space between pictures")
    parser.add_argument("--no-legend", action="store_true", help="pictures alone, no words")
    parser.add_argument(
        "--paper",
        metavar="SIZE",
        help="fit pages to paper at 300 dpi: a3, a4, a5, letter, legal, with landscape behind it, or 210x297 in mm",
    )
    parser.add_argument("--pictures", action="store_true", help="copy the lone pictures beside the sheets")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="a new or empty folder (default: a new one in RUN/exports)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write, and print where. Returns the exit status."""
    from ohwx_compare.files.ledger.reader import open_run
    from ohwx_compare.look.arrangement import axis_named
    from ohwx_compare.look.export import new_export
    from ohwx_compare.look.sheet_export import SheetWish, write_wished
    from ohwx_compare.look.sheet_style import Paper, SheetStyle

    found = open_run(options.folder)
    wish = SheetWish(
        cells=_arranged(found, options),
        by=tuple(axis_named(found.experiment, name) for name in options.each),
        is_before=options.before,
        style=SheetStyle(
            margin=options.margin,
            legend=not options.no_legend,
            paper=Paper.read(options.paper) if options.paper else None,
        ),
        has_pictures=options.pictures,
    )
    folder = _empty(options.out) if options.out else new_export(found.folder)
    print(*write_wished(found, wish, folder), sep="\n")
    if options.pictures:
        print(f"The lone pictures are in {folder / 'pictures'}.", file=sys.stderr)
    return 0


def _arranged(run: "Run", options: argparse.Namespace) -> "Arrangement":
    from ohwx_compare.look.arrangement import arranged, axis_named, values_named

    named: dict[int, list[str]] = {}
    for text in options.show:
        axis, equals, value = text.partition("=")
        if not (equals and value):
            raise ExperimentError(f"--show takes AXIS=VALUE, as seed=10, got {text!r}.")
        named.setdefault(axis_named(run.experiment, axis), []).append(value.strip())
    return arranged(
        run,
        [axis_named(run.experiment, name) for name in options.columns],
        [axis_named(run.experiment, name) for name in options.rows],
        {i: values_named(run.experiment.axes[i], run.experiment.labels_of(i), names) for i, names in named.items()},
        swap=options.swap,
    )


def _empty(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ExperimentError(f"{folder} is not empty; give a new folder.")
    return folder
