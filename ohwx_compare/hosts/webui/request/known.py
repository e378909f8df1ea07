"""Names that this webui does not have: said before anything is generated."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ohwx_compare.compare.resolve import among
from ohwx_compare.core.experiment.axes import KINDS, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.kind import PicturePart
from ohwx_compare.core.infotext.sampler_names import one_name
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.detectors import has_detector, missing_detector
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import checkpoints_here, detector_folders
from ohwx_compare.hosts.webui.generation import loading
from ohwx_compare.hosts.webui.generation.sampling import sampling_overrides
from ohwx_compare.hosts.webui.hashes import webui_hashes
from ohwx_compare.hosts.webui.request.offered import all_samplers, all_schedules, whole_names
from ohwx_compare.words import did_you_mean

__all__ = ["fields_of", "require_detectors", "require_known_names", "require_ready", "require_vae"]

_NETWORK = re.compile(r"<(lora|lyco|hypernet):([^:>]+)")


def fields_of(experiment: Experiment) -> frozenset[str]:
    """The fields of jobs that its axes set."""
    return frozenset(field for axis in experiment.axes for field in KINDS[axis.kind].fields)


def require_known_names(experiment: Experiment, *, stood_in: bool = False) -> None:
    """Raise ExperimentError or DetectorError for the first name that this webui does not have, CheckpointError for a
    checkpoint, HostError for a setting that it lacks.

    Samplers, schedules, LoRAs, hypernets and detectors of every cell and face. stood_in: the run to be resumed did
    without some.
    """
    cells = experiment.cells()
    named = dict.fromkeys(one for cell in cells for one in _named_by(cell.job, cell.faces))
    told = fields_of(experiment)
    for job in dict.fromkeys(cell.job for cell in cells):
        sampling_overrides(job, told)
    for what, name in named:
        if what == "checkpoint":
            _require_checkpoint(name)
        elif what == "face detector":
            require_detectors([] if stood_in else [name])
        elif what == "VAE" and (flag := features.vae_of_command_line()):
            raise ExperimentError(
                f"The webui was started with the VAE {flag}, which it uses whatever is asked for; start it without, or "
                f"leave the VAE {name!r} out."
            )
        elif name not in _known(what):
            raise _unknown(what, name)
    if features.schedules() is None:
        both = dict.fromkeys(one_name(cell.job.sampler, cell.job.schedule) for cell in cells)
        if other := [name for name in both if name not in whole_names()]:
            raise ExperimentError(f"This webui has no sampler {other[0]!r}; {did_you_mean(other[0], whole_names())}")


def _require_checkpoint(name: str) -> None:
    """Raise CheckpointError for a refiner or another checkpoint in a picture that is not there, ExperimentError where
    this webui cannot change it within one.
    """
    if loading.loads_for_next_picture():
        raise ExperimentError(f"This webui draws no picture with a second checkpoint; leave {name} out.")
    among(checkpoints_here(), webui_hashes().seems)(CheckpointRef.parse(name))


def require_detectors(names: Iterable[str]) -> None:
    """Raise DetectorError for the first face detector that is not there, naming those that are."""
    for name in names:
        if not has_detector(name, detector_folders()):
            raise missing_detector(name, detector_folders())


def require_vae(named: str | None = None) -> None:
    """Raise ExperimentError unless the VAE is there, `named` for one picture or by the settings.

    The webui says no more than a line in its console, and generates with the checkpoint's own.
    """
    if flag := features.vae_of_command_line():
        if not Path(flag).is_file():
            raise ExperimentError(f"The webui was started with the VAE {flag}, which is not there; start it again.")
        return
    if not features.has_option("sd_vae") or loading.loads_for_next_picture():  # or it has that setting and heeds it not
        return
    name = named or str(features.option("sd_vae", "Automatic"))
    if name not in ("auto", "", *(known := loading.vae_names())):
        raise ExperimentError(f"This webui has no VAE {name!r}, which is chosen as SD VAE; {did_you_mean(name, known)}")


def require_ready(p: Any, experiment: Experiment) -> None:
    """Raise ExperimentError where `p` has a checkpoint besides those compared, or names what is not there.

    A refiner or hires fix's own checkpoint that no axis is about; VAE, and what hires fix names.
    """
    require_vae(p.override_settings.get("sd_vae"))
    kinds = [KINDS[axis.kind] for axis in experiment.axes]
    if (name := features.refiner_of(p)) and not any(kind.part is PicturePart.REFINER for kind in kinds):
        raise ExperimentError(f"The refiner {name} is on: it would replace each checkpoint. Switch the Refiner off.")
    if not features.field_of(p, "enable_hr"):
        return
    if (name := features.hires_checkpoint(p)) and not any("hires_checkpoint" in kind.fields for kind in kinds):
        raise ExperimentError(
            f"Hires fix has the checkpoint {name}: it would replace each checkpoint. Set it to the same checkpoint."
        )
    named = [("upscaler", features.field_of(p, "hr_upscaler")), ("sampler", features.field_of(p, "hr_sampler_name"))]
    for what, name in (*named, *_networks(features.field_of(p, "hr_prompt") or "")):
        if name and name not in ("Use same sampler", *_known(what)):
            raise _unknown(what, name)


def _unknown(what: str, name: str) -> ExperimentError:
    known = _known(what)
    hint = did_you_mean(name, known) if known else "it has none."
    return ExperimentError(f"This webui has no {what} {name!r}; {hint}")


def _named_by(job: Job, tabs: Iterable[FaceSettings]) -> Iterator[tuple[str, str]]:
    yield "sampler", job.sampler
    yield "schedule", job.schedule
    yield from _networks(job.prompt)
    if job.vae is not None:
        yield "VAE", job.vae
    if job.refiner:
        yield "checkpoint", job.refiner
    if job.hires_upscaler is not None:
        yield "upscaler", job.hires_upscaler
        if job.hires_checkpoint:
            yield "checkpoint", job.hires_checkpoint
        yield from _networks(job.hires_prompt)
        yield from (
            (what, name) for what, name in (("sampler", job.hires_sampler), ("schedule", job.hires_schedule)) if name
        )
    if job.img2img_upscaler != "None":
        yield "upscaler", job.img2img_upscaler
    for tab in tabs:
        if tab.vae is not None:
            yield "VAE", tab.vae
        if tab.checkpoint is not None:
            yield "checkpoint", tab.checkpoint
        yield "face detector", tab.model
        yield from _networks(tab.prompt)
        if tab.sampler is not None:
            yield "sampler", tab.sampler
        if tab.schedule is not None:
            yield "schedule", tab.schedule


def _networks(prompt: str) -> Iterator[tuple[str, str]]:
    for kind, name in _NETWORK.findall(prompt):
        yield ("hypernet" if kind == "hypernet" else "LoRA"), name


def _known(what: str) -> list[str]:
    if what == "LoRA":
        return features.lora_names()
    if what == "VAE":
        return loading.vae_names()
    if what == "upscaler":
        return features.upscalers()
    if what == "hypernet":
        return features.hypernet_names()
    if what == "schedule":
        return list(dict.fromkeys(("Automatic", "Uniform", *all_schedules())))
    return all_samplers()
