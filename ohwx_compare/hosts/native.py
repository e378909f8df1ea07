"""The host that needs no webui: our own engine, one checkpoint in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded, Rendered
from ohwx_compare.core.job import InpaintJob, Job
from ohwx_compare.engine import inpaint, render, weights
from ohwx_compare.engine.noise import pick_source
from ohwx_compare.errors import HostError
from ohwx_compare.files.checkpoint import list_checkpoints, sha256

__all__ = ["NativeHost", "default_device", "default_dtype"]


def default_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def default_dtype(device: torch.device) -> torch.dtype:
    """float32 on the CPU, elsewhere float16 as the webui."""
    return torch.float32 if device.type == "cpu" else torch.float16


def run_on() -> Interruption:
    """The answer of somebody who never interrupts."""
    return Interruption.RUN_ON


@dataclass(frozen=True)
class _InUse:
    loaded: Loaded
    model: weights.Model
    stamp: tuple[int, ...]


class NativeHost:
    """Draws with the SDXL checkpoints of one or more folders.

    It satisfies `compare.host.Host`. A file is hashed when it is loaded and compared by size and time afterwards, so a
    checkpoint that was overwritten meanwhile is loaded again.
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
        digest: Callable[[Path], str] = sha256,
    ) -> None:
        """`vae` replaces every checkpoint's own; `on_step` gets the image-steps done and may raise Interrupted.

        `digest` gives a file's sha256; a `files.hashes.Hashes` shared with the search spares reading files twice.
        """
        self.folders = tuple(folders)
        self.device = torch.device(device) if device else default_device()
        self.dtype = dtype or default_dtype(self.device)
        self.vae, self.vae_sha256 = vae, sha256(vae) if vae else None
        self._ask, self._on_step, self._digest = interruption, on_step, digest
        self.reports_steps = on_step is not None
        self._in_use: _InUse | None = None

    def checkpoints(self) -> list[Checkpoint]:
        """Every .safetensors file of the folders, sorted by name; the first folder wins where names repeat."""
        found: dict[str, Checkpoint] = {}
        for folder in self.folders:
            for name in list_checkpoints(folder):
                found.setdefault(name, Checkpoint(name, folder / name))
        return sorted(found.values(), key=lambda checkpoint: (checkpoint.name.casefold(), checkpoint.name))

    def use(self, checkpoint: Checkpoint) -> Loaded:
        """Load `checkpoint`, unless it is in memory and its file unchanged.

        Raises CheckpointError for a file that is not SDXL, HostError for one that changed while it was read.
        """
        stamp = _stamp(checkpoint.path)
        if self._in_use and self._in_use.loaded.checkpoint == checkpoint and self._in_use.stamp == stamp:
            return self._in_use.loaded
        self.close()
        digest = self._digest(checkpoint.path)
        model = weights.load(checkpoint.path, device=self.device, dtype=self.dtype, vae=self.vae)
        if _stamp(checkpoint.path) != stamp:
            raise HostError(f"{checkpoint.path.name} changed while it was loaded; try again once it is written.")
        self._in_use = _InUse(Loaded(checkpoint, digest), model, stamp)
        return self._in_use.loaded

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """Draw jobs in order; neighbours that differ only in texts, seeds and CFG are one batch."""
        for group in render.batches(jobs):
            yield from _rendered(render.txt2img(self._model(), [jobs[i] for i in group], self._on_step))

    def inpaint(
        self, jobs: Sequence[InpaintJob], images: Sequence[Image.Image], masks: Sequence[Image.Image]
    ) -> Iterator[Rendered]:
        """Redraw the white of each mask ("L", the image's size) in each image (RGB), in order."""
        for group in render.batches([job.job for job in jobs]):
            chosen = ([things[i] for i in group] for things in (jobs, images, masks))
            yield from _rendered(inpaint.inpaint(self._model(), *chosen, self._on_step))

    def fingerprint(self, job: Job) -> dict[str, Any]:
        """Who draws, whose noise, on what kind of device, in what precision, with whose VAE."""
        source, _ = pick_source(job.rng, self.device)
        return {
            "host": self.name,
            "noise": source.kind,
            "device": self.device.type,
            "dtype": str(self.dtype).removeprefix("torch."),
            "vae": self.vae_sha256,
        }

    def interruption(self) -> Interruption:
        """What the callable given at construction says."""
        return self._ask()

    def close(self) -> None:
        """Forget the checkpoint and free its memory; safe to call twice."""
        self._in_use = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _model(self) -> weights.Model:
        if self._in_use is None:
            raise HostError("No checkpoint is loaded; call use() first.")
        return self._in_use.model


def _rendered(pictures: Sequence[render.Picture]) -> Iterator[Rendered]:
    return (Rendered(picture.image, picture.notes) for picture in pictures)


def _stamp(path: Path) -> tuple[int, ...]:
    """Size in bytes, time of change in ns, the inode and its own time. Raises HostError where the file is gone."""
    try:
        stat = path.stat()
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror or error}.") from error
    return stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns
