"""Pictures to latents and back: on a device as many at once as it has room for, in strips where not even one has.

Half precision is too small for some VAEs, SDXL's first among them: what comes out as NaN is computed again in float32,
and from then on that VAE is not asked in half precision.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ohwx_compare.engine.memory import is_out_of_memory
from ohwx_compare.engine.room import decode_bytes, encode_bytes, how_many
from ohwx_compare.engine.running import sent
from ohwx_compare.engine.strips import decode_in_strips, encode_in_strips
from ohwx_compare.errors import HostError
from ohwx_compare.models.vae import LATENT_SCALE, VAE

__all__ = ["Autoencoder", "decode_all", "encode_all"]

Notes = tuple[str, ...]


class Autoencoder(Protocol):
    """What encoding and decoding need of a model."""

    @property
    def vae(self) -> VAE:
        """It runs in its own dtype."""

    @property
    def vae_hash(self) -> str:
        """Of its weights; "" where that is not known, and then nothing is remembered."""

    @property
    def overflowing(self) -> set[str]:
        """The hashes of VAEs that gave NaN in half precision; it grows."""

    @property
    def path(self) -> Path:
        """The checkpoint, for errors."""


def encode_all(model: Autoencoder, images: Sequence[Image.Image], seeds: Sequence[int]) -> list[tuple[Tensor, Notes]]:
    """Each image (RGB, at least 8 px a side, the rest over 8 is lost) as scaled latents (1, 4, h, w), and notes.

    Latents (float32) are drawn from the VAE's posterior with the image's seed alone: they depend on no other picture.
    """
    device, found = next(model.vae.parameters()).device, list[tuple[Tensor, Notes]]()
    for size, group in groupby(images, key=lambda image: image.size):
        pixels = torch.from_numpy(np.stack([np.array(image) for image in group])).permute(0, 3, 1, 2)  # uint8
        for some in pixels.split(_at_once(model, encode_bytes, size[0] * size[1])):
            moments, notes = _through(model, "encode", sent(some, device).float() / 255 * 2 - 1)
            mean, log_variance = moments.chunk(2, dim=1)
            std = (0.5 * log_variance.clamp(-30, 20)).exp()
            own = seeds[len(found) : len(found) + len(some)]
            noise = [torch.randn(mean[:1].shape, generator=torch.Generator().manual_seed(seed)) for seed in own]
            z = (mean + std * sent(torch.cat(noise), device)) * LATENT_SCALE
            found += zip(z.contiguous().split(1), notes, strict=True)  # the UNet's layout
    return found


def decode_all(model: Autoencoder, z: Tensor) -> Iterator[tuple[Image.Image, Notes]]:
    """Scaled latents (B, 4, h, w) as pictures (RGB), values truncated like the webui's, and notes."""
    for some in z.split(_at_once(model, decode_bytes, 64 * z.shape[2] * z.shape[3])):
        pixels, notes = _through(model, "decode", 1 / LATENT_SCALE * some)
        pixels = (((pixels + 1) / 2).clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1)
        yield from zip(map(Image.fromarray, pixels.cpu().numpy()), notes, strict=True)


def _at_once(model: Autoencoder, need: Callable[..., int], pixels: int) -> int:
    """How many pictures of `pixels` go through together: on the CPU one, where more take longer."""
    weight = next(model.vae.parameters())
    return max(how_many(weight.device, need(model.vae.config, pixels, weight.itemsize), alone=1), 1)


def _through(model: Autoencoder, what: str, x: Tensor) -> tuple[Tensor, list[Notes]]:
    """`x` float32 (B, ...) through the VAE in its dtype, float32 out, and each picture's notes.

    Raises HostError for NaN in float32.
    """
    vae = model.vae
    dtype = next(vae.parameters()).dtype
    if x.device.type == "cpu":
        x = x.contiguous(memory_format=torch.channels_last)  # a fifth faster there; the UNet gains nothing
    is_half = dtype is not torch.float32
    y = None if is_half and model.vae_hash in model.overflowing else _computed(vae, what, x.to(dtype)).float()
    bad = list(range(len(x))) if y is None else _not_finite(y)
    if y is not None and not bad:
        return y, [()] * len(x)
    again = x.new_full((1,), torch.nan)
    if is_half:
        model.overflowing.update({model.vae_hash} - {""})
        try:
            vae.float()
            again = _computed(vae, what, x[bad])
        finally:
            vae.to(dtype)
    if not again.isfinite().all():
        raise HostError(f"The VAE of {model.path.name} gave NaN in float32; the file is damaged; choose another VAE.")
    said = f"the VAE ran in float32 to {what}: in {str(dtype).removeprefix('torch.')} it gave NaN"
    whole = again if y is None else y.index_copy(0, torch.tensor(bad, device=y.device), again)
    return whole, [(said,) if i in bad else () for i in range(len(x))]


def _not_finite(y: Tensor) -> list[int]:
    """Which of the batch hold numbers that are not; one look for all of them."""
    return [i for i, is_fine in enumerate(y.isfinite().flatten(1).all(1).tolist()) if not is_fine]


def _computed(vae: VAE, what: str, x: Tensor) -> Tensor:
    """A pass in the dtype of `x`, one after the other or in strips where there is no room for more."""
    plain, need = getattr(vae, what), decode_bytes if what == "decode" else encode_bytes
    strips = decode_in_strips if what == "decode" else encode_in_strips
    pixels = x.shape[2] * x.shape[3] * (64 if what == "decode" else 1)
    room = how_many(x.device, need(vae.config, pixels, x.itemsize), alone=len(x))
    try:
        if room:
            return torch.cat([plain(some) for some in x.split(room)])
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    return torch.cat([strips(vae, one) for one in x.split(1)])
