"""What else changes a picture in the webui, besides job and checkpoint: as JSON values, for the key of the picture."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from modules import devices, processing, shared
from PIL import Image

from ohwx_compare.core.request.job import Job
from ohwx_compare.hosts.overrides import replaced_names
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.generation import loading
from ohwx_compare.hosts.webui.generation.passes import nested_scripts

__all__ = ["Fingerprint"]

_SECTIONS = frozenset({
    "compatibility", "epsilon_scaling", "face-restoration", "img2img", "optimizations", "sampler-params", "sd", "sd3",
    "sd_sampling", "sdxl", "vae",
})  # fmt: skip
_WITHOUT_SECTION = frozenset({"forge_unet_storage_dtype"})
_NOT_PIXELS = re.compile(r"sd_(model_)?checkpoint.*|sd_vae_checkpoint_cache|sd_unet|randn_source|CLIP_stop_.*")
_JOBS_OWN = frozenset({
    "batch_size", "cfg_scale", "denoising_strength", "do_not_reload_embeddings", "do_not_save_grid",
    "do_not_save_samples", "force_task_id", "height", "is_api", "n_iter", "negative_prompt", "outpath_grids",
    "outpath_samples", "override_settings_restore_afterwards", "prompt", "sampler_name", "scheduler",
    "scripts_setup_complete", "seed", "seed_enable_extras", "steps", "subseed", "subseed_strength", "user", "width",
})  # fmt: skip
_LORA = re.compile(r"<(?:lora|lyco):([^:>]+)")
_HYPERNET = re.compile(r"<hypernet:([^:>]+)")


class Fingerprint:
    """Made once from the user's processing object, called for each job; files are hashed once."""

    def __init__(
        self,
        p: processing.StableDiffusionProcessing,
        *,
        own_faces: bool,
        digest: Callable[[Path], str],
        modules: Sequence[Path] | None = None,
        told: Collection[str] = (),
    ):
        """digest: gives a file's sha256. modules: the files beside the checkpoint; None where a setting names a VAE.
        told: fields of jobs that an axis sets; what the user has there does not count.
        """
        self._p, self._own_faces, self._digest, self._modules = p, own_faces, digest, modules
        self._replaced = replaced_names(told)
        self._files: dict[Path, str] = {}
        self._vaes: dict[str, str | None] = {}  # those that the webui takes for one of the checkpoints alone

    def include(self, checkpoint: Path) -> None:
        """Count what belongs to this checkpoint, which is compared; before the first call."""
        if self._modules is not None:  # its VAE is one of them, or the checkpoint's own
            return
        self._vaes |= {path.name: self._sha256(path) for path in loading.vaes_beside(checkpoint)}

    def __call__(self, job: Job) -> dict[str, Any]:
        """JSON values, equal where nothing that moves a pixel changed."""
        texts = (job.prompt, job.hires_prompt, features.field_of(self._p, "hr_prompt") or "")
        negatives = (job.negative, job.hires_negative, features.field_of(self._p, "hr_negative_prompt") or "")
        words = (*texts, *negatives)
        own = {
            "loras": {name: self._sha256(features.lora_file(name)) for name in _named(_LORA, texts)},
            "hypernets": {name: self._sha256(features.hypernet_file(name)) for name in _named(_HYPERNET, texts)},
            "embeddings": {name: self._sha256(path) for name, path in features.embeddings_in("\n".join(words)).items()},
            "vaes": dict(sorted(self._vaes.items())),
        }
        vae = {} if job.vae is None else {"vae": _file_of(job.vae, self._digest)}
        return {**self._common, **vae, **{name: files for name, files in own.items() if files}}

    @cached_property
    def _common(self) -> dict[str, Any]:
        return {
            "host": "webui",
            "version": processing.program_version(),
            "device": str(devices.device).partition(":")[0],
            "dtype": [str(kind).removeprefix("torch.") for kind in (devices.dtype, devices.dtype_vae)],
            "vae": _vae(self._p, self._digest) if self._modules is None else self._chosen(self._modules),
            "settings": self._users(_settings(self._p)),
            "fields": self._users(_fields(self._p)),
            "scripts": _scripts(self._p, own_faces=self._own_faces),
            "nested scripts": sorted(nested_scripts()) if self._own_faces else [],
        }

    def _users(self, found: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in found.items() if name not in self._replaced}

    def _chosen(self, modules: Sequence[Path]) -> Any:
        return [[path.name, self._sha256(path)] for path in modules]

    def _sha256(self, path: Path | None) -> str | None:
        if path is not None and path not in self._files:
            self._files[path] = self._digest(path)
        return self._files[path] if path else None


def _named(tag: re.Pattern[str], texts: Iterable[str]) -> list[str]:
    return sorted({name for text in texts for name in tag.findall(text)})


def _vae(p: processing.StableDiffusionProcessing, digest: Callable[[Path], str]) -> Any:
    return _file_of(features.vae_of_command_line() or p.override_settings.get("sd_vae", shared.opts.sd_vae), digest)


def _file_of(named: Any, digest: Callable[[Path], str]) -> Any:
    file = loading.vae_file(named)
    return [Path(str(named)).name, digest(file)] if file.is_file() else named


def _settings(p: processing.StableDiffusionProcessing) -> dict[str, Any]:
    """The settings that move pixels, where they are not the webui's defaults."""
    found = {}
    for name, info in shared.opts.data_labels.items():
        section = info.section[0] if info.section else None
        value = p.override_settings.get(name, features.option(name, info.default))
        moves_pixels = section in _SECTIONS or name in _WITHOUT_SECTION
        if moves_pixels and not _NOT_PIXELS.fullmatch(name) and value != info.default:
            found[name] = _plain(value)
    return dict(sorted(found.items()))


def _fields(p: processing.StableDiffusionProcessing) -> dict[str, Any]:
    """Hires fix, tiling, refiner and the rest of the processing object; pictures by hash."""
    blank = type(p)()
    found = {}
    for name, value in vars(p).items():
        is_plain = isinstance(value, bool | int | float | str) and value != features.field_of(blank, name)
        if is_plain and name not in _JOBS_OWN and not name.startswith("_"):
            found[name] = value
    for name in ("init_images", "image_mask"):
        if value := features.field_of(p, name):
            found[name] = _plain(value)
    return dict(sorted(found.items()))


def _scripts(p: processing.StableDiffusionProcessing, *, own_faces: bool) -> dict[str, str]:
    """Each always-on script's arguments as a short digest; seed and sampler are the job's."""
    found = {}
    for script in features.always_on(p.scripts):
        stem = Path(script.filename).stem
        if script.section in ("seed", "sampler") or (own_faces and stem == "!adetailer"):
            continue
        if arguments := tuple((p.script_args or ())[script.args_from : script.args_to]):
            found[stem] = _digest(repr([_plain(value) for value in arguments]).encode())
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Image.Image):
        return _digest(value.convert("RGBA").tobytes())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None | dict) else repr(value)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
