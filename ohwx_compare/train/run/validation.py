"""The loss at fixed noise: what training changes, without the chance of a step's own timestep and noise.

Timesteps are reported one by one, never averaged: at 100 the picture's details decide, at 900 its composition, and
their sizes differ by a factor of ten or more. Falling on training images while it rises on held-out ones is learning
by heart; rising on regularization images is forgetting the class.
"""

from collections.abc import Sequence

import torch

from ohwx_compare.engine.conditioning import size_vector
from ohwx_compare.train.learn.chance import normal
from ohwx_compare.train.learn.setup import Setup
from ohwx_compare.train.learn.step import TrainingBatch, losses

__all__ = ["TIMESTEPS", "validate"]

TIMESTEPS = (100, 300, 500, 700, 900)  # of 1000


@torch.no_grad()
def validate(setup: Setup) -> dict[str, dict[int, float]]:
    """Kind of picture -> timestep -> unweighted mean squared error over the plan's `validated` pictures of that kind.

    Each picture has its own noise at each timestep, the same in every call; latents are the VAE's mean.
    """
    found = {}
    for kind, pictures in setup.plan.validated.items():
        each = [_losses(setup, picture) for picture in pictures]
        found[kind] = {t: sum(one[at] for one in each) / len(each) for at, t in enumerate(TIMESTEPS)}
    return found


def _losses(setup: Setup, picture: int) -> Sequence[float]:
    """One picture's loss at each of TIMESTEPS, one after the other to spare memory."""
    plan, device = setup.plan, setup.device
    latents = setup.latents[picture, False].mean[None].to(device)
    context, pooled = setup.texts([plan.pictures[picture].caption])
    vector = torch.cat([pooled, size_vector(plan.sizes(picture))[None].to(pooled)], dim=1)
    each = []
    for timestep in TIMESTEPS:
        noise = normal(tuple(latents.shape), plan.recipe.seed, "validation", picture, timestep).to(device)
        batch = TrainingBatch(latents, noise, torch.tensor([timestep], device=device), context, vector)
        each.append(losses(setup.looking, setup.diffusion.plain, batch).item())
    return each
