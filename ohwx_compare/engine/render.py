"""Jobs in, pictures out: txt2img and img2img with one checkpoint.

Jobs that differ only in texts, seeds and CFG scale become one batch; a picture does not depend on its batch
beyond float rounding. Latents and levels are float32, each module runs in its own dtype.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ohwx_compare.core.prompt.networks import networks
from ohwx_compare.core.prompt.parts import strip_tags
from ohwx_compare.core.request.job import Job, SoftInpaint
from ohwx_compare.core.request.steps import steps_run
from ohwx_compare.engine.adaptive import dpm_adaptive
from ohwx_compare.engine.autoencode import decode_all, encode_all
from ohwx_compare.engine.conditioning import Conditioning, condition
from ohwx_compare.engine.denoiser import Blend, Denoiser, Guidance, Handover
from ohwx_compare.engine.noise import Brownian, ImageNoise, drawn_seed, pick_source
from ohwx_compare.engine.route import Route, find_route
from ohwx_compare.engine.rows import SolverRow
from ohwx_compare.engine.running import Counter, sample
from ohwx_compare.engine.samplers import Solver, find_solver
from ohwx_compare.engine.tiling import tiled
from ohwx_compare.engine.weights import LoadedUNet, Model
from ohwx_compare.errors import ExperimentError, HostError
from ohwx_compare.files.colours import with_colours_of
from ohwx_compare.files.masks import Resize, fitted, stretch

__all__ = [
    "ALONE",
    "Before",
    "DrawnLatents",
    "ModelOf",
    "NotedImage",
    "Start",
    "Supply",
    "canvas_of",
    "coloured",
    "conditionings",
    "decode_batch",
    "draw_batch",
    "draw_latents",
    "encode_start",
    "img2img",
    "job_batches",
    "latents",
    "txt2img",
]


_OWN = frozenset({  # of a batch's jobs
    "prompt", "negative", "seed", "subseed", "subseed_strength", "cfg", "clip_skip", "hires_prompt", "hires_negative",
})  # fmt: skip


@dataclass(frozen=True)
class NotedImage:
    """A finished picture (RGB) and what a person should know about how it came to be."""

    image: Image.Image
    notes: tuple[str, ...] = ()
    layer: Image.Image | None = None  # RGBA, of soft inpainting: what lies over what was drawn


@dataclass(frozen=True)
class Start:
    """Where img2img starts: `latents` (B, 4, h, w) float32 and, for an inpaint, `mask` (B, 1, h, w), 1 = inpaint."""

    latents: Tensor
    mask: Tensor | None
    notes: tuple[tuple[str, ...], ...]  # one tuple an image
    soft: SoftInpaint | None = None


ModelOf = Callable[[Job], Model]
"""What a job's checkpoint, VAE and prompt ask for; the one that was given before may be used up by it."""


@dataclass(frozen=True)
class Supply:
    """What a batch that starts from pictures asks for on its way."""

    model_of: ModelOf | None = None  # as for `draw_latents`
    resize_of: Callable[[Job], Resize] = lambda _: stretch  # gives pictures a job's size, by its upscaler


ALONE = Supply()
"""One model, and no upscaler."""


@dataclass(frozen=True)
class DrawnLatents:
    """A batch's scaled latents (B, 4, h, w), each picture's notes, and the model that ended them and decodes them."""

    latents: Tensor
    notes: tuple[tuple[str, ...], ...]
    model: Model
    tiling: bool = False  # whether it still is; in the webui a checkpoint that takes over is not


@dataclass(frozen=True)
class Before:
    """The pass before the second one of hires fix: its calls of the model, and the size to which it was made larger."""

    calls: int
    width: int  # px, before anything is cut away
    height: int


def job_batches(jobs: Sequence[Job]) -> list[list[int]]:
    """Positions of neighbouring jobs that can be one batch: equal in everything but texts, seeds and CFG.

    Their texts name the same LoRAs. A sampler whose steps depend on the picture draws each alone.
    """

    def shared(i: int) -> dict[str, object]:
        own: dict[str, object] = {"alone": i} if "DPM adaptive" in (jobs[i].sampler, jobs[i].hires_sampler) else {}
        own["loras"] = networks(jobs[i].prompt), networks(jobs[i].hires_prompt or jobs[i].prompt)
        return {name: value for name, value in vars(jobs[i]).items() if name not in _OWN} | own

    return [list(group) for _, group in groupby(range(len(jobs)), key=shared)]


@torch.inference_mode()
def txt2img(model: Model, jobs: Sequence[Job], on_step: Counter | None = None) -> list[NotedImage]:
    """Generate each job from noise; pictures come back in the jobs' order.

    `on_step` gets the number of image-steps done after each sampler step and may raise Interrupted. Raises
    ExperimentError for a job that cannot be generated, UnsupportedKeyError for a sampler or schedule that is not
    supported, HostError for NaN.
    """
    pictures = []
    for group in job_batches(jobs):
        pictures += draw_batch(model, [jobs[i] for i in group], None, on_step)
    return pictures


