"""The webui as a `Host`: it generates with its own samplers, LoRAs, styles and settings; what it says is verified."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import torch
from modules import devices, processing, shared
from PIL import Image

from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded, Rendered
from ohwx_compare.compare.resolve import among
from ohwx_compare.core.events import Listener
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.engine.linear import ONEDNN, TORCH, linear_by
from ohwx_compare.engine.memory import within_memory
from ohwx_compare.errors import HostError, InfotextError, Interrupted, MissingKeysError, SkippedError
from ohwx_compare.files.checkpoint import Header, read_header, require_sdxl
from ohwx_compare.hosts.other_checkpoints import OtherCheckpoints
from ohwx_compare.hosts.run_files import RunFiles
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import checkpoints_here
from ohwx_compare.hosts.webui.generation import loading
from ohwx_compare.hosts.webui.generation.fingerprint import Fingerprint
from ohwx_compare.hosts.webui.generation.holding import hold_model
from ohwx_compare.hosts.webui.generation.loaded import MODEL_PARTS, differing, missing, vae_differs
from ohwx_compare.hosts.webui.generation.passes import Template
from ohwx_compare.hosts.webui.generation.together import can_be_together, paste_crop, together
from ohwx_compare.hosts.webui.generation.toy import describe_toy
from ohwx_compare.hosts.webui.hashes import webui_hashes
from ohwx_compare.words import counted

__all__ = ["WebuiHost"]


class WebuiHost:
    """Generates with the running webui; it satisfies `compare.host.Host`.

    p: the user's processing object, as a script's `run` gets it. It is copied for each call and never changed.
    own_faces: the comparison does the faces; ADetailer stays out of the pictures then.
    told: fields of jobs that an axis sets: theirs count, at their defaults too, and what the user has there does not.
    tell: hears of large files that are read for their hash.
    Make it while the webui's queue lock is held, as a script does. Raises HostError where settings are frozen.
    """

    name = "webui"
    linear = TORCH  # see `engine.linear`; no module of the webui is touched for another
    reports_steps = False

    def __init__(
        self,
        p: processing.StableDiffusionProcessing,
        *,
        own_faces: bool,
        told: frozenset[str] = frozenset(),
        tell: Listener = lambda event: None,
    ):
        if why := features.refusal():
            raise HostError(why)
        self._hashes = webui_hashes(tell)
        self._holding = hold_model(p.override_settings)
        self._others = OtherCheckpoints(self._among_all, RunFiles(self._hashes))
        self._template = Template(p, own_faces, self._alias, told)
        self._fingerprint = Fingerprint(
            p, own_faces=own_faces, digest=self._hashes, modules=self._holding.modules, told=told
        )
        self._in_use: tuple[Loaded, Header, Any] | None = None
        self._is_finishing = self._is_closed = False

    def checkpoints(self) -> list[Checkpoint]:
        """Every .safetensors file of the webui's checkpoint folders, sorted; the first folder wins on equal names."""
        return sorted(checkpoints_here(), key=lambda checkpoint: (checkpoint.name.casefold(), checkpoint.name))

    def resolve(self, ref: CheckpointRef) -> Checkpoint:
        """The file of a reference. Raises UnknownCheckpointError, or CheckpointError where several fit.

        A file is read whole only where it is asked for by a hash that no known file has.
        """
        found = self._among_all(ref)
        self._fingerprint.include(found.path)
        return found

    def sha256(self, checkpoint: Checkpoint) -> str:
        """The file's hash as it is now. Raises CheckpointError where it cannot be read."""
        return self._hashes(checkpoint.path)

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """What the file seems to be; None where nothing is known of it."""
        seen = self._hashes.glance(checkpoint.path)
        return Loaded(checkpoint, seen.contents.sha256, not seen.is_certain) if seen else None

    def use(self, checkpoint: Checkpoint, *, sampled: bool = False) -> Loaded:
        """Load `checkpoint` and compare memory with the file.

        sampled: its hash may be that of a `glance`.
        Raises CheckpointError for a file that is not SDXL or cannot be read, MissingKeysError where weights would be
        left over from the model before, HostError where the webui loads something else.
        """
        header = read_header(checkpoint.path)
        require_sdxl(header)
        describe_toy(header)
        entry = loading.entry_of(checkpoint)
        was_there = loading.is_loaded(checkpoint.path)
        self._holding.load(entry, forced=False)
        parts = self._holding.own_parts()
        if differing(loading.in_memory(), header, parts, whole=was_there) or (was_there and self._has_another_vae()):
            self._holding.load(entry, forced=True)  # a file was overwritten, and the webui goes by the name
        seen = self.glance(checkpoint) if sampled else None
        loaded = seen or Loaded(checkpoint, self.sha256(checkpoint))
        self._in_use = (loaded, header, entry)
        self._verify()
        _require_whole(checkpoint, header, parts)
        loading.forget_networks()
        self._template.use(self._holding.overrides(self._template.p.override_settings, entry))
        return loaded

    def expect(self, checkpoint: Checkpoint) -> None:
        """Nothing: the webui reads checkpoints in its own way."""

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """Generate jobs in order; neighbours that differ in the seed only are one batch."""
        for _, group in groupby(jobs, key=lambda job: replace(job, seed=0) if not job.subseed_strength else job):
            same = list(group)
            yield from self._draw(self._template.picture(same), same)

    def inpaint(
        self, jobs: Sequence[InpaintJob], images: Sequence[Image.Image], masks: Sequence[Image.Image]
    ) -> Iterator[Rendered]:
        """Inpaint the white of each mask ("L", the image's size) in each image (RGB).

        Neighbours that differ in the seed only are one batch.
        """
        for _, group in groupby(zip(jobs, images, masks, strict=True), key=_kind_of_face):
            same = list(group)
            passes = [self._template.face(*asked) for asked in same]
            # Forge's kin draw noise around a mask for a whole batch at once: a face would depend on its neighbours
            if len(same) > 1 and not loading.builds_anew() and can_be_together(passes[0]):
                drawn = self._draw(together(passes), [asked.job for asked, _, _ in same])
                for one, crop in zip(passes, drawn, strict=True):
                    yield replace(crop, image=paste_crop(one, crop.image))
            else:
                for one, (asked, _, _) in zip(passes, same, strict=True):
                    yield from self._draw(one, [asked.job])

    def fingerprint(self, job: Job) -> dict[str, Any]:
        """Webui version, precision, VAE, LoRA files, settings, other scripts' arguments, and other checkpoints."""
        kernel = {"linear": ONEDNN} if self.linear == ONEDNN else {}
        return {**self._fingerprint(job), **self._others.hashes(job), **kernel}

    def beside(self, checkpoint: Checkpoint, job: Job) -> str:
        """Nothing: a VAE that the webui takes for one of the checkpoints is in every fingerprint."""
        return ""

    def interruption(self) -> Interruption:
        """What Interrupt, Skip or "finish this image" asked for."""
        state = shared.state
        if state.interrupted:
            return Interruption.STOP
        if state.skipped:
            state.skipped = False
            return Interruption.SKIP
        self._take_over_finishing()
        return Interruption.FINISH_CELL if self._is_finishing else Interruption.RUN_ON

    def close(self) -> None:
        """Load the user's checkpoint and VAE again; safe to call twice. Raises HostError where that fails."""
        if self._is_closed:
            return
        self._is_closed = True
        self._in_use = None
        self._holding.give_back()

    def _draw(self, p: processing.StableDiffusionProcessing, jobs: Sequence[Job]) -> Iterator[Rendered]:
        self._take_over_finishing()
        if shared.state.interrupted:
            raise Interrupted("Interrupted; what is finished is kept.")
        torch.manual_seed(jobs[0].seed)  # the VAE's encode draws from here, or else from what the last job left
        self._keep()
        what = f"{len(jobs)} x {jobs[0].width}x{jobs[0].height} px"
        with linear_by(self.linear), features.restored(p.override_settings):
            processed = within_memory(lambda: processing.process_images(p), what, torch.device(devices.device))
        if shared.state.interrupted:
            raise Interrupted("Interrupted; what is finished is kept.")
        if shared.state.skipped:
            shared.state.skipped = False
            raise SkippedError("Skipped by the user while it was generated; resume the run to generate it.")
        images = processed.images[processed.index_of_first_image :][: len(jobs)]
        if len(images) != len(jobs):
            raise HostError(f"The webui generated {len(images)} of {counted(len(jobs), 'picture')}; its log says why.")
        if any((job.checkpoint, job.refiner, job.hires_checkpoint) != (None, None, None) for job in jobs):
            self._return()
        self._verify()
        notes = tuple(p.comments)
        texts = processed.infotexts[processed.index_of_first_image :]
        for job, image, prompt, text in zip(jobs, images, processed.all_prompts, texts, strict=False):
            changed = () if prompt == job.prompt else (f"prompt as used: {prompt}",)
            yield Rendered(image.convert("RGB"), (*notes, *changed), _keys(text))

    def _has_another_vae(self) -> bool:
        """Whether the VAE chosen beside the checkpoint was overwritten under its name."""
        path = self._holding.vae()
        return path is not None and vae_differs(loading.in_memory(), path)

    def _keep(self) -> None:
        if self._in_use is not None:
            self._holding.keep(self._in_use[2])

    def _return(self) -> None:
        """Have the checkpoint in use in memory again, after a picture that ended with another one."""
        if self._in_use is not None:
            self._holding.load(self._in_use[2], forced=False)

    def _alias(self, name: str) -> str:
        """What the webui calls a checkpoint that a job names besides the one in use."""
        return loading.alias_of(loading.entry_of(self._others.find(name)))

    def _among_all(self, ref: CheckpointRef) -> Checkpoint:
        return among(checkpoints_here(), self._hashes.seems, self._hashes)(ref)

    def _verify(self) -> None:
        """Raise HostError unless the checkpoint in use is what lies in memory."""
        if self._in_use is None:
            raise HostError("No checkpoint is loaded; call use() first.")
        loaded, header, _ = self._in_use
        path = loaded.checkpoint.path
        if not loading.is_loaded(path):
            raise HostError(f"Asked for {path.name}, but the webui has loaded {loading.loaded_name()}.")
        try:
            others = differing(loading.in_memory(), header, self._holding.own_parts())
        except OSError as error:
            raise HostError(f"{path} can no longer be read: {error.strerror or error}.") from error
        if others:
            raise HostError(f"{path.name} is not what the webui has in memory: {others[0]} differs. Load it again.")

    def _take_over_finishing(self) -> None:
        """From 1.8 Interrupt first asks to finish; left in place, it would stop the face pass of the cell in hand."""
        if features.is_finishing():
            shared.state.stopping_generation = False
            self._is_finishing = True


