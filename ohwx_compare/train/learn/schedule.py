"""The learning rate's course over a training, as transformers' schedules have it, which sd-scripts uses.

https://github.com/huggingface/transformers/blob/v4.44.0/src/transformers/optimization.py#L60-L262 as called in
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py#L5265-L5392
"""

import math

from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["rate_scale"]

_LAST_RATE = 1e-7  # at which a polynomial ends


def rate_scale(recipe: Recipe, step: int, steps: int) -> float:
    """The share of the full learning rate in `step` (from 1) of `steps`: from 0 up over the warm-up, then down."""
    before = step - 1
    warmup = int(recipe.warmup * steps) if isinstance(recipe.warmup, float) else recipe.warmup
    if before < warmup:
        return before / warmup
    done = (before - warmup) / max(1, steps - warmup)
    return _scale(recipe, done)


def _scale(recipe: Recipe, done: float) -> float:
    """The share where this much (0..1) of the way behind the warm-up is done."""
    if recipe.schedule == "linear":
        return 1 - done
    if recipe.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    if recipe.schedule == "cosine-restarts":
        return 0.5 * (1 + math.cos(math.pi * (recipe.schedule_cycles * done % 1.0)))
    if recipe.schedule == "polynomial":
        full = recipe.lr_unet or recipe.lr_te1 or recipe.lr_te2 or 0.0
        return ((full - _LAST_RATE) * (1 - done) ** recipe.schedule_power + _LAST_RATE) / full
    return 1.0
