"""The host that needs no webui: our own engine, one checkpoint in memory at a time.

A switch reads what differs from the checkpoint before, and `expect` has it read ahead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded, Rendered
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.engine import inpaint, render, weights
from ohwx_compare.engine.conditioning import Encoded
from ohwx_compare.engine.memory import within_memory
from ohwx_compare.engine.noise import pick_source
from ohwx_compare.engine.render import NotedImage
from ohwx_compare.errors import HostError
from ohwx_compare.files.contents import Contents
from ohwx_compare.files.finding import list_checkpoints
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.hosts.ahead import Ahead
from ohwx_compare.words import counted

__all__ = ["NativeHost", "default_device", "default_dtype"]

_VAE = weights.PREFIXES["vae"]


def default_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def default_dtype(device: torch.device) -> torch.dtype:
    """float32 on the CPU, elsewhere float16 as the webui."""
    return torch.float32 if device.type == "cpu" else torch.float16


def run_on() -> Interruption:
    """What a user who never interrupts asks for."""
    return Interruption.RUN_ON


class NativeHost:
    """Generates with the SDXL checkpoints of one or more folders.

    It satisfies `compare.host.Host`. A file is looked at when it is loaded and each time it is asked for again (see
    `files.hashes.Hashes`), so one that was overwritten meanwhile is loaded again. Memory holds the weights of one
    checkpoint, the largest tensor of a file while it is read, and what the encoders made of the last 64 prompts.
    """

    name = "native"

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        vae: Path | None = None,
        interruption: Callable[[], Interruption] = run_on,
        on_step: Callable[[int], None] | None = None,
        hashes: Hashes | None = None,
    ) -> None:
        """`vae` replaces every checkpoint's own; `on_step` gets the image-steps done and may raise Interrupted.

        `hashes` shared with the search spare reading files twice. Raises CheckpointError for a `vae` that is none.
        """
        if vae:
            weights.check_vae(vae)
        self.folders = tuple(folders)
        self.device = torch.device(device) if device else default_device()
        self.dtype = dtype or default_dtype(self.device)
        self._hashes = hashes or Hashes()
        self.vae, self._vae = vae, self._hashes.contents(vae) if vae else None
        self._vae_file = _identity(vae) if vae else FileIdentity()
        self._ask, self._on_step = interruption, on_step
        self.reports_steps = on_step is not None
        self._in_use: Loaded | None = None
        self._held: weights.Model | None = None  # whole, though perhaps no longer in use
        self._held_as: Loaded | None = None  # what it was loaded as
        self._ahead: Ahead | None = None

    @property
    def vae_sha256(self) -> str | None:
        """Of the VAE that replaces the checkpoints' own, as it was when the host was made."""
        return self._vae.sha256 if self._vae else None

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
        before = _identity(checkpoint.path)
        contents, is_sampled = self._looked_at(checkpoint.path, sampled=sampled)
        wanted = Loaded(checkpoint, contents.sha256, is_sampled)
        if self._in_use == wanted:
            return self._in_use if self._in_use.is_sampled == is_sampled else wanted
        self._in_use = None
        self._end_reading_ahead()
        self._held = within_memory(
            lambda: self._switched(weights.check(checkpoint.path, vae=self.vae), contents),
            f"the weights of {checkpoint.name}",
            self.device,
        )
        self._held_as = wanted
        if not _identity(checkpoint.path).seems_untouched(before):
            self.close()
            raise HostError(f"{checkpoint.path.name} changed while it was loaded; try again when it is written.")
        self._in_use = wanted
        return wanted

    def expect(self, checkpoint: Checkpoint) -> None:
        """Hash `checkpoint` and read what it has of its own into the page cache, on a thread."""
        if self._held is not None:
            self._end_reading_ahead()
            own = {name: seal for name, seal in self._held.seals.items() if not (self.vae and name.startswith(_VAE))}
            self._ahead = Ahead(checkpoint.path, self._hashes, own)

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """Generate jobs in order; neighbours that differ only in texts, seeds and CFG are one batch.

        Raises OutOfMemoryError where that is too much at once.
        """
        for group in render.job_batches(jobs):
            chosen = [jobs[i] for i in group]
            yield from self._within_memory(chosen, partial(render.txt2img, self._model(), chosen, self._on_step))

    def inpaint(
        self, jobs: Sequence[InpaintJob], images: Sequence[Image.Image], masks: Sequence[Image.Image]
    ) -> Iterator[Rendered]:
        """Inpaint the white of each mask ("L", the image's size) in each image (RGB), in order. Raises as `render`."""
        for group in render.job_batches([job.job for job in jobs]):
            chosen, canvases, holes = [jobs[i] for i in group], [images[i] for i in group], [masks[i] for i in group]
            draw = partial(inpaint.inpaint, self._model(), chosen, canvases, holes, self._on_step)
            yield from self._within_memory([one.job for one in chosen], draw)

    def fingerprint(self, job: Job) -> dict[str, Any]:
        """The engine, its noise, the kind of device, the precision and the VAE."""
        source, _ = pick_source(job.rng, self.device)
        return {
            "host": self.name,
            "noise": source.kind,
            "device": self.device.type,
            "dtype": str(self.dtype).removeprefix("torch."),
            "vae": self.vae_sha256,
        }

    def interruption(self) -> Interruption:
        """What the callable given at construction returns."""
        return self._ask()

    def close(self) -> None:
        """Forget the checkpoint and free its memory; safe to call twice."""
        self._end_reading_ahead()
        self._in_use = self._held = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _within_memory(self, jobs: Sequence[Job], draw: Callable[[], list[NotedImage]]) -> Iterator[Rendered]:
        """The pictures that `draw` gives of jobs of one size."""
        pictures = counted(len(jobs), "picture", "pictures at once")
        drawn = within_memory(draw, f"{pictures}, {jobs[0].width}x{jobs[0].height} px", self.device)
        return (Rendered(picture.image, picture.notes) for picture in drawn)

    def _model(self) -> weights.Model:
        if self._in_use is None or self._held is None:
            raise HostError("No checkpoint is loaded; call use() first.")
        return self._held

    def _switched(self, checked: weights.Checked, contents: Contents) -> weights.Model:
        """The checkpoint in memory, in the place of the last one; after an error there is none."""
        if self.vae and not _identity(self.vae).seems_untouched(self._vae_file):
            raise HostError(f"{self.vae.name} changed since the run began; start the run again.")
        seals = {checked.path: contents.tensors}
        if self.vae and self._vae:
            seals[self.vae] = self._vae.tensors
        held, self._held = self._trusted(self._held), None
        if held and not checked.fits(held, self.device, self.dtype):
            held = None
        return checked.load(device=self.device, dtype=self.dtype, seals=seals.__getitem__, into=held)

    def _trusted(self, held: weights.Model | None) -> weights.Model | None:
        """The model in memory, without its tensors' hashes where these are a sample's and the whole is not known."""
        loaded = self._held_as
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

    def _end_reading_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead:
            ahead.stop()


def _identity(path: Path) -> FileIdentity:
    """Raises HostError where the file is gone."""
    try:
        path.stat()
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror or error}.") from error
    return FileIdentity.of(path)
