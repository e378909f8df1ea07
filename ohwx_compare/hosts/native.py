"""The host that needs no webui: our own engine, one checkpoint in memory at a time.

A switch reads what differs from the checkpoint before, and `expect` has it read ahead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded, Rendered, run_on
from ohwx_compare.compare.resolve import Resolve, among
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.infotext.vae import OWN_VAE
from ohwx_compare.core.prompt.networks import Network
from ohwx_compare.core.request.hires import second_pass
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.engine import hires, inpaint, render, weights
from ohwx_compare.engine.compiled import compile_blocks
from ohwx_compare.engine.conditioning import Encoded, encode_ahead
from ohwx_compare.engine.cuda_settings import cuda_changes
from ohwx_compare.engine.linear import ONEDNN, TORCH, linear_by
from ohwx_compare.engine.memory import within_memory
from ohwx_compare.engine.networks.wear import put_on
from ohwx_compare.engine.noise import pick_source
from ohwx_compare.engine.render import NotedImage
from ohwx_compare.engine.room import in_room
from ohwx_compare.errors import HostError
from ohwx_compare.files.contents import Contents
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.files.listing import list_checkpoints
from ohwx_compare.files.vaes import VaesBeside, named_vaes
from ohwx_compare.hosts.ahead import Ahead
from ohwx_compare.hosts.other_checkpoints import OtherCheckpoints
from ohwx_compare.hosts.run_files import RunFiles, identity_now
from ohwx_compare.hosts.upscalers import Upscalers
from ohwx_compare.hosts.wardrobe import Wardrobe
from ohwx_compare.words import counted

__all__ = ["Beside", "NativeHost", "default_device", "default_dtype"]

_VAE = weights.PREFIXES["vae"]


@dataclass(frozen=True)
class Beside:
    """Files and folders of files beside the checkpoints."""

    vae: Path | None = None  # replaces every checkpoint's own, and what jobs name
    vaes: Sequence[Path] = ()  # folders, as all below
    loras: Sequence[Path] = ()
    embeddings: Sequence[Path] = ()
    upscalers: Sequence[Path] = ()
    resolve: Resolve | None = None  # finds checkpoints that a job names; None: by name or hash in the host's folders


@dataclass(frozen=True)
class _Source:
    """What the model in memory was loaded from, and can be loaded from again."""

    checked: weights.Checked
    contents: Contents
    identity: FileIdentity  # of the file before it was read
    vae: Path | None  # in place of the checkpoint's own
    loaded: Loaded

    @property
    def files(self) -> tuple[Path, Path | None]:
        """That the weights are from."""
        return self.checked.path, self.vae


def default_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def default_dtype(device: torch.device) -> torch.dtype:
    """float32 on the CPU, elsewhere float16 as the webui."""
    return torch.float32 if device.type == "cpu" else torch.float16


class NativeHost:
    """Generates with the SDXL checkpoints of one or more folders.

    It satisfies `compare.host.Host`. A file is looked at when it is loaded and each time it is asked for again (see
    `files.hashes.Hashes`), so one that was overwritten meanwhile is loaded again. Memory holds the weights of one
    checkpoint, the largest tensor of a file while it is read, and what the encoders made of the last prompts.
    """

    name = "native"
    linear = TORCH  # see `engine.linear`; set before anything is drawn, as are the next two
    compiles = False  # the UNet's blocks; see `engine.compiled`
    plan: Sequence[Job] = ()  # all that will be asked for: its prompts are encoded together, for each set of encoders

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        beside: Beside = Beside(),
        interruption: Callable[[], Interruption] = run_on,
        on_step: Callable[[int], None] | None = None,
        hashes: Hashes | None = None,
    ) -> None:
        """`beside`: what jobs and prompts name besides checkpoints. `on_step` gets the image-steps done and may raise
        Interrupted. `hashes` shared with the search spare reading files twice.

        Raises CheckpointError for a `beside.vae` that is none.
        """
        if beside.vae:
            weights.check_vae(beside.vae)
        self.folders = tuple(folders)
        self.device = torch.device(device) if device else default_device()
        self.dtype = dtype or default_dtype(self.device)
        self._hashes = hashes or Hashes()
        self.vae = beside.vae
        self._files = RunFiles(self._hashes)
        self._vaes = named_vaes(beside.vaes, self.folders, self._hashes)
        self._named = Wardrobe(beside.loras, beside.embeddings, self._files, self._hashes)
        self._upscalers = Upscalers(beside.upscalers, self._files, self._hashes, self.device)
        self.supply = render.Supply(self.model_of, self._upscalers.of_img2img)
        self._near = VaesBeside(self.folders, beside.vaes)
        self._others = OtherCheckpoints(beside.resolve or self._among_all, self._files, self._near_of)
        if beside.vae:
            self._files.sha256(beside.vae)
        self._ask, self._on_step = interruption, on_step
        self.reports_steps = on_step is not None
        self._in_use: Loaded | None = None
        self._own: _Source | None = None  # of the checkpoint in use
        self._held: weights.Model | None = None  # whole, though perhaps another than the one in use
        self._source: _Source | None = None  # what it was loaded from
        self._ahead: Ahead | None = None
        self._encoded_for: set[tuple[str, tuple[Network, ...]]] = set()  # encoders and LoRAs

    def checkpoints(self) -> list[Checkpoint]:
        """Every .safetensors file of the folders, sorted by name; the first folder wins where names repeat."""
        found: dict[str, Checkpoint] = {}
        for folder in self.folders:
            for name in list_checkpoints(folder):
                found.setdefault(name, Checkpoint(name, folder / name))
        return sorted(found.values(), key=lambda checkpoint: (checkpoint.name.casefold(), checkpoint.name))

    def sha256(self, checkpoint: Checkpoint) -> str:
        """The file's hash as it is now. Raises CheckpointError where it cannot be read."""
        return self._contents(checkpoint.path).sha256

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """What the file seems to be; None where nothing is known of it."""
        seen = self._hashes.glance(checkpoint.path)
        return Loaded(checkpoint, seen.contents.sha256, not seen.is_certain) if seen else None

    def use(self, checkpoint: Checkpoint, *, sampled: bool = False) -> Loaded:
        """Load `checkpoint`, unless it is in memory and its file unchanged.

        sampled: what the file shares with the one in memory may be told by a `glance`, and so its hash.
        Raises CheckpointError for a file that is not SDXL, HostError for one that changed while it was read,
        OutOfMemoryError.
        """
        before = identity_now(checkpoint.path)
        contents, is_sampled = self._looked_at(checkpoint.path, sampled=sampled)
        wanted = Loaded(checkpoint, contents.sha256, is_sampled)
        if self._in_use == wanted:
            return self._in_use if self._in_use.is_sampled == is_sampled else wanted
        self._in_use = None
        self._end_reading_ahead()
        vae = self.vae or self._near.of(checkpoint.path)
        source = _Source(weights.check(checkpoint.path, vae=vae), contents, before, vae, wanted)
        self._source, self._held = source, self._loaded(source)
        self._own = source
        self._in_use = wanted
        return wanted

    def expect(self, checkpoint: Checkpoint) -> None:
        """Hash `checkpoint` and read what it has of its own into the page cache, on a thread."""
        if self._held is not None:
            self._end_reading_ahead()
            is_foreign = self._source is not None and self._source.vae is not None
            own = {name: seal for name, seal in self._held.seals.items() if not (is_foreign and name.startswith(_VAE))}
            self._ahead = Ahead(checkpoint.path, self._hashes, own)

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """Generate jobs in order; neighbours that differ only in texts, seeds and CFG are one batch, if there is room.

        Raises OutOfMemoryError where there is less than it seemed.
        """
        for group in self._batches(jobs):
            chosen = [jobs[i] for i in group]
            draw = partial(hires.draw_passes, self.model_of, chosen, self._upscalers.of_hires, self._on_step)
            yield from self._within_memory(chosen, draw)

    def img2img(self, jobs: Sequence[Job], images: Sequence[Image.Image]) -> Iterator[Rendered]:
        """Redraw each image (RGB) as its job says, in order. Raises as `render`."""
        for group in self._batches(jobs):
            chosen, starts = [jobs[i] for i in group], [images[i] for i in group]
            model = self.model_of(chosen[0])
            draw = partial(render.img2img, model, chosen, starts, self._on_step, supply=self.supply)
            yield from self._within_memory(chosen, draw)

    def inpaint(
        self,
        jobs: Sequence[InpaintJob],
        images: Sequence[Image.Image],
        masks: Sequence[Image.Image],
        *,
        between: inpaint.Between | None = None,
    ) -> Iterator[Rendered]:
        """Inpaint the white of each mask ("L", the image's size) in each image (RGB), in order. Raises as `render`.

        between: as for `engine.inpaint.inpaint`, of one job.
        """
        for group in self._batches([job.job for job in jobs]):
            chosen, canvases, holes = [jobs[i] for i in group], [images[i] for i in group], [masks[i] for i in group]
            model = self.model_of(chosen[0].job)
            draw = partial(
                inpaint.inpaint, model, chosen, canvases, holes, self._on_step, supply=self.supply, between=between
            )
            yield from self._within_memory([one.job for one in chosen], draw)

    def fingerprint(self, job: Job) -> dict[str, Any]:
        """The engine, its noise, the kind of device, the precision, the VAE, the prompts' LoRAs and embeddings, the
        upscalers, and the checkpoints that a job names besides the one in use.

        Raises UnknownNameError for a VAE or LoRA that is not there, PromptError for a tag that cannot be read,
        CheckpointError for a checkpoint that is not there or no SDXL's.
        """
        source, _ = pick_source(job.rng, self.device)
        vae, hires_vae = self._named_vae(job), self._hires_vae(job)
        return {
            "host": self.name,
            "noise": source.kind,
            "device": self.device.type,
            "dtype": str(self.dtype).removeprefix("torch."),
            "vae": self._files.sha256(vae) if vae else None,
            **({"hires vae": self._files.sha256(hires_vae)} if hires_vae else {}),
            **({"linear": ONEDNN} if self.linear == ONEDNN else {}),
            **({"compile": "transformer blocks"} if self.compiles else {}),
            **({"cuda": changed} if (changed := cuda_changes(self.device)) else {}),
            **self._named.hashes(job),
            **self._upscalers.hashes(job),
            **self._others.hashes(job),
        }

    def beside(self, checkpoint: Checkpoint, job: Job) -> str:
        """The sha256 of the VAE that is taken for this checkpoint alone, see `VaesBeside`; "" for none."""
        return self._near_of(checkpoint.path, job)

    def interruption(self) -> Interruption:
        """What the callable given at construction returns."""
        return self._ask()

    def close(self) -> None:
        """Forget the checkpoint and free its memory; safe to call twice."""
        self._end_reading_ahead()
        self._in_use = self._held = self._source = self._own = None
        self._upscalers.close()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _batches(self, jobs: Sequence[Job]) -> Iterator[Sequence[int]]:
        """Positions of jobs that are drawn together, as far as the device has room for them."""
        groups = render.job_batches(jobs)
        return in_room(groups, jobs, self._held.unet, self.device) if self._held else iter(groups)

    def _within_memory(self, jobs: Sequence[Job], draw: Callable[[], list[NotedImage]]) -> Iterator[Rendered]:
        """The pictures that `draw` gives of jobs of one size."""
        pictures = counted(len(jobs), "picture", "pictures at once")
        with linear_by(self.linear):
            drawn = within_memory(draw, f"{pictures}, {jobs[0].width}x{jobs[0].height} px", self.device)
        vae = self._source.vae if self._source else None  # of the checkpoint that ended the picture
        vae = self._named_vae(jobs[0]) if jobs[0].hires_vae else vae
        hashes = (("VAE hash", self._files.sha256(vae)[:10]), ("VAE", vae.name)) if vae else ()
        return (
            Rendered(one.image, one.notes, (*hashes, *self._others.keys(job), *self._named.keys(job)), one.layer)
            for one, job in zip(drawn, jobs, strict=True)
        )

    def model_of(self, job: Job) -> weights.Model:
        """The checkpoint in use or the job's own, its VAE, and the LoRAs of its prompt as `OtherCheckpoints.worn`."""
        in_use, held = self._in_use, self._held
        if in_use is None or held is None or self._own is None:
            raise HostError("No checkpoint is loaded; call use() first.")
        source = self._source_of(job, self._own)
        wanted = self._others.worn(job, held.path)
        if source is self._source and wanted == held.worn:
            self._encode_plan(held)
            return held
        chosen = self._named.chosen(job.prompt) if wanted else ()
        self._in_use = None
        if held.worn or source is not self._source:
            self._source, held = source, self._loaded(source)
        self._held = None  # half changed until the end
        self._held = (
            within_memory(lambda: put_on(held, chosen), "the weights of LoRAs", self.device) if chosen else held
        )
        self._in_use = in_use
        self._encode_plan(self._held)
        return self._held

    def _encode_plan(self, held: weights.Model) -> None:
        """Encode the plan's prompts where encoders have to be brought to the device for it: once for all of them."""
        told = (held.encoders, held.worn)
        if self.device.type != "cpu" and told not in self._encoded_for:
            self._encoded_for.add(told)
            within_memory(lambda: encode_ahead(held, self.plan), "the text encoders", self.device)

    def _source_of(self, job: Job, own: _Source) -> _Source:
        """What the model of a job is loaded from, the one in memory where that is it."""
        other = self._others.find(job.checkpoint) if job.checkpoint else own.loaded.checkpoint
        vae = self._vae_of(job, other.path)
        for known in (self._source, own):
            if known and known.files == (other.path, vae):
                return known
        checked = weights.check(other.path, vae=vae)
        if other.path == own.checked.path:
            return replace(own, checked=checked, vae=vae)
        before = identity_now(other.path)
        self._files.require_untouched(other.path)
        contents = self._contents(other.path)
        return _Source(checked, contents, before, vae, Loaded(other, contents.sha256))

    def _vae_of(self, job: Job, checkpoint: Path) -> Path | None:
        """The file of the VAE that a job asks for with this checkpoint; None is the checkpoint's own."""
        return self._named_vae(job) or (self._near.of(checkpoint) if job.vae != "None" else None)

    def _named_vae(self, job: Job) -> Path | None:
        """The file that stands for every VAE, or that the job names."""
        return self.vae or (self._vaes.find(job.vae) if job.vae and job.vae not in OWN_VAE else None)

    def _hires_vae(self, job: Job) -> Path | None:
        """The file of the VAE that the second pass has instead of the first's."""
        is_own = job.hires_upscaler is not None and job.hires_vae not in (None, job.vae) and not self.vae
        return self._named_vae(second_pass(job)) if is_own else None

    def _near_of(self, checkpoint: Path, job: Job) -> str:
        near = None if self._named_vae(job) else self._vae_of(job, checkpoint)
        return self._files.sha256(near) if near else ""

    def _loaded(self, source: "_Source") -> weights.Model:
        """The checkpoint in memory. Raises HostError where its file is written to; then nothing is held."""
        path = source.checked.path
        held = within_memory(lambda: self._switched(source), f"the weights of {path.name}", self.device)
        if not identity_now(path).seems_untouched(source.identity):
            self.close()
            raise HostError(f"{path.name} changed while it was loaded; try again when it is written.")
        return held

    def _switched(self, source: "_Source") -> weights.Model:
        """The checkpoint in memory, in the place of the last one; after an error there is none."""
        checked, seals = source.checked, {source.checked.path: source.contents.tensors}
        if source.vae:
            self._files.require_untouched(source.vae)
            seals[source.vae] = self._hashes.contents(source.vae).tensors
        held, self._held = self._trusted(self._held), None
        if held and not checked.fits(held, self.device, self.dtype):
            held = None
        model = checked.load(device=self.device, dtype=self.dtype, seals=seals.__getitem__, into=held)
        if self.compiles:
            compile_blocks(model.unet)
        return replace(model, words=self._named.words.of_widths(model.clip_l.config.width, model.clip_g.config.width))

    def _trusted(self, held: weights.Model | None) -> weights.Model | None:
        """The model in memory, without its tensors' hashes where these are a sample's and the whole is not known."""
        loaded = self._source.loaded if self._source else None
        if held is None or loaded is None or not loaded.is_sampled:
            return held
        seen = self._hashes.glance(loaded.checkpoint.path)
        if seen and seen.is_certain and seen.contents.sha256 == loaded.sha256:
            return held
        return replace(held, seals={}, encoded=Encoded())

    def _looked_at(self, path: Path, *, sampled: bool) -> tuple[Contents, bool]:
        """The hashes of the file as it is now, and whether they are by a sample only, which may be forbidden."""
        if (seen := self._hashes.glance(path)) and (sampled or seen.is_certain):
            return seen.contents, not seen.is_certain
        if self._ahead and self._ahead.path != path:
            self._end_reading_ahead()  # one file is read at a time
        return self._contents(path), False

    def _contents(self, path: Path) -> Contents:
        """The hashes of the file as it is now; waits for those that are being computed."""
        ahead = self._ahead
        if ahead and ahead.path == path:
            ahead.wait()
        return self._hashes.contents(path)

    def _among_all(self, ref: CheckpointRef) -> Checkpoint:
        return among(self.checkpoints(), self._hashes.seems, self._hashes)(ref)

    def _end_reading_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead:
            ahead.stop()
