"""The hashes of this webui's checkpoint files: each is read whole once as long as the webui runs, whoever asks."""

from functools import cache

from ohwx_compare.core.events import Event, Listener
from ohwx_compare.files.hashes import Hashes, Known, cache_folder
from ohwx_compare.hosts.webui.settings import TRUST_SAMPLES, setting

__all__ = ["webui_hashes"]


def _silent(event: Event) -> None:
    """Hear nothing."""


def webui_hashes(tell: Listener = _silent) -> Hashes:
    """What is known of the files. tell: hears of large files that are read whole."""
    return Hashes(cache_folder(), trusts_samples=bool(setting(TRUST_SAMPLES)), tell=tell, known=_known())


@cache
def _known() -> Known:
    return {}
