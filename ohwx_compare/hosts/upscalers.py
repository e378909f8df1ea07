"""The upscalers that the native host's second passes name: found by name, loaded when one is needed."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import torch
from PIL import Image

from ohwx_compare.core.request.hires import LATENT_UPSCALERS
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.upscale import Enlarge, Upscaler, in_tiles
from ohwx_compare.engine.upscaler_file import read_upscaler
from ohwx_compare.errors import UnknownNameError
from ohwx_compare.files.hashes import Hashes
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
})  # fmt: skip


class Upscalers:
    """One network is held at a time."""

    def __init__(self, folders: Sequence[Path], files: RunFiles, hashes: Hashes, device: torch.device):
        self._named, self._files, self._device = NamedFiles("upscaler", folders, hashes, _SUFFIXES), files, device
        self._held: tuple[Path, Upscaler] | None = None

    def sha256(self, name: str | None) -> str | None:
        """Of the file that a name means; None for those without a file. Raises UnknownNameError."""
        return None if name is None or name in _NO_FILE else self._files.sha256(self._find(name))

    def find(self, job: Job) -> Enlarge | None:
        """What enlarges the picture of a job's first pass; None is a plain resize.

        Raises UnknownNameError where there is none of the name, CheckpointError or DetectorError for a file that
        cannot be read, HostError for one that changed since the run began.
        """
        name = job.hires_upscaler or "None"
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
            if name not in _FILES:
                raise
            return self._named.find(_FILES[name])


def _resampled(how: Image.Resampling, image: Image.Image, factor: float) -> Image.Image:
    return image.resize((int(image.width * factor), int(image.height * factor)), how)