def _require_whole(checkpoint: Checkpoint, header: Header, parts: Sequence[str]) -> None:
    """Raise MissingKeysError where the file lacks a tensor of the model that was loaded from it."""
    if lost := missing(loading.in_memory(), header, parts):
        some = ", ".join(lost[:3]) + (", ..." if lost[3:] else "")
        instead = "leave them without values" if loading.builds_anew() else "use those of the model before"
        raise MissingKeysError(
            f"{checkpoint.name} lacks {counted(len(lost), 'tensor')} ({some}); the webui would {instead}. Save the "
            f"checkpoint whole{', or set a VAE' if MODEL_PARTS[-1] in parts else ''}."
        )


def _kind_of_face(face: tuple[InpaintJob, Image.Image, Image.Image]) -> tuple[object, ...]:
    """Equal for faces that can be one batch."""
    asked, image, mask = face
    job = asked.job if asked.job.subseed_strength else replace(asked.job, seed=0, subseed=0)
    return (replace(asked, job=job), image.size, mask.getbbox() is None)


def _keys(text: str) -> tuple[tuple[str, str], ...]:
    """What the webui and its scripts say about a picture: hires fix, LoRAs, VAE, ADetailer's own face pass, ..."""
    try:
        pairs = parse(text).pairs
    except InfotextError:
        return ()
    return tuple((pair.key, pair.value) for pair in pairs if pair.key not in ("Version", "User"))
