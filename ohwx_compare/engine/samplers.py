"""Solvers of the diffusion ODE and SDE in k-diffusion's form: all they know is `denoised = model(x, sigma)`.

Every solver here is linear in what it sees, so one row of numbers is one step, and one loop runs them all:

    x <- keep * x + toward * D(x; sigma) + back * (the previous D) + spread * noise

A solver is the function that writes the rows for a list of levels. Rows are computed in float32 before the loop, which
therefore never waits for the device. Notation: Karras et al. (2022), https://arxiv.org/abs/2206.00364, and Lu et al.
(2022), DPM-Solver++, https://arxiv.org/abs/2211.01095, where lambda = -log sigma and h is its step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ohwx_compare.errors import UnsupportedKeyError

__all__ = ["SOLVERS", "Solver", "SolverRow", "find_solver", "sample"]

Denoise = Callable[[torch.Tensor, float], torch.Tensor]  # (x (B, C, h, w), sigma) -> denoised x
Noise = Callable[[float, float], torch.Tensor]  # (sigma, sigma_next) -> standard normal (B, C, h, w)
Counter = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class SolverRow:
    """One row: from `sigma` to `sigma_next`, with the weights of x, D, the previous D and the noise."""

    sigma: float
    sigma_next: float
    keep: float
    toward: float
    back: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True)
class Solver:
    """A solver's rows and what goes with it in the webui 1.10: its own schedule and its kind of noise."""

    name: str
    rows: Callable[[torch.Tensor], list[SolverRow]]
    automatic: str = "Uniform"  # the schedule that "Automatic" means
    brownian: bool = False  # noise from a Brownian path instead of the image's own next numbers


def sample(
    model: Denoise, x: torch.Tensor, steps: Sequence[SolverRow], noise: Noise, on_step: Counter | None = None
) -> torch.Tensor:
    """Run `steps` from `x` (B, C, h, w), which has noise of the first row's sigma; returns the same shape.

    `on_step` is called after each step with B, the image-steps just done, and may raise Interrupted.
    """
    previous: torch.Tensor | None = None
    for step in steps:
        denoised = model(x, step.sigma)
        x = step.keep * x + step.toward * denoised
        if previous is not None and step.back:
            x = x + step.back * previous
        if step.spread:
            x = x + step.spread * _sent(noise(step.sigma, step.sigma_next), x.device)
        previous = denoised
        if on_step is not None:
            on_step(len(x))
    return x


def _sent(noise: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`noise` on `device`; from the CPU through pinned memory, since any other copy would wait for the device."""
    if noise.device == device:
        return noise
    return (noise.pin_memory() if device.type == "cuda" else noise).to(device, non_blocking=True)


def _rows(sigmas: torch.Tensor, **weights: torch.Tensor) -> list[SolverRow]:
    """Zip float32 columns into rows; the last level is 0 and its row always lands on D, whatever the solver."""
    columns = {"sigma": sigmas[:-1], "sigma_next": sigmas[1:], **weights}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)]
    if rows and rows[-1]["sigma_next"] == 0:
        rows[-1] = {"sigma": rows[-1]["sigma"], "sigma_next": 0.0, "keep": 0.0, "toward": 1.0}
    return [SolverRow(**row) for row in rows]


def _euler(sigmas: torch.Tensor) -> list[SolverRow]:
    """Algorithm 2 of Karras et al. without churn and second-order correction: x + (x - D) / s * (s' - s)."""
    keep = sigmas[1:] / sigmas[:-1]
    return _rows(sigmas, keep=keep, toward=1 - keep)


def _euler_ancestral(sigmas: torch.Tensor) -> list[SolverRow]:
    """An Euler step to a level below the next one, then fresh noise up to it (k-diffusion, eta = 1)."""
    s, s_next = sigmas[:-1], sigmas[1:]
    up = torch.minimum(s_next, (s_next**2 * (s**2 - s_next**2) / s**2).sqrt())
    keep = (s_next**2 - up**2).sqrt() / s
    return _rows(sigmas, keep=keep, toward=1 - keep, spread=up)


def _dpmpp_2m(sigmas: torch.Tensor) -> list[SolverRow]:
    """Algorithm 2 of Lu et al., DPM-Solver++(2M): D extrapolated from the last two, exact in the linear part."""
    h = (-sigmas.log()).diff()
    toward = -torch.expm1(-h)
    return _rows(sigmas, keep=sigmas[1:] / sigmas[:-1], **_extrapolate(toward, h))


def _dpmpp_2m_sde(sigmas: torch.Tensor) -> list[SolverRow]:
    """SDE-DPM-Solver++(2M), Lu et al. section 5 (k-diffusion, solver type midpoint, eta = 1)."""
    h = (-sigmas.log()).diff()
    toward = -torch.expm1(-2 * h)
    return _rows(
        sigmas,
        keep=sigmas[1:] / sigmas[:-1] * (-h).exp(),
        **_extrapolate(toward, h),
        spread=sigmas[1:] * (-torch.expm1(-2 * h)).sqrt(),
    )


def _extrapolate(toward: torch.Tensor, h: torch.Tensor) -> dict[str, torch.Tensor]:
    """Give D's weight a slope: (1 + 1/2r) D - 1/2r times the previous D, r = the last h over this; none at first."""
    slope = torch.zeros_like(h)
    slope[1:] = 0.5 * h[1:] / h[:-1]
    return {"toward": toward * (1 + slope), "back": -toward * slope}


SOLVERS = (
    Solver("Euler", _euler),
    Solver("Euler a", _euler_ancestral),
    Solver("DPM++ 2M", _dpmpp_2m, automatic="Karras"),
    Solver("DPM++ 2M SDE", _dpmpp_2m_sde, automatic="Exponential", brownian=True),
)


def find_solver(name: str) -> Solver:
    """The solver of the webui's sampler `name`. Raises UnsupportedKeyError, which lists the known ones."""
    for solver in SOLVERS:
        if solver.name == name:
            return solver
    known = ", ".join(solver.name for solver in SOLVERS)
    raise UnsupportedKeyError(f"The sampler {name!r} is not supported yet; choose one of {known}.")
