"""Style by the base's own UNet, a second opinion: does its prediction of noise fit the style's text or "photo" better?

The frozen base is a classifier (Li and others 2023, "Your diffusion model is secretly a zero-shot classifier"): noise
is added to the picture, and the base predicts it by either text; the better text leaves the smaller error. It takes
eight calls of the UNet a picture, so it is off unless asked for.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.conditioning import Entry, condition
from ohwx_compare.engine.levels import ModelSigmas
from ohwx_compare.engine.weights import Model
from ohwx_compare.judge.measure import UNET_CALLS, Asked, MeasureContext, MeasureWords, Score, measure_key
from ohwx_compare.judge.style_ends import StyleEnds, loaded
from ohwx_compare.judge.style_kept import PHOTOGRAPH, is_photo_style
from ohwx_compare.models.vae import LATENT_SCALE

__all__ = ["DIFFUSION_STYLE", "DiffusionStyle"]

DIFFUSION_STYLE = "style by the UNet"

_TIMES = tuple(range(250, 850, 150 * 8 // UNET_CALLS))  # of 1000, one noise each, by both texts


class DiffusionStyle:
    """The measure: 0 at the base's photographs, 1 at its pictures of the style, as `StyleKept`, by other eyes."""

    name = DIFFUSION_STYLE
    words = MeasureWords(
        title="Style by the base's UNet, a second opinion", subject=DIFFUSION_STYLE,
        more="more of the style by the UNet", less="less of the style by the UNet", is_aside=True,
    )  # fmt: skip
    asked = Asked.SUBJECT
    takes_before = False
    version = 1
    licence = "that of your checkpoint"
    needs: tuple[str, ...] = ("the base as control", "a photo style among the base's pictures", "the base checkpoint")

    def __init__(self, model: Model, base_sha256: str, ends: StyleEnds) -> None:
        """Look at the base's pictures, one in memory at a time. Raises ImageError for one that cannot be read."""
        self._model, self.sha256 = model, base_sha256
        self._levels = ModelSigmas(zero_snr=model.zero_snr)
        self._texts: dict[tuple[str, tuple[int, int]], Entry] = {}
        self._photo = ends.photos[0].prompt
        self._prompts = {style: own[0].prompt for style, own in ends.drawn.items()}
        digests: list[str] = []
        low = np.mean([self._ratios(loaded(each.path, digests), self._prompts) for each in ends.photos], axis=0)
        self._ends = {
            style: (float(at), float(np.mean([self._ratios(loaded(each.path, digests), [style]) for each in own])))
            for at, (style, own) in zip(low, ends.drawn.items(), strict=True)
        }
        told = hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
        self.settings: Mapping[str, object] = {
            "base": base_sha256, "controls": told, "prompts": {"photo": self._photo, **self._prompts},
        }  # fmt: skip
        self.key = measure_key(self.name, self.version, **self.settings)

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """See `PictureMeasure.score`. A style whose own pictures fit it no better than photographs has no number."""
        if is_photo_style(context.style):
            return [Score(None, PHOTOGRAPH)] * len(pictures)
        low, high = self._ends.get(context.style, (0.0, 0.0))
        if high <= low:
            return [Score(None, "the UNet cannot tell this style from a photograph")] * len(pictures)
        ratios = np.array([self._ratios(picture, [context.style])[0] for picture in pictures])
        return [Score(float(share)) for share in ((ratios - low) / (high - low)).clip(0, 1)]

    @torch.inference_mode()
    def _ratios(self, picture: Image.Image, styles: Iterable[str]) -> NDArray[np.float64]:
        """(S,) log of the error by "photo" over the error by each style: more fits the style better."""
        z = self._encoded(picture)
        draws = list(self._draws(z))
        texts = (self._photo, *(self._prompts[style] for style in styles))
        by_photo, *by_style = (self._error(z, draws, picture.size, text) for text in texts)
        return np.log(by_photo / np.array(by_style))

    def _encoded(self, picture: Image.Image) -> Tensor:
        """(1, 4, h, w) float32: the mean of the VAE's latents."""
        width, height = (max(round(side / 8) * 8, 8) for side in picture.size)
        image = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
        moments = self._model.vae.encode(pixels.to(self._model.device, self._model.dtype))
        return moments.chunk(2, 1)[0].float() * LATENT_SCALE

    def _draws(self, z: Tensor) -> Iterator[tuple[int, float, Tensor]]:
        """Time, level and noise of each; the same for every picture of a size and for both texts."""
        for time in _TIMES:
            noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(time)).to(z)
            yield time, float(self._levels.sigmas[time]), noise

    def _error(
        self, z: Tensor, draws: Sequence[tuple[int, float, Tensor]], size: tuple[int, int], prompt: str
    ) -> float:
        """Mean squared error of the noise that is predicted by this text."""
        model, entry = self._model, self._text(prompt, size)
        context = model.unet.read(entry.crossattn[None].to(z.device, model.dtype))
        vector, total = entry.vector[None].to(z.device, model.dtype), 0.0
        for time, sigma, noise in draws:
            x = z + sigma * noise
            scale = (sigma**2 + 1) ** 0.5
            at = torch.full((1,), float(time), device=z.device)
            said = model.unet((x / scale).to(model.dtype), at, context, vector).float()
            if model.prediction == "v":  # to the noise: x / scale is cos * z + sin * noise, and v cos * noise - sin * z
                said = said / scale + x * sigma / scale**2
            total += float(((said - noise) ** 2).mean())
        return total

    def _text(self, prompt: str, size: tuple[int, int]) -> Entry:
        if (prompt, size) not in self._texts:
            width, height = size
            found = condition(self._model, Job(prompt=prompt, seed=0), width=width, height=height, steps=1)
            self._texts[prompt, size] = found.positive[0].schedule[0]
        return self._texts[prompt, size]
