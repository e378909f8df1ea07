"""Which noise levels a sampler visits (`noise_levels`), by the webui's names.

Everything here is float32 on the CPU, as k-diffusion and the webui compute it (modules/sd_schedulers.py, 82a973c):
Karras' schedule in float64 moves the final latents by 9e-3.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.beta_quantile import beta_quantile
from ohwx_compare.engine.levels import ModelSigmas
from ohwx_compare.errors import UnsupportedKeyError

__all__ = ["DRAWN_SCHEDULES", "Curve", "karras", "noise_levels"]

_ALIGNED = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)  # for SDXL, ten steps


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The ends of a schedule and its shape; 0 is the model's own level, and the schedule's own rho."""

    smallest: float = 0.0
    largest: float = 0.0
    rho: float = 0.0  # of Karras and Polyexponential
    alpha: float = 0.6  # of Beta
    beta: float = 0.6

    @classmethod
    def of(cls, job: Job) -> "Curve":
        """What `job` asks for."""
        return cls(smallest=job.sigma_min, largest=job.sigma_max, rho=job.rho, alpha=job.beta_alpha, beta=job.beta_beta)


def noise_levels(name: str, steps: int, model: ModelSigmas, curve: Curve | None = None) -> Tensor:
    """The levels a sampler visits: (steps + 1,) float32 on the CPU, falling, the last one 0.

    DDIM has more levels where `steps` does not divide the training levels, and KL Optimal ends at the smallest one.
    `name` is one of DRAWN_SCHEDULES but "Automatic", which the solver resolves. Raises UnsupportedKeyError.
    """
    if name not in _SCHEDULES:
        raise UnsupportedKeyError(
            f"The schedule {name!r} is not supported yet; choose one of {', '.join(DRAWN_SCHEDULES)}."
        )
    curve = curve or Curve()
    low, high = curve.smallest or model.smallest, curve.largest or model.largest
    sigmas = _SCHEDULES[name](_Asked(steps, low, high, model, curve))
    return sigmas if name == "KL Optimal" else torch.cat([sigmas, sigmas.new_zeros(1)])


@dataclass(frozen=True)
class _Asked:
    """What a schedule is asked for."""

    steps: int
    low: float
    high: float
    model: ModelSigmas
    curve: Curve

    def times(self, count: int) -> Tensor:
        """`count` times, evenly from the highest level's to the lowest's."""
        return torch.linspace(self.model.time(self.high), self.model.time(self.low), count)


def karras(steps: int, smallest: float, largest: float, rho: float = 7.0) -> Tensor:
    """Equation 5 of Karras et al. (2022), https://arxiv.org/abs/2206.00364, without its 0: (steps,)."""
    ramp = torch.linspace(0, 1, steps)
    low, high = smallest ** (1 / rho), largest ** (1 / rho)
    return (high + ramp * (low - high)) ** rho


def _uniform(asked: _Asked) -> Tensor:
    return asked.model.at(torch.linspace(asked.model.last_time, asked.model.first_time, asked.steps))


def _exponential(asked: _Asked) -> Tensor:
    return torch.linspace(math.log(asked.high), math.log(asked.low), asked.steps).exp()


def _polyexponential(asked: _Asked) -> Tensor:
    """A power of the even steps in log sigma; 1 is Exponential."""
    ramp = torch.linspace(1, 0, asked.steps) ** (asked.curve.rho or 1.0)
    return torch.exp(ramp * (math.log(asked.high) - math.log(asked.low)) + math.log(asked.low))


def _kl_optimal(asked: _Asked) -> Tensor:
    """Sabour et al. (2024), https://arxiv.org/abs/2404.14507, equation 11: even in the arc tangent."""
    share = torch.arange(asked.steps + 1) / asked.steps
    low, high = torch.tensor([asked.low, asked.high]).atan()
    return torch.tan(share * low + (1.0 - share) * high)


def _align_your_steps(asked: _Asked) -> Tensor:
    """The same authors' levels for SDXL, log-linear between them; eleven of them are taken as they are."""
    if asked.steps == len(_ALIGNED):
        return torch.tensor(_ALIGNED)
    places, known = (np.linspace(0, 1, count) for count in (asked.steps, len(_ALIGNED)))
    rising = np.exp(np.interp(places, known, np.log(_ALIGNED[::-1])))
    return torch.tensor(rising[::-1].copy(), dtype=torch.float32)


def _simple(asked: _Asked) -> Tensor:
    """Every so many of the training levels, rounded down."""
    stride = len(asked.model.sigmas) / asked.steps
    return asked.model.sigmas[[-(1 + int(i * stride)) for i in range(asked.steps)]]


def _ddim(asked: _Asked) -> Tensor:
    """Every so many of the training levels from the second on, however many that makes."""
    return asked.model.sigmas[1 :: max(len(asked.model.sigmas) // asked.steps, 1)].flip(0)


def _beta(asked: _Asked) -> Tensor:
    """Lee et al. (2024), https://arxiv.org/abs/2407.12173: quantiles of a beta distribution, of sigma in the webui."""
    shares = [beta_quantile(q, asked.curve.alpha, asked.curve.beta) for q in 1 - np.linspace(0, 1, asked.steps)]
    return torch.tensor([asked.low + share * (asked.high - asked.low) for share in shares])


_SCHEDULES: Mapping[str, Callable[[_Asked], Tensor]] = MappingProxyType({
    "Uniform": _uniform,
    "Karras": lambda asked: karras(asked.steps, asked.low, asked.high, asked.curve.rho or 7.0),
    "Exponential": _exponential,
    "Polyexponential": _polyexponential,
    "SGM Uniform": lambda asked: asked.model.at(asked.times(asked.steps + 1)[:-1]),
    "KL Optimal": _kl_optimal,
    "Align Your Steps": _align_your_steps,
    "Simple": _simple,
    "Normal": lambda asked: asked.model.at(asked.times(asked.steps)),
    "DDIM": _ddim,
    "Beta": _beta,
})  # fmt: skip
DRAWN_SCHEDULES = ("Automatic", *_SCHEDULES)
