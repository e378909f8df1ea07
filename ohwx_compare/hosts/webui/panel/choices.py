"""What the panel offers in this webui."""

from ohwx_compare.hosts.webui.folders import checkpoint_names
from ohwx_compare.hosts.webui.generation.loading import list_again
from ohwx_compare.hosts.webui.panel.panel import Choices
from ohwx_compare.hosts.webui.request.given import has_adetailer
from ohwx_compare.hosts.webui.request.known import known_values

__all__ = ["choices"]


def choices() -> Choices:
    """All of it."""
    return Choices(checkpoint_names, known_values, list_again, has_adetailer)
