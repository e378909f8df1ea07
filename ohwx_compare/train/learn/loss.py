"""What the UNet shall predict and how its error is weighted: noise or v, min-SNR, debiased.

Source: Ho et al. (arXiv 2006.11239); Salimans & Ho, v (arXiv 2202.00512); Hang et al., min-SNR (arXiv 2303.09556);
Yu et al., debiased (arXiv 2310.08442); Lin et al., zero terminal SNR (arXiv 2305.08891). Weights as sd-scripts writes
them: https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/custom_train_functions.py
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ohwx_compare.errors import ExperimentError

__all__ = ["NOISE_LEVELS", "Diffusion"]

NOISE_LEVELS = 1000  # noise levels of training


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """The forward process and the loss. Raises ExperimentError for a combination that cannot be trained."""

    prediction: str = "eps"  # what the UNet predicts: "eps" (the noise) or "v"
    min_snr: float | None = None  # gamma; 5 is the paper's
    debiased: bool = False
    zero_snr: bool = False  # the last level is pure noise; needs v

    def __post_init__(self) -> None:
        if self.prediction not in ("eps", "v"):
            raise ExperimentError(f'prediction is {self.prediction!r}; expected "eps" or "v".')
        if self.min_snr is not None and not self.min_snr > 0:
            raise ExperimentError(f"min_snr is {self.min_snr}; expected a number above 0 (the paper uses 5).")
        if self.min_snr is not None and self.debiased:
            raise ExperimentError("min_snr and debiased are two weights for one loss; choose one.")
        if self.zero_snr and self.prediction == "eps":
            raise ExperimentError("A schedule that ends in pure noise (zero_snr) cannot be trained to predict noise.")

    @cached_property
    def signal(self) -> Tensor:
        """The share of the picture's variance left at each level: (1000,) float32, falling.

        Betas are the squares of a float32 line, as diffusers' scheduler has them.
        """
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, NOISE_LEVELS, dtype=torch.float32) ** 2
        signal = torch.cumprod(1 - betas, 0)
        if not self.zero_snr:
            return signal
        root = signal.sqrt()
        return ((root - root[-1]) * (root[0] / (root[0] - root[-1]))) ** 2  # Lin et al., algorithm 1

    def noisy(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Scaled latents (B, 4, h, w) with noise of timesteps (B,) int64 in 0..999: the UNet's input."""
        a = self._level(timesteps, latents)
        return a.sqrt() * latents + (1 - a).sqrt() * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the UNet should predict: the noise, or v = sqrt(a) noise - sqrt(1 - a) latents; (B, 4, h, w)."""
        if self.prediction == "eps":
            return noise
        a = self._level(timesteps, latents)
        return a.sqrt() * noise - (1 - a).sqrt() * latents

    def weight(self, timesteps: Tensor) -> Tensor:
        """How much each sample's squared error counts: (B,) float32."""
        a = self.signal.to(timesteps.device)[timesteps]
        snr = a / (1 - a)
        scale = snr if self.prediction == "eps" else snr + 1  # the SNR in units of the prediction's own error
        if self.min_snr is not None:
            return snr.clamp(max=self.min_snr) / scale
        if self.debiased:
            return snr.clamp(max=1000).rsqrt() if self.prediction == "eps" else 1 / scale
        return torch.ones_like(snr)

    def losses(self, predicted: Tensor, target: Tensor, timesteps: Tensor) -> Tensor:
        """The weighted mean squared error of each sample: (B,) float32."""
        error = (predicted.float() - target.float()).square().mean((1, 2, 3))
        return error * self.weight(timesteps)

    def _level(self, timesteps: Tensor, like: Tensor) -> Tensor:
        return self.signal.to(timesteps.device)[timesteps].to(like).view(-1, 1, 1, 1)
