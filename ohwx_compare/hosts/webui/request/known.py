"""What this webui offers as the values of an axis."""

from collections.abc import Sequence

from modules import sd_samplers, shared

from ohwx_compare.core.infotext.sampler_names import split_sampler
from ohwx_compare.core.request.limits import MERGES, SORTS, TOP_K_BY
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import detector_names
from ohwx_compare.hosts.webui.request.given import style_library

__all__ = ["known_values"]


def known_values(kind: str) -> Sequence[str]:
    """The values that an axis of this kind can have; () where they cannot be listed."""
    lists = {
        "styles": lambda: list(style_library()),
        "sampler": _samplers,
        "face sampler": _samplers,
        "schedule": _schedules,
        "face schedule": _schedules,
        "face model": detector_names,
        "face pass": lambda: ("on", "off"),
        "face only masked": lambda: ("on", "off"),
        "face sort": lambda: SORTS,
        "face merge": lambda: MERGES,
        "face top k by": lambda: TOP_K_BY,
    }
    return lists[kind]() if kind in lists else ()


def _samplers() -> list[str]:
    hidden = set(shared.opts.data.get("hide_samplers") or ())
    names = [name for name in _visible() if name not in hidden]
    return list(dict.fromkeys(split_sampler(name, None, None)[0] for name in names))


def _visible() -> list[str]:
    return [sampler.name for sampler in sd_samplers.all_samplers]


def _schedules() -> list[str]:
    return features.schedules() or list(dict.fromkeys(split_sampler(name, None, None)[1] for name in _visible()))
