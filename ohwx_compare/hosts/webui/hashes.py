"""The hashes of this webui's checkpoint files: each is read whole once as long as the webui runs, whoever asks."""

from functools import cache

from ohwx_compare.core.events import Event, Listener
from ohwx_compare.errors import NotHereError
from ohwx_compare.files.hashes import Hashes, Known, cache_folder
from ohwx_compare.hosts.webui.folders import checkpoints_here
from ohwx_compare.hosts.webui.settings import TRUST_SAMPLES, setting

__all__ = ["sha256_of_file", "webui_hashes"]


def _silent(event: Event) -> None:
    """Hear nothing."""


def webui_hashes(tell: Listener = _silent) -> Hashes:
    """What is known of the files. tell: hears of large files that are read whole."""
    return Hashes(cache_folder(), trusts_samples=bool(setting(TRUST_SAMPLES)), tell=tell, known=_known())


def sha256_of_file(name: str) -> str:
    """Of the checkpoint file as it is now, whatever the webui remembers of it; read whole where nothing proves it the
    same as before.

    name: below the folders, "/" between. Raises NotHereError, CheckpointError.
    """
    found = next((one.path for one in checkpoints_here() if one.name == name), None)
    if found is None:
        raise NotHereError("There is no such checkpoint here.")
    return webui_hashes()(found)


@cache
def _known() -> Known:
    return {}
