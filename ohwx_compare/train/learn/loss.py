"""What the UNet shall predict and how its error is measured and weighted: noise or v, squared or Huber, min-SNR.

Source: Ho et al. (arXiv 2006.11239); Salimans & Ho, v (arXiv 2202.00512); Hang et al., min-SNR (arXiv 2303.09556);
Yu et al., debiased (arXiv 2310.08442); Lin et al., zero terminal SNR (arXiv 2305.08891). Errors and weights as
sd-scripts writes them:
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py#L6110-L6172 (Huber) and
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/custom_train_functions.py#L30-L112 (weights, zero SNR)
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.learn.crossing import onto

__all__ = ["NOISE_LEVELS", "Diffusion", "Huber"]

NOISE_LEVELS = 1000  # noise levels of training
_CLEAREST = 1000.0  # an SNR above counts as this


@dataclass(frozen=True, kw_only=True)
class Huber:
    """Where a Huber loss bends from square to straight, by the noise level."""

    schedule: str = "snr"  # or "exponential", "constant"
    c: float = 0.1
    scale: float = 1.0  # of the latter two


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """The forward process and the loss. Raises ExperimentError for a combination that cannot be trained."""

    prediction: str = "eps"  # what the UNet predicts: "eps" (the noise) or "v"
    min_snr: float | None = None  # gamma; 5 is the paper's
    debiased: bool = False
    zero_snr: bool = False  # the last level is pure noise; needs v
    weighs_before: bool = False  # weights are of the levels without zero_snr, as sd-scripts takes them
    loss: str = "l2"  # or "l1", "huber", "smooth-l1"
    huber: Huber = Huber()
    scale_v: bool = False  # v's loss in the units of the noise's
    v_like: float = 0.0  # share of v's loss that is added to the noise's

    def __post_init__(self) -> None:
        if self.prediction not in ("eps", "v"):
            raise ExperimentError(f'prediction is {self.prediction!r}; expected "eps" or "v".')
        if self.min_snr is not None and not self.min_snr > 0:
            raise ExperimentError(f"min_snr is {self.min_snr}; expected a number above 0 (the paper uses 5).")
        if self.min_snr is not None and self.debiased:
            raise ExperimentError("min_snr and debiased are two weights for one loss; choose one.")
        if self.zero_snr and self.prediction == "eps":
            raise ExperimentError("A schedule that ends in pure noise (zero_snr) cannot be trained to predict noise.")

    @property
    def plain(self) -> "Diffusion":
        """The same with the squared error, every level weighing alike."""
        return Diffusion(prediction=self.prediction, zero_snr=self.zero_snr)

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

    @cached_property
    def snr(self) -> Tensor:
        """The ratio of signal to noise by which each level is weighed: (1000,) float32."""
        signal = replace(self, zero_snr=False).signal if self.weighs_before else self.signal
        return signal / (1 - signal)

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
        """How much each sample's error counts: (B,) float32."""
        snr = onto(self.snr, timesteps.device)[timesteps]
        scale = snr if self.prediction == "eps" else snr + 1  # the SNR in units of the prediction's own error
        clear = snr.clamp(max=_CLEAREST)
        weight = torch.ones_like(snr)
        if self.min_snr is not None:
            weight = snr.clamp(max=self.min_snr) / scale
        if self.scale_v:
            weight = weight * (clear / (clear + 1))
        if self.v_like:
            weight = weight + weight / (clear / (clear + 1)) * self.v_like
        if self.debiased:
            weight = weight * (clear.rsqrt() if self.prediction == "eps" else 1 / (clear + 1))
        return weight

    def bend(self, timesteps: Tensor) -> Tensor:
        """Where "huber" and "smooth-l1" bend, of each sample: (B,) float32."""
        c, scale = self.huber.c, self.huber.scale
        if self.huber.schedule == "constant":
            return torch.full_like(timesteps, 0, dtype=torch.float32) + c * scale
        if self.huber.schedule == "exponential":
            return torch.exp(timesteps * (math.log(c) / NOISE_LEVELS)) * scale
        a = onto(self.signal, timesteps.device)[timesteps]
        return (1 - c) / (1 + ((1 - a) / a).sqrt()) ** 2 + c

    def losses(self, predicted: Tensor, target: Tensor, timesteps: Tensor, mask: Tensor | None = None) -> Tensor:
        """The weighted mean error of each sample: (B,) float32.

        mask: (B, 1, h, w), what each spot's error is multiplied by; its mean is taken over all spots.
        """
        error = self._error(predicted.float() - target.float(), timesteps)
        if mask is not None:
            error = error * mask
        return error.mean((1, 2, 3)) * self.weight(timesteps)

    def _error(self, apart: Tensor, timesteps: Tensor) -> Tensor:
        if self.loss == "l2":
            return apart.square()
        if self.loss == "l1":
            return apart.abs()
        bend = self.bend(timesteps).view(-1, 1, 1, 1)
        error = 2 * ((apart.square() + bend.square()).sqrt() - bend)
        return error * bend if self.loss == "huber" else error

    def _level(self, timesteps: Tensor, like: Tensor) -> Tensor:
        return onto(self.signal, timesteps.device)[timesteps].to(like).view(-1, 1, 1, 1)
