"""The upscalers that jobs name for the native host: found by name, loaded when one is needed."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import torch
from PIL import Image

from ohwx_compare.core.request.hires import DIFFUSION_UPSCALER, LATENT_UPSCALERS
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.upscale import Enlarge, Upscaler, in_tiles, resized
from ohwx_compare.engine.upscaler_file import read_upscaler
from ohwx_compare.errors import UnknownNameError, UnsupportedKeyError
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.masks import Resize
from ohwx_compare.files.named import NamedFiles
from ohwx_compare.hosts.run_files import RunFiles

__all__ = ["Upscalers"]

_SUFFIXES = (".pth", ".pt", ".safetensors")
_RESAMPLED = MappingProxyType({"Lanczos": Image.Resampling.LANCZOS, "Nearest": Image.Resampling.NEAREST})
_NO_FILE = frozenset({"None", *_RESAMPLED, *LATENT_UPSCALERS})
_FILES = MappingProxyType({  # what the webui calls files that it fetches itself, as long as they are not there
    "R-ESRGAN 4x+": "RealESRGAN_x4plus",
    "R-ESRGAN 4x+ Anime6B": "RealESRGAN_x4plus_anime_6B",
    "R-ESRGAN 2x+": "RealESRGAN_x2plus",
    "R-ESRGAN General 4xV3": "realesr-general-x4v3",
    "R-ESRGAN General WDN 4xV3": "realesr-general-wdn-x4v3",
    "R-ESRGAN AnimeVideo": "realesr-animevideov3",
    "ESRGAN_4x": "ESRGAN",
    "SwinIR 4x": "SwinIR_4x",
    "DAT x2": "DAT_x2",
    "DAT x3": "DAT_x3",
    "DAT x4": "DAT_x4",
    "ScuNET GAN": "ScuNET",
    "ScuNET PSNR": "ScuNET",  # the webui fetches the other one's file for it
})  # fmt: skip
_FETCHED = MappingProxyType({**{file: file for file in _FILES.values()}, **_FILES})
_OTHER = "or name another upscaler, which gives another picture."


class Upscalers:
    """One network is held at a time."""

    def __init__(self, folders: Sequence[Path], files: RunFiles, hashes: Hashes, device: torch.device):
        self._named, self._files, self._device = NamedFiles("upscaler", folders, hashes, _SUFFIXES), files, device
        self._held: tuple[Path, Upscaler] | None = None

    def hashes(self, job: Job) -> dict[str, str]:
        """The sha256 of the files that a job's upscalers mean, as a fingerprint has them. Raises as `of_hires`."""
        named = {"upscaler": job.hires_upscaler or "None", "img2img_upscaler": job.img2img_upscaler}
        return {what: self._files.sha256(self._find(name)) for what, name in named.items() if name not in _NO_FILE}

    def of_hires(self, job: Job) -> Resize:
        """What makes the picture of a job's first pass larger.

        Raises UnknownNameError where there is none of the name, UnsupportedKeyError for LDSR, CheckpointError or
        DetectorError for a file that cannot be read, HostError for one that changed since the run began.
        """
        return partial(resized, enlarge=self._enlarge(job.hires_upscaler or "None", job))

    def of_img2img(self, job: Job) -> Resize:
        """What gives the pictures of an img2img or inpaint their size. Raises as `of_hires`."""
        return partial(resized, enlarge=self._enlarge(job.img2img_upscaler, job))

    def _enlarge(self, name: str, job: Job) -> Enlarge | None:
        """None is a plain resize."""
        if name in _RESAMPLED:
            return partial(_resampled, _RESAMPLED[name])
        if name in _NO_FILE:
            return None
        path = self._find(name)
        if self._held is None or self._held[0] != path:
            self._files.require_untouched(path)
            self._held = None
            dtype = torch.float32 if self._device.type == "cpu" else torch.float16
            self._held = path, read_upscaler(path, device=self._device, dtype=dtype)
        model = self._held[1]
        tile = None if job.upscaler_tile < 0 else job.upscaler_tile
        return lambda image, _: in_tiles(model, image, tile, job.upscaler_overlap)

    def close(self) -> None:
        """Free the network's memory."""
        self._held = None

    def _find(self, name: str) -> Path:
        try:
            return self._named.find(name)
        except UnknownNameError:
            if name == DIFFUSION_UPSCALER:
                raise UnsupportedKeyError(
                    f"The upscaler {name} is a diffusion model; draw it in the webui, {_OTHER}"
                ) from None
            if name not in _FETCHED:
                raise
            try:
                return self._named.find(_FETCHED[name])
            except UnknownNameError:
                raise UnknownNameError(
                    f"The upscaler {name!r} is the file {_FETCHED[name]}.pth, which the webui fetches when it is first "
                    f"used, and which no folder here has; put it there, {_OTHER}"
                ) from None


def _resampled(how: Image.Resampling, image: Image.Image, factor: float) -> Image.Image:
    return image.resize((int(image.width * factor), int(image.height * factor)), how)
