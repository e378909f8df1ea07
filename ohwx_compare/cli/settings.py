"""`--set NAME=VALUE`: settings of a picture that no infotext of the webui's tells."""

import argparse
from collections.abc import Sequence
from typing import Any

from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["SETTABLE", "add_set_flag", "read_settings"]

SETTABLE = (
    "unipc_variant", "unipc_skip_type", "unipc_order", "unipc_lower_order_final", "comma_backtrack", "clip_l_skip",
    "fix_steps", "resize_mode", "color_correction", "overlay", "hires_first_loras", "upscaler_tile",
    "upscaler_overlap",
)  # fmt: skip


def add_set_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag to a command that reads infotexts."""
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting that the webui writes into no infotext, for all pictures: " + ", ".join(SETTABLE) + " (as "
        "a job's fields in an experiment file); may be repeated",
    )


def read_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Fields of `Job` and their values. Raises ExperimentError for a name that is not settable or another type."""
    return dict(map(_read, pairs))


def _read(pair: str) -> tuple[str, Any]:
    name, equals, text = (part.strip() for part in pair.partition("="))
    if name not in SETTABLE or not equals:
        raise ExperimentError(f"--set takes NAME=VALUE, got {quoted(pair)}; {did_you_mean(name, SETTABLE)}")
    wanted: Any = getattr(Job, name)  # its default, whose type it has
    if isinstance(wanted, str):
        return name, text
    try:
        value = decode_json(text.lower())
    except ValueError:
        value = text
    if type(value) is not type(wanted):
        expected = "true or false" if isinstance(wanted, bool) else "a whole number"
        raise ExperimentError(f"--set {name} is {quoted(text)}, expected {expected}.")
    return name, value
