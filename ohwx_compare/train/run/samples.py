"""Samples during a training, by the engine that generates all other pictures, from the weights as they are.

What is not trained is read from the base when it is needed and freed again; the text encoders work on the CPU, so that
beside the training only the VAE needs room on the device.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from ohwx_compare.core.infotext.infotext import from_job, render
from ohwx_compare.core.prompt.networks import Network
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.autoencode import decode_all
from ohwx_compare.engine.conditioning import Conditioning, Encoded, condition
from ohwx_compare.engine.embeddings import NO_EMBEDDINGS, Embeddings
from ohwx_compare.engine.render import latents
from ohwx_compare.engine.weights import LoadedUNet, load_part, load_vae
from ohwx_compare.errors import ImageError
from ohwx_compare.files.images import write_png
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.models.text import ClipG, ClipL
from ohwx_compare.models.vae import VAE
from ohwx_compare.train.learn.setup import Setup
from ohwx_compare.train.plan.looks import sample_size

__all__ = ["Samples"]


class _Encoders(NamedTuple):
    clip_l: ClipL
    clip_g: ClipG
    encoded: Encoded
    encoders: str = ""  # their weights move: nothing that is remembered of them holds
    worn: tuple[Network, ...] = ()
    words: Embeddings = NO_EMBEDDINGS
    device: torch.device = torch.device("cpu")


class _Autoencoder(NamedTuple):
    vae: VAE
    path: Path
    overflowing: set[str]
    vae_hash: str = "the base's"


class Samples:
    """Generates the recipe's prompts with its seeds into `samples/`; what a frozen encoder reads is encoded once."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.folder = Path(setup.plan.recipe.output) / "samples"
        self.texts: dict[str, Conditioning] = {}

    def draw(self, step: int, on_step: Callable[[int], None]) -> Iterator[tuple[Path, Job]]:
        """Generate the samples of `step`, except those that are there already; yields each when it is on the disk.

        `on_step` may raise Interrupted between sampling steps. Raises as `engine.render` does, ImageError.
        """
        jobs = {path: job for path, job in self._jobs(step).items() if not self._is_there(path, job)}
        if not jobs:
            return
        self.folder.mkdir(exist_ok=True)
        texts = self._condition(jobs.values())
        model = self._unet()
        with torch.inference_mode():
            drawn = {path: latents(model, [job], [texts[job.prompt]], None, on_step) for path, job in jobs.items()}
        source = Path(self.setup.plan.recipe.vae or model.path)
        vae = _Autoencoder(load_vae(source, device=model.device, dtype=model.dtype), source, set())
        for path, z in drawn.items():
            with torch.inference_mode():
                ((image, _),) = decode_all(vae, z)
            write_png(path, image, self._infotext(path, jobs[path]))
            yield path, jobs[path]

    def _jobs(self, step: int) -> dict[Path, Job]:
        recipe = self.setup.plan.recipe
        width, height = sample_size(recipe)
        return {
            self.folder / f"{recipe.name}-step{step:08d}-{number:02d}-{seed}.png": Job(
                prompt=prompt, negative=recipe.sample_negative, seed=seed, steps=recipe.sample_steps,
                cfg=recipe.sample_cfg, width=width, height=height, sampler="DPM++ 2M", schedule="Karras", rng="CPU",
            )
            for number, prompt in enumerate(recipe.sample_prompts, 1)
            for seed in recipe.sample_seeds
        }  # fmt: skip

    def _condition(self, jobs: Iterable[Job]) -> dict[str, Conditioning]:
        """Each prompt's conditioning, on the CPU in float32."""
        parts = self.setup.parts
        changes = "clip_l" in parts or "clip_g" in parts
        if self.texts and not changes:
            return self.texts
        encoders = self._encoders()
        width, height = sample_size(self.setup.plan.recipe)
        self.texts = {
            prompt: condition(encoders, job, width=width, height=height, steps=job.steps)
            for prompt, job in {job.prompt: job for job in jobs}.items()
        }
        return self.texts

    def _encoders(self) -> _Encoders:
        """Those in training as they are now, the others as the base has them."""
        parts, base = self.setup.parts, Path(self.setup.plan.recipe.base)
        clip_l, clip_g = parts.get("clip_l"), parts.get("clip_g")
        return _Encoders(
            copy.deepcopy(clip_l).to("cpu", torch.float32)
            if isinstance(clip_l, ClipL)
            else load_part("clip_l", base, dtype=torch.float32),
            copy.deepcopy(clip_g).to("cpu", torch.float32)
            if isinstance(clip_g, ClipG)
            else load_part("clip_g", base, dtype=torch.float32),
            Encoded(),
        )

    def _unet(self) -> LoadedUNet:
        """The UNet in training, as the engine takes models."""
        setup, diffusion = self.setup, self.setup.diffusion
        return LoadedUNet(
            unet=setup.looking,
            prediction=diffusion.prediction,
            path=Path(setup.plan.recipe.base),
            zero_snr=diffusion.zero_snr,
        )

    def _is_there(self, path: Path, job: Job) -> bool:
        """Whether an earlier sitting generated it."""
        try:
            return path.is_file() and read_infotext(path) == self._infotext(path, job)
        except ImageError:
            return False

    def _infotext(self, path: Path, job: Job) -> str:
        model = path.stem.rsplit("-", 2)[0]
        step = int(model.rsplit("step", 1)[1])
        training = {"step": step, "exposures": self.setup.plan.exposures_at(step)[0]}
        return render(from_job(job, model=model, model_hash=None, extra={"training": training}))
