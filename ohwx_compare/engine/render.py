"""Jobs in, pictures out: txt2img and img2img with one checkpoint.

Jobs that differ only in texts, seeds and CFG scale become one batch; a picture does not depend on its batch
beyond float rounding. Latents and levels are float32, each module runs in its own dtype.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ohwx_compare.core.prompt.networks import networks
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.steps import sampling_steps
from ohwx_compare.engine.conditioning import Conditioning, condition
from ohwx_compare.engine.denoiser import Blend, Denoiser
from ohwx_compare.engine.noise import Brownian, ImageNoise, pick_source
from ohwx_compare.engine.samplers import Counter, find_solver, sample
from ohwx_compare.engine.schedules import ModelSigmas, noise_levels
from ohwx_compare.engine.weights import LoadedUNet, Model
from ohwx_compare.errors import ExperimentError, HostError
from ohwx_compare.files.masks import stretch
from ohwx_compare.models.vae import LATENT_SCALE, VAE

__all__ = [
    "Autoencoder",
    "NotedImage",
    "Start",
    "decode",
    "draw_batch",
    "encode",
    "encode_start",
    "img2img",
    "img2img_path",
    "job_batches",
    "latents",
    "txt2img",
]


class Autoencoder(Protocol):
    """What encoding and decoding need of a model."""

    @property
    def vae(self) -> VAE:
        """It runs in its own dtype."""

    @property
    def path(self) -> Path:
        """The checkpoint, for errors."""


@dataclass(frozen=True)
class NotedImage:
    """A finished picture (RGB) and what a person should know about how it came to be."""

    image: Image.Image
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Start:
    """Where img2img starts: `latents` (B, 4, h, w) float32 and, for an inpaint, `mask` (B, 1, h, w), 1 = inpaint."""

    latents: Tensor
    mask: Tensor | None
    notes: tuple[tuple[str, ...], ...]  # one tuple an image


def job_batches(jobs: Sequence[Job]) -> list[list[int]]:
    """Positions of neighbouring jobs that can be one batch: equal in everything but texts, seeds and CFG.

    Their texts name the same LoRAs.
    """

    def shared(i: int) -> tuple[object, ...]:
        job = jobs[i]
        loras = networks(job.prompt)
        return job.width, job.height, job.steps, job.sampler, job.schedule, job.denoise, job.rng, job.vae, loras

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
    model: Model, jobs: Sequence[Job], images: Sequence[Image.Image], on_step: Counter | None = None
) -> list[NotedImage]:
    """Redraw each image (RGB, stretched to its job's size) as far as the job's `denoise` says; else like `txt2img`."""
    pictures = []
    for group in job_batches(jobs):
        mine = [jobs[i] for i in group]
        stretched = [stretch(images[i].convert("RGB"), (jobs[i].width, jobs[i].height)) for i in group]
        pictures += draw_batch(model, mine, encode_start(model, mine, stretched), on_step)
    return pictures


def draw_batch(
    model: Model, jobs: Sequence[Job], start: Start | None, on_step: Counter | None = None
) -> list[NotedImage]:
    """One batch, whose jobs `batches` found equal: from noise, or from `start`."""
    for job in jobs:
        _check(job, start)
    _, notes = pick_source(jobs[0].rng, model.device)
    texts = {(job.prompt, job.negative): job for job in jobs}
    encoded = {
        text: condition(model, job, width=job.width, height=job.height, steps=job.steps) for text, job in texts.items()
    }
    conditionings = [encoded[job.prompt, job.negative] for job in jobs]
    pictures = []
    for i, z in enumerate(latents(model, jobs, conditionings, start, on_step)):
        image, decoded = decode(model, z[None])
        started = start.notes[i] if start else ()
        pictures.append(NotedImage(image, (*notes, *conditionings[i].notes, *started, *decoded)))
    return pictures


def _check(job: Job, start: Start | None) -> None:
    if job.width % 8 or job.height % 8 or min(job.width, job.height) < 8:
        raise ExperimentError(f"The size is {job.width}x{job.height}; expected multiples of 8 px on both sides.")
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
) -> Tensor:
    """The sampled latents (B, 4, h, w) of one batch, float32, still scaled. Raises HostError for NaN."""
    job = jobs[0]
    levels, solver = ModelSigmas(zero_snr=model.zero_snr), find_solver(job.sampler)
    sigmas = noise_levels(solver.automatic if job.schedule == "Automatic" else job.schedule, job.steps, levels)
    source, _ = pick_source(job.rng, model.device)
    seeds, shape = [job.seed for job in jobs], (4, job.height // 8, job.width // 8)
    own = ImageNoise(source, seeds, shape)
    x = own.first([(job.subseed, job.subseed_strength) for job in jobs]).to(model.device)
    path = sigmas if start is None else img2img_path(sigmas, _denoise(job))
    x = x * path[0].item() if start is None else start.latents + x * path[0].item()
    span = (sigmas[sigmas > 0].min().item(), sigmas.max().item())  # of all levels, in img2img too
    noise = Brownian(source, seeds, shape, span) if solver.brownian else own
    blend = Blend(start.mask, start.latents) if start and start.mask is not None else None
    denoiser = Denoiser(model.unet, levels, model.prediction, conditionings, [job.cfg for job in jobs], blend)
    x = sample(denoiser, x, solver.rows(path), noise, on_step)
    if not torch.isfinite(x).all():
        used = str(model.dtype).removeprefix("torch.")
        advice = "its weights are damaged, choose another file" if used == "float32" else "try float32 precision"
        raise HostError(f"{model.path.name} gave NaN in {used}; {advice}.")
    return blend(x) if blend else x


def img2img_path(sigmas: Tensor, denoise: float) -> Tensor:
    """The last steps of a schedule, as many as `sampling_steps` counts."""
    steps = len(sigmas) - 1
    return sigmas[steps - sampling_steps(steps, denoise) :]


def encode_start(model: Model, jobs: Sequence[Job], images: Sequence[Image.Image], mask: Tensor | None = None) -> Start:
    """Encode pictures of the jobs' size as a batch's start, one at a time to spare memory."""
    encoded = [encode(model, image, job.seed) for job, image in zip(jobs, images, strict=True)]
    return Start(torch.cat([z for z, _ in encoded]), mask, tuple(notes for _, notes in encoded))


def encode(model: Model, image: Image.Image, seed: int) -> tuple[Tensor, tuple[str, ...]]:
    """`image` (RGB, sides multiples of 8) as scaled latents (1, 4, h, w) float32, and notes.

    Sampled from the VAE's posterior with `seed` alone, so that the result does not depend on earlier pictures.
    """
    pixels = torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)[None] / 255 * 2 - 1
    moments, notes = _through(model, model.vae.encode, pixels.to(model.device), "encode")
    mean, log_variance = moments.chunk(2, dim=1)
    std = (0.5 * log_variance.clamp(-30, 20)).exp()
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed)).to(mean)
    return (mean + std * noise) * LATENT_SCALE, notes


def decode(model: Autoencoder, z: Tensor) -> tuple[Image.Image, tuple[str, ...]]:
    """Scaled latents (1, 4, h, w) as a picture (RGB), values truncated like the webui's, and notes."""
    pixels, notes = _through(model, model.vae.decode, 1 / LATENT_SCALE * z, "decode")
    pixels = ((pixels[0] + 1) / 2).clamp(0, 1) * 255
    return Image.fromarray(pixels.to(torch.uint8).permute(1, 2, 0).cpu().numpy()), notes


def _through(
    model: Autoencoder, way: Callable[[Tensor], Tensor], x: Tensor, what: str
) -> tuple[Tensor, tuple[str, ...]]:
    """`way` through the VAE in its dtype, float32 in and out; NaN in half precision is computed again in float32."""
    dtype = next(model.vae.parameters()).dtype
    if x.device.type == "cpu":
        x = x.contiguous(memory_format=torch.channels_last)  # a fifth faster there; the UNet gains nothing
    y = way(x.to(dtype)).float()
    if torch.isfinite(y).all():
        return y, ()
    if dtype is not torch.float32:
        try:
            model.vae.float()
            y = way(x)
        finally:
            model.vae.to(dtype)
        if torch.isfinite(y).all():
            return y, (f"the VAE ran in float32 to {what}: in {str(dtype).removeprefix('torch.')} it gave NaN",)
    raise HostError(f"The VAE of {model.path.name} gave NaN in float32; the file is damaged; choose another VAE.")