@torch.inference_mode()
def img2img(
    model: Model,
    jobs: Sequence[Job],
    images: Sequence[Image.Image],
    on_step: Counter | None = None,
    *,
    supply: Supply = ALONE,
) -> list[NotedImage]:
    """Redraw each image (RGB, sized as `resize_mode` says) as far as the job's `denoise` says; else like `txt2img`."""
    pictures = []
    for group in job_batches(jobs):
        mine = [jobs[i] for i in group]
        model = supply.model_of(mine[0]) if supply.model_of else model  # a refiner used up the one before
        resize = supply.resize_of(mine[0])
        canvases = [canvas_of(job, images[i].convert("RGB"), resize) for i, job in zip(group, mine, strict=True)]
        drawn = draw_batch(model, mine, encode_start(model, mine, canvases), on_step, model_of=supply.model_of)
        pictures += [coloured(*one) for one in zip(mine, drawn, canvases, strict=True)]
    return pictures


def canvas_of(job: Job, image: Image.Image, resize: Resize = stretch) -> Image.Image:
    """What of `image` (RGB) is encoded: the whole at the job's size, except where its latents are resized instead."""
    return image if job.resize_mode == "latent" else fitted(image, (job.width, job.height), job.resize_mode, resize)


def coloured(job: Job, drawn: NotedImage, canvas: Image.Image) -> NotedImage:
    """`drawn` in the colours of the canvas that it was drawn from, where the job asks for that."""
    return replace(drawn, image=with_colours_of(drawn.image, canvas)) if job.color_correction else drawn


def draw_batch(
    model: Model,
    jobs: Sequence[Job],
    start: Start | None,
    on_step: Counter | None = None,
    *,
    after: Before | None = None,
    model_of: ModelOf | None = None,
    encoded: Sequence[Conditioning] | None = None,
) -> list[NotedImage]:
    """One batch, whose jobs `batches` found equal: from noise, or from `start`. The rest as for `draw_latents`."""
    return decode_batch(
        jobs, draw_latents(model, jobs, start, on_step, after=after, model_of=model_of, encoded=encoded)
    )


def decode_batch(jobs: Sequence[Job], drawn: DrawnLatents) -> list[NotedImage]:
    """The pictures of a batch's latents, with their notes."""
    with tiled(drawn.model, drawn.tiling):
        decoded = zip(drawn.notes, decode_all(drawn.model, drawn.latents), strict=True)
        return [NotedImage(image, tuple(dict.fromkeys((*said, *more)))) for said, (image, more) in decoded]


def draw_latents(
    model: Model,
    jobs: Sequence[Job],
    start: Start | None,
    on_step: Counter | None = None,
    *,
    after: Before | None = None,
    model_of: ModelOf | None = None,
    encoded: Sequence[Conditioning] | None = None,
) -> DrawnLatents:
    """The latents of one batch.

    after: the pass before, of hires fix. model_of: gives the refiner of jobs that have one; `model` may be used up.
    encoded: the jobs' texts, where that was done before.
    """
    for job in jobs:
        _check(job, start)
    _, notes = pick_source(jobs[0].rng, model.device)
    texts = encoded or conditionings(model, jobs, after)
    with ExitStack() as tiles:
        tiles.enter_context(tiled(model, jobs[0].tiling))
        ends = [model]

        def refiner() -> tuple[Model, Sequence[Conditioning]]:
            tiles.close()
            ends.append(_refiner(jobs[0], model_of))
            own = jobs if ends[-1].worn else [replace(job, prompt=strip_tags(job.prompt)[0]) for job in jobs]
            return ends[-1], conditionings(ends[-1], own, after)

        z = latents(model, jobs, texts, start, on_step, refiner=refiner)
    began = start.notes if start else ((),) * len(jobs)
    said = ((*notes, *own.notes, *more) for own, more in zip(texts, began, strict=True))
    return DrawnLatents(z, tuple(said), ends[-1], jobs[0].tiling and len(ends) == 1)


def _refiner(job: Job, model_of: ModelOf | None) -> Model:
    if model_of is None:
        raise HostError(f"The refiner {job.refiner} cannot be loaded here: only one checkpoint was given.")
    return model_of(replace(job, checkpoint=job.refiner))


def conditionings(model: Model, jobs: Sequence[Job], after: Before | None) -> list[Conditioning]:
    """Of a batch's jobs; equal texts are encoded once. after: as for `draw_latents`. Raises what `condition` raises."""
    texts = {(job.prompt, job.negative, job.clip_skip): job for job in jobs}
    steps = find_solver(jobs[0].sampler).calls(jobs[0].steps)
    width, height = (after.width, after.height) if after else (jobs[0].width, jobs[0].height)
    calls = after.calls if after else None
    encoded = {
        text: condition(model, job, width=width, height=height, steps=steps, after=calls) for text, job in texts.items()
    }
    return [encoded[job.prompt, job.negative, job.clip_skip] for job in jobs]


