"""The one loop that runs a solver's rows.

It reads nothing back from the device: rows are numbers that were computed before it.
"""

from collections.abc import Callable, Sequence

import torch

from ohwx_compare.engine.rows import SolverRow

__all__ = ["Counter", "Denoise", "History", "Noise", "sample", "sent"]

Denoise = Callable[[torch.Tensor, float], torch.Tensor]  # (x (B, C, h, w), sigma) -> denoised x
Noise = Callable[[float, float], torch.Tensor]  # (sigma, sigma_next) -> standard normal (B, C, h, w)
Counter = Callable[[int], None]


class History:
    """The last calls of the model: what it was given and what it made of that, the newest first."""

    def __init__(self, model: Denoise, depth: int) -> None:
        """`depth` calls are remembered."""
        self.model, self.depth = model, depth
        self.xs: list[torch.Tensor] = []
        self.ds: list[torch.Tensor] = []

    def call(self, x: torch.Tensor, sigma: float) -> None:
        """Ask the model what `x` (B, C, h, w) is without noise of `sigma`."""
        self.xs = [x, *self.xs[: self.depth - 1]]
        self.ds = [self.model(x, sigma), *self.ds[: self.depth - 1]]

    def mixed(self, row: SolverRow) -> torch.Tensor:
        """x after `row`, without its noise."""
        terms = [*zip(row.keep, self.xs, strict=False), *zip(row.toward, self.ds, strict=False)]
        (weight, tensor), *rest = [term for term in terms if term[0]] or terms[:1]
        x = weight * tensor
        for weight, tensor in rest:
            x = x + weight * tensor
        return x


def sample(
    model: Denoise, x: torch.Tensor, rows: Sequence[SolverRow], noise: Noise, on_step: Counter | None = None
) -> torch.Tensor:
    """Run `rows` from `x` (B, C, h, w), which has noise of the first row's sigma; returns the same shape.

    `on_step` is called after each step with B, the image-steps just done, and may raise Interrupted.
    """
    past = History(model, max((len(weights) for row in rows for weights in (row.keep, row.toward)), default=1))
    for row in rows:
        if row.churn is not None:
            x = x + row.churn * sent(noise(row.sigma, row.sigma), x.device)
        past.call(x, row.sigma)
        x = past.mixed(row)
        if row.spread:
            since = row.sigma if row.since is None else row.since
            x = x + row.spread * sent(noise(since, row.sigma_next), x.device)
        if on_step is not None and row.ends:
            on_step(len(x))
    return x


def sent(noise: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`noise` on `device`; from the CPU through pinned memory, since any other copy would wait for the device."""
    if noise.device == device:
        return noise
    return (noise.pin_memory() if device.type == "cuda" else noise).to(device, non_blocking=True)
