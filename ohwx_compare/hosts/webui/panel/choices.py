"""What the panel offers in this webui."""

from ohwx_compare.hosts.webui.folders import listed_checkpoints
from ohwx_compare.hosts.webui.generation.loading import list_again
from ohwx_compare.hosts.webui.panel.panel import Choices
from ohwx_compare.hosts.webui.request.given import has_adetailer
from ohwx_compare.hosts.webui.request.known import known_values

__all__ = ["choices"]


def choices() -> Choices:
    """All of it; the checkpoints as their folders were last read."""
    return Choices(_names, known_values, _refresh, has_adetailer)


def _names() -> list[str]:
    return [checkpoint.name for checkpoint in listed_checkpoints()]


def _refresh() -> None:
    list_again()
    listed_checkpoints.cache_clear()
