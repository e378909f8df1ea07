"""The files of a folder and of all below it. Light: a webui's start needs it."""

import os
from collections.abc import Sequence
from pathlib import Path

from ohwx_compare.errors import CheckpointError

__all__ = ["CHECKPOINT_SUFFIX", "VAE_BESIDE", "list_checkpoints", "list_files"]

CHECKPOINT_SUFFIX = ".safetensors"
VAE_BESIDE = (".vae.safetensors", ".vae.pt", ".vae.ckpt")
"""How the webui tells VAEs among checkpoints."""


def list_checkpoints(folder: Path) -> list[str]:
    """Every .safetensors file in `folder` and below that is not named as a VAE, as `list_files`."""
    return [name for name in list_files(folder, (CHECKPOINT_SUFFIX,)) if not name.lower().endswith(VAE_BESIDE)]


def list_files(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """Every file of these suffixes in `folder` and below, as relative names with "/", sorted without regard to case.

    Links to folders are followed; each folder is listed once. Raises CheckpointError where the folder does not exist.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder; give the folder that holds the checkpoints.")
    names, seen = [], set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        here = Path(parent)
        if (real := here.resolve()) in seen:
            folders.clear()  # linked folders may go in circles
            continue
        seen.add(real)
        folders.sort()
        paths = (here / name for name in files if Path(name).suffix.lower() in suffixes)
        names += [path.relative_to(folder).as_posix() for path in paths if path.is_file()]
    return sorted(names, key=lambda name: (name.casefold(), name))
