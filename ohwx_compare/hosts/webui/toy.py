"""The toy checkpoint in this webui: loadable where it was asked for (toy/for_webui.py), else nothing."""

from pathlib import Path

from modules import paths, sd_models

from ohwx_compare.errors import HostError
from ohwx_compare.files.checkpoint import Header
from ohwx_compare.hosts.webui.given import has_adetailer

__all__ = ["describe_toy", "put_toy", "register_encoder"]

_FILE = Path("ohwx-toy", "ohwx-toy-bigG.json")  # below the models folder; written out, for the entry loads no torch


def register_encoder() -> None:
    """Tell open_clip the sizes of the toy checkpoint's second text encoder, if its folder is there.

    Before the webui loads its first checkpoint, which may be a toy one; so when the entry is loaded.
    """
    path = _models() / _FILE
    if path.is_file():
        import open_clip  # the webui's own

        open_clip.add_model_config(path)


def put_toy() -> str:
    """Put the toy checkpoint and its face detector into the webui's folders, to be loaded at once.

    Returns what can be chosen now, in a sentence. Raises HostError where the folders cannot be written into.
    """
    from ohwx_compare.toy.for_webui import DETECTOR, FOLDER, TOY, put_into_webui

    try:
        put_into_webui(_models())
    except OSError as error:
        raise HostError(
            f"The toy model cannot be put into {_models()}: {error.strerror or error}. Free some space, or let the "
            "webui write there."
        ) from error
    register_encoder()
    sd_models.list_models()
    theirs = "; ADetailer's own list has the second after Reload UI" if has_adetailer() else ""
    return f"{FOLDER}/{TOY} and {DETECTOR} can be chosen now{theirs}."


def describe_toy(header: Header) -> None:
    """Write the .yaml beside a checkpoint of the toy's sizes, such as one trained from it, where it has none.

    Only in a webui that was given the toy. Raises HostError where it cannot be written.
    """
    if not (_models() / _FILE).is_file() or header.path.with_suffix(".yaml").exists():
        return
    from ohwx_compare.toy.for_webui import is_of_toy_sizes, write_config

    if is_of_toy_sizes(header):
        try:
            write_config(header.path, _models())
        except OSError as error:
            raise HostError(
                f"The webui needs a .yaml beside {header.path}, which cannot be written: {error.strerror or error}."
            ) from error


def _models() -> Path:
    return Path(paths.models_path)
