"""What a comparison will cost, shown in the panel before Generate is pressed. Nothing is generated or loaded.

The arithmetic is `compare/cost`'s; here the webui is read and the words are found.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from modules import processing

from ohwx_compare.compare.cost.forecast import Forecast, forecast
from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.compare.resolve import Resolve, among
from ohwx_compare.core.experiment.kind import PicturePart
from ohwx_compare.core.request.hires import LATENT_UPSCALERS
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError, OhwxError
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.memory import free_bytes
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import as_shown, listed_checkpoints, listed_files, runs_folder
from ohwx_compare.hosts.webui.generation.loading import known_sha256
from ohwx_compare.hosts.webui.hashes import webui_hashes
from ohwx_compare.hosts.webui.request.context import TabContext
from ohwx_compare.hosts.webui.request.given import style_library, tabs_of
from ohwx_compare.hosts.webui.request.known import require_known_names, require_vae
from ohwx_compare.hosts.webui.request.request import Request, read_request
from ohwx_compare.words import counted

__all__ = ["estimate_html", "estimate_of", "known_file"]


def estimate_html(fields: Mapping[str, Any], arguments: Sequence[Any], adetailer: Sequence[Any] = ()) -> str:
    """The cost as HTML, or in one sentence why this cannot be generated.

    fields: values of the tab's own components, by the name their elem_id ends with ("steps", "width", ...).
    adetailer: values of ADetailer's components.
    """
    if why := features.refusal():
        return f'<p class="ohwx-estimate">{html.escape(why)}</p>'
    try:
        return _told(_estimated(fields, arguments, adetailer))
    except OhwxError as error:
        return f'<p class="ohwx-estimate">{html.escape(as_shown(str(error)))}</p>'


def _estimated(fields: Mapping[str, Any], arguments: Sequence[Any], adetailer: Sequence[Any]) -> Forecast:
    library = style_library()
    count, size = (max(int(fields.get(name) or 1), 1) for name in ("batch_count", "batch_size"))
    given = TabContext(
        styles=tuple(library[name] for name in fields.get("styles") or [] if name in library),
        known_styles=library,
        adetailer=lambda: tabs_of(adetailer),
        is_before_schedules=features.schedules() is None,
        part=_stand_in,
    )
    request = read_request(arguments, _job(fields), count * size, given)
    told = estimate_of(request, listed_checkpoints(), batch=size)
    if told.plan.missing:  # perhaps new since the folders were read
        listed_files.cache_clear()
        told = estimate_of(request, listed_checkpoints(), batch=size)
    return told


def _stand_in(part: PicturePart) -> dict[str, Any]:
    """A part of the picture that an axis varies, taken to be on: the run looks at the tab's own."""
    if part is PicturePart.REFINER:
        return {"refiner": next(iter(listed_files()), None)}
    return {} if part is PicturePart.VARIATION else {"hires_upscaler": LATENT_UPSCALERS[0]}


def estimate_of(request: Request, checkpoints: Sequence[Checkpoint], *, batch: int) -> Forecast:
    """What `request` costs besides what its folder holds, with these files; none of them is read whole."""
    from ohwx_compare.hosts.webui.request.comparison import run_folder

    try:
        own = run_folder(request)
    except ExperimentError:  # a name that no folder can have: said when the run is started
        own = None
    require_vae()
    require_known_names(request.experiment, stood_in=bool(own and (own / LEDGER_FILE).is_file()))
    resolve, hashes = known_file(checkpoints), webui_hashes()
    return forecast(request.experiment, resolve, batch=batch, own=own, runs=runs_folder(), hashes=hashes)


def known_file(checkpoints: Sequence[Checkpoint]) -> Resolve:
    """Which of `checkpoints` a reference means, by names and the hashes that are known; no file is read whole.

    The webui's own cache of hashes, which goes by time, is asked too: this decides nothing.
    """
    hashes = webui_hashes()
    return among(checkpoints, lambda path: hashes.seems(path) or known_sha256(path))


def _job(fields: Mapping[str, Any]) -> Job:
    """The tab's one picture, as `comparison.base_job` reads it from a processing object."""
    from ohwx_compare.hosts.webui.request.comparison import sampler_of

    has_scheduler = "scheduler" in fields
    sampler, schedule = sampler_of(
        fields.get("sampling") or Job.sampler, fields.get("scheduler"), has_scheduler=has_scheduler
    )
    is_img2img = "denoising_strength" in fields
    return Job(
        prompt=fields.get("prompt") or "",
        negative=fields.get("neg_prompt") or "",
        seed=int(processing.get_fixed_seed(fields.get("seed", -1))),
        steps=int(fields.get("steps") or Job.steps),
        sampler=sampler,
        schedule=schedule,
        cfg=float(fields.get("cfg_scale") or Job.cfg),
        width=int(fields.get("width") or Job.width),
        height=int(fields.get("height") or Job.height),
        denoise=float(fields["denoising_strength"]) if is_img2img else None,
        rng=features.noise_source(),
        clip_skip=features.clip_skip(),
    )


def _told(told: Forecast) -> str:
    planned, free = told.plan, free_bytes(runs_folder())
    faces = f", {counted(planned.inpaints, 'face')}" if planned.inpaints else ""
    said = [
        f"<b>{counted(planned.cells, 'cell')}</b>: {counted(planned.renders, 'picture')}{faces}, "
        f"{counted(planned.switches, 'checkpoint load')}",
        f"{_size(planned.disk_bytes)} on disk ({_size(free)} free)",
    ]
    if told.seconds is not None:
        said.append(f"about {_time(told.seconds)} plus the loads, by the pace of earlier runs")
    if planned.missing:
        said.append(f"not found: {', '.join(map(html.escape, planned.missing))}")
    if planned.disk_bytes > free:
        said.append("the disk has too little room for that")
    return f'<p class="ohwx-estimate">{"; ".join(said)}.</p>'


def _size(count: float) -> str:
    if count < 1e6:
        return f"{count / 1e3:,.0f} KB"
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
