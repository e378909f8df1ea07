"""What this webui offers as the values of an axis. Light: the panel needs it at start-up."""

from collections.abc import Sequence

from modules import sd_samplers, shared

from ohwx_compare.core.infotext.sampler_names import split_sampler
from ohwx_compare.core.request.named_values import GENERATORS, MATCHES, MERGES, SORTS, TOP_K_BY
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import detector_names, listed_files

__all__ = ["all_samplers", "all_schedules", "known_values", "whole_names"]


def known_values(kind: str) -> Sequence[str]:
    """The values that an axis of this kind can have; () where they cannot be listed."""
    lists = {
        "styles": _styles,
        "sampler": _samplers,
        "face sampler": _samplers,
        "schedule": all_schedules,
        "face schedule": all_schedules,
        "face model": detector_names,
        "vae": _vaes,
        "face vae": _vaes,
        "hires upscaler": features.upscalers,
        "hires sampler": _samplers,
        "hires schedule": all_schedules,
        "refiner": lambda: ["None", *listed_files()],
        "hires checkpoint": lambda: list(listed_files()),
        "face checkpoint": lambda: list(listed_files()),
        "rng": lambda: GENERATORS,
        "discard penultimate": lambda: ("off", "on"),
        "sgm noise": lambda: ("off", "on"),
        "lora": lambda: ["None", *features.lora_names()],
        "face pass": lambda: ("on", "off"),
        "face only masked": lambda: ("on", "off"),
        "face exact masks": lambda: ("on", "off"),
        "face sort": lambda: SORTS,
        "face same seed": lambda: ("on", "off"),
        "face match size": lambda: MATCHES,
        "face merge": lambda: MERGES,
        "face top k by": lambda: TOP_K_BY,
    }
    return lists[kind]() if kind in lists else ()


def all_samplers() -> list[str]:
    """The samplers' names without a schedule, those that the user hid too."""
    return list(dict.fromkeys(split_sampler(name, None, None)[0] for name in whole_names()))


def all_schedules() -> list[str]:
    """The schedules' names, before 1.9 those that are part of the samplers'."""
    return features.schedules() or list(dict.fromkeys(split_sampler(name, None, None)[1] for name in whole_names()))


def whole_names() -> list[str]:
    """What the webui itself calls its samplers: before 1.9 with the schedule."""
    return [sampler.name for sampler in sd_samplers.all_samplers]


def _samplers() -> list[str]:
    hidden = set(shared.opts.data.get("hide_samplers") or ())
    names = [name for name in whole_names() if name not in hidden]
    return list(dict.fromkeys(split_sampler(name, None, None)[0] for name in names))


def _styles() -> list[str]:
    from ohwx_compare.hosts.webui.request.given import style_library

    return list(style_library())


def _vaes() -> list[str]:
    from ohwx_compare.hosts.webui.generation.loading import vae_names

    return vae_names()