def _check(job: Job, start: Start | None) -> None:
    if min(job.width, job.height) < 8:
        raise ExperimentError(f"The size is {job.width}x{job.height}; expected at least 8 px on both sides.")
    if job.seed < 0 and find_solver(job.sampler).brownian and not job.sde_drawn_seed:
        raise ExperimentError(
            f"The seed {job.seed} has no noise for {job.sampler}, in the webui neither; take one from 0."
        )
    if job.steps < 1:
        raise ExperimentError(f"The number of steps is {job.steps}; expected at least 1.")
    if start is not None:
        _denoise(job)


def _denoise(job: Job) -> float:
    if job.denoise is None:
        raise ExperimentError("img2img needs a denoising strength from 0 to 1; the job has none.")
    return job.denoise


def latents(
    model: LoadedUNet,
    jobs: Sequence[Job],
    conditionings: Sequence[Conditioning],
    start: Start | None,
    on_step: Counter | None = None,
    *,
    refiner: Callable[[], tuple[LoadedUNet, Sequence[Conditioning]]] | None = None,
) -> Tensor:
    """The sampled latents (B, 4, h, w) of one batch, float32, still scaled. Raises HostError for NaN.

    refiner: loads that of the jobs, when its turn comes.
    """
    job = jobs[0]
    solver = find_solver(job.sampler)
    levels = solver.sigmas(zero_snr=model.zero_snr or job.zero_snr, halved=job.half_levels)
    route = find_route(job, solver, levels)
    rows = solver.rows(route.levels, job) if solver.rows else []
    x, noise = _noises(model, jobs, solver, route)
    x = x.to(model.device)
    if start:
        share = job.noise_multiplier * (route.noise + job.extra_noise * route.picture)
        x = x * share + start.latents * route.picture
    else:
        x = x * route.noise
    blend = None
    if start and start.mask is not None:
        blend = Blend(start.mask, start.latents, first=bool(solver.timesteps), soft=start.soft)
    guidance = _guidance(jobs, solver, rows)
    handover = None
    if job.refiner and refiner:
        handover = Handover(job.refiner_at, guidance.calls if job.refiner_by_steps else None, refiner)
    denoiser = Denoiser(model.unet, levels, model.prediction, conditionings, guidance, blend, handover)
    if solver.rows:
        x = sample(denoiser, x, rows, noise, on_step)
    else:
        x = dpm_adaptive(denoiser, x, route.levels, job, noise, on_step)
    if not torch.isfinite(x).all():
        used = str(model.dtype).removeprefix("torch.")
        advice = "its weights are damaged, choose another file" if used == "float32" else "try float32 precision"
        raise HostError(f"{model.path.name} gave NaN in {used}; {advice}.")
    return blend.end(x) if blend else x


def _noises(
    model: LoadedUNet, jobs: Sequence[Job], solver: Solver, route: Route
) -> tuple[Tensor, ImageNoise | Brownian]:
    """The starting noise (B, 4, h, w) and what the sampler draws from afterwards."""
    job = jobs[0]
    source, _ = pick_source(job.rng, model.device)
    seeds, shape = [job.seed for job in jobs], (4, job.height // 8, job.width // 8)
    resized = (job.seed_resize_height // 8, job.seed_resize_width // 8) if job.seed_resize_width > 0 else None
    own = ImageNoise(source, seeds, shape, delta=job.ensd, resized=resized if resized and all(resized) else None)
    first = own.first([(job.subseed, job.subseed_strength) for job in jobs])
    if not solver.brownian:
        return first, own
    return first, Brownian(source, [drawn_seed(s) for s in seeds] if job.sde_drawn_seed else seeds, shape, route.span)


def _guidance(jobs: Sequence[Job], solver: Solver, rows: Sequence[SolverRow]) -> Guidance:
    job = jobs[0]
    return Guidance(
        scales=[job.cfg * solver.cfg_share for job in jobs],
        factors=[row.guidance for row in rows],
        calls=solver.calls(steps_run(job)),
        early=job.skip_early_cfg,
        below=job.ngms,
        below_always=job.ngms_all,
        by_time=bool(solver.timesteps),
    )


def encode_start(model: Model, jobs: Sequence[Job], images: Sequence[Image.Image], mask: Tensor | None = None) -> Start:
    """Encode pictures as a batch's start; latents of another size are resized."""
    with tiled(model, jobs[0].tiling):
        encoded = encode_all(model, images, [job.seed for job in jobs])
    size = (jobs[0].height // 8, jobs[0].width // 8)
    sized = [z if z.shape[-2:] == size else F.interpolate(z, size, mode="bilinear") for z, _ in encoded]
    return Start(torch.cat(sized), mask, tuple(notes for _, notes in encoded))
