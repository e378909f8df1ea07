"""The button "Put a toy model here"."""

from pathlib import Path

from modules import paths

from ohwx_compare.errors import HostError
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.generation.loading import knows_sizes_by_heart, list_again
from ohwx_compare.hosts.webui.generation.toy import models_folder, register_encoder

__all__ = ["put_toy", "toy_training"]


def toy_training() -> dict[str, str] | None:
    """The toy's base checkpoint and the folder of its training pictures, as a recipe names them; None without them."""
    from ohwx_compare.toy.checkpoint import TOY
    from ohwx_compare.toy.for_webui import FOLDER, TOY_PICTURES

    pictures = models_folder() / FOLDER / TOY_PICTURES
    if not pictures.is_dir():
        return None
    data = Path(paths.data_path)
    shown = pictures.relative_to(data) if pictures.is_relative_to(data) else pictures
    return {"base": f"{FOLDER}/{TOY}", "train": shown.as_posix()}


def put_toy() -> str:
    """Put the toy checkpoint and its face detector into the webui's folders, ready to be loaded.

    Returns what can be selected now, in a sentence. Raises HostError where the webui could not load it, or its folders
    cannot be written to.
    """
    if why := features.refusal():
        raise HostError(why)
    if knows_sizes_by_heart():
        raise HostError(
            "This webui loads no model but of the sizes that it knows by heart, so not the toy. Use it in "
            "AUTOMATIC1111, or with the command line ohwx."
        )
    from ohwx_compare.toy.checkpoint import TOY
    from ohwx_compare.toy.face_detector import DETECTOR
    from ohwx_compare.toy.for_webui import FOLDER, put_into_webui

    try:
        put_into_webui(models_folder())
    except OSError as error:
        raise HostError(
            f"The toy model cannot be put into {models_folder()}: {error.strerror or error}. Free some space, or "
            "let the webui write there."
        ) from error
    register_encoder()
    list_again()
    theirs = " ADetailer's own list shows the detector after Reload UI." if features.has_adetailer() else ""
    return (
        f"The checkpoint {FOLDER}/{TOY} and the detector {DETECTOR} can be selected now. Its pictures want "
        f"96 x 96 px, 12 steps and CFG 3.{theirs} To train it, choose the preset toy in the tab ohwx train."
    )
