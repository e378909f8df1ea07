"""What the panel offers in this webui."""

from collections.abc import Sequence
from functools import cache

from ohwx_compare.errors import OhwxError
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import checkpoints_here, listed_files
from ohwx_compare.hosts.webui.panel.panel import Choices
from ohwx_compare.hosts.webui.request.offered import known_values

__all__ = ["choices"]


def choices() -> Choices:
    """All of it; the checkpoints as their folders were last read."""
    return Choices(_names, known_values, _found, _find, _refresh, features.has_adetailer)


def _names() -> list[str]:
    return list(listed_files())


@cache
def _found(kind: str) -> Sequence[str]:
    """For the webui's start, which builds both panels: folders of detectors are walked once."""
    return known_values(kind)


def _find(references: Sequence[str]) -> list[str]:
    """By hash too; what no file answers to keeps the name that the text has, and the cost says so."""
    from ohwx_compare.core.experiment.axes import CheckpointRef
    from ohwx_compare.hosts.webui.request.cost import known_file

    resolve, found = known_file(checkpoints_here()), []
    for reference in references:
        try:
            found.append(resolve(CheckpointRef.parse(reference)).name)
        except OhwxError:
            found.append(reference)
    return list(dict.fromkeys(found))


def _refresh() -> None:
    from ohwx_compare.hosts.webui.generation.loading import list_again

    list_again()
    listed_files.cache_clear()
