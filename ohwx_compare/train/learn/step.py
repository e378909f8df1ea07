"""One forward pass of training: a batch of latents, noise and texts in, each sample's loss out."""

from dataclasses import dataclass

from torch import Tensor, nn

from ohwx_compare.train.learn.loss import Diffusion

__all__ = ["TrainingBatch", "losses"]


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """What the UNet sees; B samples of one size, all on its device."""

    latents: Tensor  # (B, 4, h, w) float32, scaled
    noise: Tensor  # the same
    timesteps: Tensor  # (B,) int64 in 0..999
    context: Tensor  # (B, 77 * chunks, W), hidden states of both encoders
    vector: Tensor  # (B, P + 6 * 256), pooled text and sizes
    disturbance: Tensor | None = None  # (B, 4, h, w), noise in the input alone
    mask: Tensor | None = None  # (B, 1, h, w) float32, how much each spot's error counts


def losses(unet: nn.Module, diffusion: Diffusion, batch: TrainingBatch) -> Tensor:
    """The loss of each sample, weighted by its timestep: (B,) float32.

    The noisy latents are made in float32, then take the weights' dtype; the error is taken in float32.
    """
    dtype = next(unet.parameters()).dtype
    seen = batch.noise if batch.disturbance is None else batch.noise + batch.disturbance
    noisy = diffusion.noisy(batch.latents, seen, batch.timesteps)
    predicted = unet(noisy.to(dtype), batch.timesteps.float(), batch.context.to(dtype), batch.vector.to(dtype))
    target = diffusion.target(batch.latents, batch.noise, batch.timesteps)
    return diffusion.losses(predicted, target, batch.timesteps, batch.mask)
