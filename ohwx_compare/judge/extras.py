"""Packages that are not required: a measure that wants one names the extra of the command line that has it."""

from importlib import import_module
from typing import Any

from ohwx_compare.errors import MeasureError

__all__ = ["extra_module"]


def extra_module(name: str, extra: str) -> Any:
    """The module of an optional package. Raises MeasureError that says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MeasureError(
            f"{name} cannot be imported ({error}). It comes with the extra [{extra}]: "
            f"`pip install 'sd-webui-ohwx-compare[{extra}]'`."
        ) from error
