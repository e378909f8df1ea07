"""The toy checkpoint in this webui: it can be loaded where it was put on request (toy/for_webui.py)."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from modules import paths

from ohwx_compare.errors import HostError

if TYPE_CHECKING:
    from ohwx_compare.files.checkpoint import Header

__all__ = ["describe_toy", "models_folder", "register_encoder"]

_FILE = Path("ohwx-toy", "ohwx-toy-bigG.json")  # below the models folder; written out, for the entry loads no torch


def register_encoder() -> None:
    """Tell open_clip the sizes of the toy checkpoint's second text encoder, if its folder is there.

    Before the webui loads its first checkpoint, which may be a toy one; so when the entry is loaded.
    """
    path = models_folder() / _FILE
    if path.is_file():
        with suppress(ImportError):  # a webui without it, which was given the toy all the same
            import open_clip  # the webui's own

            open_clip.add_model_config(path)


def describe_toy(header: "Header") -> None:
    """Write the .yaml beside a checkpoint of the toy's sizes, such as one trained from it, where it has none.

    Only in a webui that was given the toy. Raises HostError where it cannot be written.
    """
    if not (models_folder() / _FILE).is_file() or header.path.with_suffix(".yaml").exists():
        return
    from ohwx_compare.toy.for_webui import is_of_toy_sizes, write_config

    if is_of_toy_sizes(header):
        try:
            write_config(header.path, models_folder())
        except OSError as error:
            raise HostError(
                f"The webui needs a .yaml beside {header.path}, which cannot be written: {error.strerror or error}."
            ) from error


def models_folder() -> Path:
    """The webui's `models`."""
    return Path(paths.models_path)
