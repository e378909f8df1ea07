"""From the webui's processing object and a request to a run folder."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch
from modules import devices, processing

from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.events import Event, Started
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.folder_text import folder_digests
from ohwx_compare.core.infotext.sampler_names import split_sampler
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.detect import Detector, find_detector
from ohwx_compare.errors import Interrupted, LedgerError
from ohwx_compare.files.ledger.reader import experiment_in, open_run
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.run_folders import require_run_name
from ohwx_compare.hosts.run_linear import keep_linear, linear_of_run
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import detector_folders, runs_folder
from ohwx_compare.hosts.webui.generation.host import WebuiHost
from ohwx_compare.hosts.webui.request.known import fields_of, require_known_names, require_ready
from ohwx_compare.hosts.webui.request.progress import RunProgress
from ohwx_compare.hosts.webui.request.record import SavedRequest, write_request
from ohwx_compare.hosts.webui.request.request import Request
from ohwx_compare.hosts.webui.request.sheets import write_asked_sheets
from ohwx_compare.look.page import write_page
from ohwx_compare.words import counted

__all__ = ["Compared", "base_job", "compare", "find_webui_detector", "run_folder", "sampler_of"]


def base_job(p: processing.StableDiffusionProcessing) -> Job:
    """The one picture that `p` asks for: a random seed becomes a number, the styles selected beside it are left out."""

    seed = p.seed[0] if isinstance(p.seed, list) else p.seed
    scheduler, has_scheduler = features.field_of(p, "scheduler"), features.has_scheduler(p)
    sampler, schedule = sampler_of(p.sampler_name, scheduler, has_scheduler=has_scheduler)
    is_img2img = isinstance(p, processing.StableDiffusionProcessingImg2Img)
    has_subseed = p.subseed_strength > 0
    return Job(
        prompt=p.prompt,
        negative=p.negative_prompt,
        seed=int(processing.get_fixed_seed(seed)),
        steps=int(p.steps),
        sampler=sampler,
        schedule=schedule,
        cfg=float(p.cfg_scale),
        width=int(p.width),
        height=int(p.height),
        denoise=float(p.denoising_strength) if is_img2img else None,
        subseed=int(processing.get_fixed_seed(p.subseed)) if has_subseed else 0,
        subseed_strength=float(p.subseed_strength),
        rng=p.override_settings.get("randn_source", features.noise_source()),
        clip_skip=int(p.override_settings.get("CLIP_stop_at_last_layers", features.clip_skip())),
    )


@dataclass(frozen=True)
class Compared:
    """A run after generation, and how many of its cells were generated just now."""

    run: Run
    drawn: int

    def summary(self) -> dict[str, Any]:
        """For the API: the run folder, cells generated now, and each failure as a sentence."""
        failed = [f"{cell.cell.label}: {cell.result.error}" for cell in self.run.cells if cell.result.error]
        return {"folder": str(self.run.folder), "drawn": self.drawn, "failed": failed}

    def notes(self) -> list[str]:
        """Each note of its cells once, with the number of cells that have it."""
        counts = Counter(note for cell in self.run.cells for note in cell.result.notes)
        return [f"{counted(count, 'cell')}: {note}" for note, count in counts.items()]


def sampler_of(name: str, scheduler: str | None, *, has_scheduler: bool) -> tuple[str, str]:
    """Sampler and schedule of the webui's names; before 1.9 (no scheduler) a bare name means the model's own."""
    sampler, schedule = split_sampler(name, scheduler, None)
    if not has_scheduler and schedule == "Automatic":
        schedule = "Uniform"
    return sampler, schedule


def compare(p: processing.StableDiffusionProcessing, request: Request, *, by: str = "script") -> Compared:
    """Generate what the run folder lacks, then its sheet and page; the user's checkpoint is loaded again at the end.

    by: who asks, "script" or "tab"; the folder keeps it. An earlier run of the same experiment is resumed in its
    folder. A user's Interrupt ends it early, without error. Raises what `compare.run.draw_run` raises before anything
    is generated.
    """
    folder = run_folder(request)
    experiment = request.experiment
    require_ready(p, experiment)
    require_known_names(experiment, stood_in=(folder / LEDGER_FILE).is_file())
    progress = RunProgress(folder.name, experiment.cells())
    host = WebuiHost(p, own_faces=bool(experiment.faces), told=fields_of(experiment), tell=progress)
    host.linear = linear_of_run([folder], torch.device(devices.device))
    with progress:

        def listen(event: Event) -> None:
            if isinstance(event, Started):  # the folder took the request: one that it refuses must not be resumed
                write_request(folder, SavedRequest.now(request, folder, by, _besides(p)))
                keep_linear(folder, host.linear)
            progress(event)

        try:
            result = draw_run(
                experiment,
                host,
                cache(find_webui_detector),
                folder,
                listen,
                resolve=host.resolve,
                options=Options(batch=max(p.batch_size, 1), adopt=by == "tab"),
            )
            if result.about_files:
                p.comment(result.about_files)
        except Interrupted:
            if not _is_planned(folder):
                raise
        finally:
            host.close()
        finished = open_run(folder)
        write_asked_sheets(finished, request.sheet)
        write_page(finished)
    return Compared(finished, len(progress.drawn))


def _is_planned(folder: Path) -> bool:
    try:
        experiment_in(folder)
    except LedgerError:
        return False
    return True


def run_folder(request: Request) -> Path:
    """The folder of `request`: its own name, the folder of an earlier run of the same experiment, or a new one.

    Raises ExperimentError for a name that is more than one folder's.
    """
    own = require_run_name(request.name) if request.name else _folder_name(request.experiment, runs_folder())
    return runs_folder() / own


def find_webui_detector(name: str) -> Detector:
    """The detector of that name in the webui's folders, on its device. Raises DetectorError."""
    return find_detector(name, detector_folders(), device=str(devices.device))


def _besides(p: processing.StableDiffusionProcessing) -> str:
    """What `p` draws with that no request says, and the tab could not go on with."""
    kinds = {"hires fix": features.field_of(p, "enable_hr"), "tiling": features.field_of(p, "tiling")}
    return " and ".join(name for name, is_on in kinds.items() if is_on)


def _folder_name(experiment: Experiment, folder: Path) -> str:
    """The newest folder of this experiment, whichever version named it; a new name where there is none."""
    digests = folder_digests(experiment)
    earlier = sorted(found.name for digest in digests for found in folder.glob(f"*-{digest}"))
    return earlier[-1] if earlier else f"{datetime.now():%Y-%m-%d %H-%M}-{digests[0]}"
