"""Noise levels: how much noise the model knows (`ModelSigmas`) and which levels a sampler visits (`schedule`).

Everything here is float32 on the CPU, as k-diffusion computes it: Karras' schedule in float64 moves the final latents
by 9e-3. Levels are in units of the latents' standard deviation.
"""

import math

import torch

from ohwx_compare.errors import UnsupportedKeyError

__all__ = ["DRAWN_SCHEDULES", "ModelSigmas", "noise_levels"]

DRAWN_SCHEDULES = ("Automatic", "Uniform", "Karras", "Exponential")


class ModelSigmas:
    """SDXL's thousand training levels, rising, and the fractional time index of any level between them.

    "scaled linear" betas from 0.00085 to 0.012 in float64, sigma^2 = (1 - a) / a of their cumulated product a, cast to
    float32 (generative-models, LegacyDDPMDiscretization; k-diffusion, DiscreteSchedule). With `zero_snr` the last one
    is next to pure noise, about 4519.
    """

    def __init__(self, *, zero_snr: bool = False) -> None:
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        alphas_cumprod = torch.cumprod(1 - betas, 0).float()
        if zero_snr:
            alphas_cumprod = _rescale_to_zero_snr(alphas_cumprod)
        self.sigmas = ((1 - alphas_cumprod) / alphas_cumprod) ** 0.5  # (1000,)
        self.log_sigmas = self.sigmas.log()

    @property
    def smallest(self) -> float:
        """About 0.0292."""
        return self.sigmas[0].item()

    @property
    def largest(self) -> float:
        """About 14.61."""
        return self.sigmas[-1].item()

    def time(self, sigma: float) -> float:
        """The time index 0..999 of `sigma`, interpolated in log sigma; clamped outside the training levels."""
        log_sigma = torch.tensor(sigma, dtype=torch.float32).log()
        low = int(torch.searchsorted(self.log_sigmas, log_sigma, right=True).clamp(1, 999)) - 1
        below, above = self.log_sigmas[low], self.log_sigmas[low + 1]
        w = ((below - log_sigma) / (below - above)).clamp(0, 1)
        return ((1 - w) * low + w * (low + 1)).item()

    def at(self, time: torch.Tensor) -> torch.Tensor:
        """The levels at fractional `time` (n,) in 0..999, interpolated in log sigma: (n,)."""
        low, high, w = time.floor().long(), time.ceil().long(), time.frac()
        return ((1 - w) * self.log_sigmas[low] + w * self.log_sigmas[high]).exp()


def noise_levels(name: str, steps: int, model: ModelSigmas) -> torch.Tensor:
    """The levels a sampler visits: (steps + 1,) float32 on the CPU, falling, the last one 0.

    `name` is one of SCHEDULES but "Automatic", which the solver resolves. Raises UnsupportedKeyError.
    """
    match name:
        case "Uniform":
            sigmas = model.at(torch.linspace(999, 0, steps))
        case "Karras":
            sigmas = _karras(steps, model.smallest, model.largest)
        case "Exponential":
            sigmas = torch.linspace(math.log(model.largest), math.log(model.smallest), steps).exp()
        case _:
            raise UnsupportedKeyError(
                f"The schedule {name!r} is not supported yet; choose one of {', '.join(DRAWN_SCHEDULES)}."
            )
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def _rescale_to_zero_snr(alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """Algorithm 1 of Lin et al. (2023), https://arxiv.org/abs/2305.08891; the last one stays just above 0."""
    root = alphas_cumprod.sqrt()
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    return torch.cat([root[:-1] ** 2, root.new_tensor([4.8973451890853435e-08])])


def _karras(steps: int, smallest: float, largest: float, rho: float = 7.0) -> torch.Tensor:
    """Equation 5 of Karras et al. (2022), https://arxiv.org/abs/2206.00364."""
    ramp = torch.linspace(0, 1, steps)
    low, high = smallest ** (1 / rho), largest ** (1 / rho)
    return (high + ramp * (low - high)) ** rho
