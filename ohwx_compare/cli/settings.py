"""`--set NAME=VALUE`: settings of a picture that no infotext of the webui's tells."""

import argparse
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.infotext.sampling_keys import keys_of
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.errors import ExperimentError
from ohwx_compare.hosts.overrides import job_field
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["SETTABLE", "add_set_flag", "read_settings"]

SETTABLE = (
    "unipc_variant", "unipc_skip_type", "unipc_order", "unipc_lower_order_final", "comma_backtrack", "clip_l_skip",
    "fix_steps", "resize_mode", "color_correction", "overlay", "hires_first_loras", "upscaler_tile",
    "upscaler_overlap", "img2img_upscaler", "background", "sde_drawn_seed",
)  # fmt: skip


_OLD = MappingProxyType(
    {  # of the webui's, for pictures of its early versions
        "use_old_karras_scheduler_sigmas": "add 'Schedule min sigma: 0.1, Schedule max sigma: 10' to the text instead.",
        "use_old_hires_fix_width_height": "the text tells what it did: as Size and Hires resize.",
        "enable_batch_seeds": "no webui since 1.7 heeds it: leave it out.",
    }
)


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
    """Fields of `Job` and their values. Raises ExperimentError for a name that is not settable or a wrong value."""
    found = dict(map(_read, pairs))
    require_valid(Job(prompt="", seed=0, **found))
    return found


def _advice(name: str) -> str:
    """What helps whoever named a setting that cannot be set."""
    field = job_field(name) or name
    keys = keys_of({field})
    if name in _OLD:
        return _OLD[name]
    if field in SETTABLE and field != name:
        return f"the webui's {name} is called {field} here."
    return f"it stands in the text: add '{keys[0]}: ...'." if keys else did_you_mean(name, SETTABLE)


def _read(pair: str) -> tuple[str, Any]:
    name, equals, text = (part.strip() for part in pair.partition("="))
    if name not in SETTABLE or not equals:
        raise ExperimentError(f"--set takes NAME=VALUE, got {quoted(pair)}; {_advice(name)}")
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
