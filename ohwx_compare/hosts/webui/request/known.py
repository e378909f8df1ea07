"""What this webui offers as the values of an axis."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from modules import sd_samplers, shared

from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext.sampler_names import one_name, split_sampler
from ohwx_compare.core.request.face import CASCADE, FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import MERGES, SORTS, TOP_K_BY
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.detectors import detector_file, missing_detector
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import detector_folders, detector_names
from ohwx_compare.hosts.webui.request.given import style_library
from ohwx_compare.words import did_you_mean

__all__ = ["known_values", "require_detectors", "require_known_names", "require_ready"]

_LORA = re.compile(r"<lora:([^:>]+)")


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


def require_known_names(experiment: Experiment, *, stood_in: bool = False) -> None:
    """Raise ExperimentError or DetectorError for the first name that this webui does not have.

    Samplers, schedules, LoRAs and detectors of every cell and face. stood_in: the run to be resumed did without some.
    """
    cells = experiment.cells()
    named = dict.fromkeys(one for cell in cells for one in _named_by(cell.job, cell.faces))
    for what, name in named:
        if what == "face detector":
            require_detectors([] if stood_in else [name])
        elif name not in (known := _known(what)):
            hint = did_you_mean(name, known) if known else "it has none."
            raise ExperimentError(f"This webui has no {what} {name!r}; {hint}")
    if features.schedules() is None:
        both = dict.fromkeys(one_name(cell.job.sampler, cell.job.schedule) for cell in cells)
        if other := [name for name in both if name not in _visible()]:
            raise ExperimentError(f"This webui has no sampler {other[0]!r}; {did_you_mean(other[0], _visible())}")


def require_detectors(names: Iterable[str]) -> None:
    """Raise DetectorError for the first face detector that is not there, naming those that are."""
    for name in names:
        if name != CASCADE and detector_file(name, detector_folders()) is None:
            raise missing_detector(name, detector_folders())


def require_ready(p: Any) -> None:
    """Raise ExperimentError where `p` has a refiner, which would replace each checkpoint, or an unknown upscaler."""
    if name := features.refiner_of(p):
        raise ExperimentError(f"The refiner {name} is on: it would replace each checkpoint. Switch the Refiner off.")
    upscaler = features.field_of(p, "hr_upscaler") if features.field_of(p, "enable_hr") else None
    if upscaler and upscaler not in (known := features.upscalers()) and known:
        raise ExperimentError(f"This webui has no upscaler {upscaler!r}; {did_you_mean(upscaler, known)}")


def _named_by(job: Job, tabs: Iterable[FaceSettings]) -> Iterator[tuple[str, str]]:
    yield "sampler", job.sampler
    yield "schedule", job.schedule
    yield from (("LoRA", name) for name in _LORA.findall(job.prompt))
    for tab in tabs:
        yield "face detector", tab.model
        yield from (("LoRA", name) for name in _LORA.findall(tab.prompt))
        if tab.sampler is not None:
            yield "sampler", tab.sampler
        if tab.schedule is not None:
            yield "schedule", tab.schedule


def _known(what: str) -> list[str]:
    if what == "LoRA":
        return features.lora_names()
    if what == "schedule":
        return list(dict.fromkeys(("Automatic", "Uniform", *_schedules())))
    return list(dict.fromkeys(split_sampler(name, None, None)[0] for name in _visible()))
