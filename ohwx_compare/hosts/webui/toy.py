"""The toy checkpoint in this webui: loadable where it was asked for (toy/for_webui.py), else nothing."""

from pathlib import Path

from modules import paths

__all__ = ["register_encoder"]

_FILE = Path("ohwx-toy", "ohwx-toy-bigG.json")  # below the models folder; written out, for the entry loads no torch


def register_encoder() -> None:
    """Tell open_clip the sizes of the toy checkpoint's second text encoder, if its folder is there.

    Before the webui loads its first checkpoint, which may be a toy one; so when the entry is loaded.
    """
    path = Path(paths.models_path) / _FILE
    if path.is_file():
        import open_clip  # the webui's own

        open_clip.add_model_config(path)
