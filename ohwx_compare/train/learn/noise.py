"""The noise of a step: plain, with an offset, of several resolutions, and what the input alone is disturbed by.

As sd-scripts makes it, picture by picture, where that draws once for a batch: so no picture's noise depends on its
neighbours. https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py#L6071-L6107 and
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/custom_train_functions.py#L457-L484
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ohwx_compare.train.learn.chance import normal, uniform, uniform_int
from ohwx_compare.train.recipe.concepts import Concept
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["disturbance_of", "is_mirrored", "level_of", "multires", "noise_of", "offset_strength"]

_HALF = 0.5


def level_of(recipe: Recipe, number: int, place: int) -> int:
    """The timestep of a place in step `number`, even from min_timestep to below max_timestep."""
    return uniform_int(recipe.min_timestep, recipe.max_timestep, recipe.seed, "timestep", number, place)


def is_mirrored(concept: Concept, seed: int, number: int, place: int) -> bool:
    """Whether the picture at a place in step `number` is mirrored."""
    return bool(concept.flip) and uniform(seed, "mirrored", number, place) < _HALF


def noise_of(recipe: Recipe, latents: Tensor, number: int, place: int) -> Tensor:
    """Noise (4, h, w) for the latents at a place in step `number`."""
    seed, shape = recipe.seed, tuple(latents.shape)
    noise = normal(shape, seed, "noise", number, place)
    if recipe.noise_offset:
        share = uniform(seed, "offset share", number, place) if recipe.noise_offset_random else 1.0
        draw = normal((shape[0], 1, 1), seed, "offset", number, place)
        noise = noise + offset_strength(latents, recipe.noise_offset * share, recipe.adaptive_noise_scale) * draw
    if not recipe.multires_iterations:
        return noise
    return multires(
        noise,
        (recipe.multires_iterations, recipe.multires_discount),
        lambda layer: uniform(seed, "multires", number, place, layer),
        lambda layer, size: normal(size, seed, "layer", number, place, layer),
    )


def disturbance_of(recipe: Recipe, shape: tuple[int, ...], number: int, place: int) -> Tensor:
    """What the input has beside the noise that is to be predicted (ip_noise_gamma): (4, h, w)."""
    share = uniform(recipe.seed, "input share", number, place) if recipe.ip_noise_gamma_random else 1.0
    return recipe.ip_noise_gamma * share * normal(shape, recipe.seed, "input", number, place)


def offset_strength(latents: Tensor, strength: float, adaptive: float = 0.0) -> Tensor | float:
    """How much a channel's noise is shifted, in standard deviations: one number, or (4, 1, 1) where it adapts.

    adaptive: what is added for each unit of a channel's mean in latents (4, h, w). Source: Guttenberg 2023,
    https://www.crosslabs.org/blog/diffusion-with-offset-noise
    """
    if not adaptive:
        return strength
    return (strength + adaptive * latents.mean((1, 2), keepdim=True).abs()).clamp(min=0.0)


def multires(
    noise: Tensor,
    layers: tuple[int, float],
    chance: Callable[[int], float],
    draw: Callable[[int, tuple[int, ...]], Tensor],
) -> Tensor:
    """Noise (4, h, w) with enlarged noise of ever lower resolutions, brought back to a deviation of 1.

    layers: how many at most, and what each further one is multiplied by. Layer i is smaller by a factor of
    (2 + 2 * chance(i)) ** i; `draw` gives its numbers. Source: Whitaker 2023,
    https://wandb.ai/johnowhitaker/multires_noise/reports/VmlldzozNjYyOTU2
    """
    channels, height, width = noise.shape
    iterations, discount = layers
    for layer in range(iterations):
        smaller = (chance(layer) * 2 + 2) ** layer
        size = channels, max(1, int(height / smaller)), max(1, int(width / smaller))
        large = interpolate(draw(layer, size)[None], size=(height, width), mode="bilinear")[0]
        noise = noise + large * discount**layer
        if 1 in size[1:]:
            break
    return noise / torch.std(noise)
