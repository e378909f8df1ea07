"""Pictures as the VAE of a checkpoint sees them: what measures go by where there is no network made for the purpose."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine import weights
from ohwx_compare.models.vae import VAE

__all__ = ["VaeSight"]

_LEVELS = 3  # of the encoder, that are passed
_LONGEST = 512  # px of a picture's longer side; larger ones are shrunk to it
_FACE = 64  # px: the side that a face's crop is scaled to
_AROUND = 1.3  # sides of the face in its crop
_TOGETHER = 8  # pictures at most in a batch
_MOST_PX = 1 << 17  # in a batch: SDXL's encoder takes some 4 KB of memory for each


class VaeSight:
    """The encoder of a VAE, in float32."""

    def __init__(self, vae: VAE) -> None:
        self._vae = vae.eval().requires_grad_(False)
        digest = hashlib.sha256()
        for name, tensor in sorted(vae.encoder.state_dict().items()):
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
        self.sha256 = digest.hexdigest()  # of the encoder's weights, in whatever file they came

    @classmethod
    def load(cls, checkpoint: Path, device: str = "cpu") -> "VaeSight":
        """The VAE of an SDXL checkpoint. Raises CheckpointError."""
        return cls(weights.load_part("vae", checkpoint, device=device, dtype=torch.float32))

    def texture(self, images: Iterable[Image.Image]) -> NDArray[np.float64]:
        """(N, F): mean of each channel, log of its neighbours' difference, before the encoder's levels and after three.

        They say what surfaces and edges are like, hardly what is shown: means as Huang and Belongie 2017 ("Arbitrary
        style transfer in real-time with adaptive instance normalization", ICCV), and in place of their standard
        deviation, most of which is the scene's light and dark, how much a pixel differs from the next one (root of the
        mean square). Images are RGB of any size, taken one after the other.
        """
        found = [self._texture(torch.stack(batch)) for batch in _batches(map(_whole, images))]
        return np.concatenate(found) if found else np.empty((0, 0))

    def faces(self, images: Sequence[Image.Image], boxes: Sequence[Box]) -> NDArray[np.float64]:
        """(N, 256): the latent's mean of one face of each image, cut square around its box and scaled to 64 px."""
        crops = [_cropped(image, box) for image, box in zip(images, boxes, strict=True)]
        found = [self._latent(torch.stack(batch)) for batch in _batches(crops)]
        return np.concatenate(found) if found else np.empty((0, 0))

    @property
    def _device(self) -> torch.device:
        return next(self._vae.parameters()).device

    @torch.inference_mode()
    def _texture(self, pixels: Tensor) -> NDArray[np.float64]:
        encoder, found = self._vae.encoder, []
        h = encoder.conv_in(pixels.to(self._device))
        for step in (nn.Identity(), *encoder.down[:_LEVELS]):
            h = step(h)
            found += [h.double().mean((2, 3)), _roughness(h.double()).clamp_min(1e-6).log()]
        return np.asarray(torch.cat(found, 1).cpu().numpy(), np.float64)

    @torch.inference_mode()
    def _latent(self, pixels: Tensor) -> NDArray[np.float64]:
        moments = self._vae.encode(pixels.to(self._device))
        mean = moments[:, : self._vae.config.latent].flatten(1).double()
        return np.asarray(mean.cpu().numpy(), np.float64)


def _roughness(h: Tensor) -> Tensor:
    """(N, C): root of the mean square of the difference of neighbours, across and down."""
    steps = [h.diff(dim=side).square().mean((2, 3)) for side in (2, 3)]
    return torch.stack(steps).mean(0).sqrt()


def _whole(image: Image.Image) -> Tensor:
    """(3, H, W) in [-1, 1], H and W multiples of 8."""
    scale = min(_LONGEST / max(image.size), 1.0)
    width, height = (max(round(side * scale / 8) * 8, 8) for side in image.size)
    return _pixels(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))


def _cropped(image: Image.Image, box: Box) -> Tensor:
    side = _AROUND * max(box.width, box.height) / 2
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    edges = (round(x - side), round(y - side), round(x + side), round(y + side))
    return _pixels(image.convert("RGB").crop(edges).resize((_FACE, _FACE), Image.Resampling.LANCZOS))


def _pixels(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 127.5 - 1


def _batches(pixels: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one size, a few at a time, of large pictures one: batches of those cost memory and no time less."""
    for shape, group in groupby(pixels, key=lambda one: one.shape):
        together = max(min(_TOGETHER, _MOST_PX // (shape[1] * shape[2])), 1)
        held: list[Tensor] = []
        for one in group:
            held.append(one)
            if len(held) == together:
                yield held
                held = []
        if held:
            yield held
