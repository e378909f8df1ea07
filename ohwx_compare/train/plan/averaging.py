"""How fast averaged weights move: an exponential moving average with an interval and a ramp.

The ramp and the interval are OneTrainer's:
https://github.com/Nerogar/OneTrainer/blob/23df3832/modules/module/EMAModule.py#L32-L58
"""

from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["decay_at", "left_of_start"]

_NOTHING = 1e-6


def decay_at(recipe: Recipe, step: int) -> float:
    """What the average keeps of itself after `step` (from 1): 1 where it does not move."""
    if not recipe.ema or step % recipe.ema_every:
        return 1.0
    return min(recipe.ema, step / (step + 9)) if recipe.ema_ramp else recipe.ema


def left_of_start(recipe: Recipe, steps: int) -> float:
    """The share of the weights before the first step that is in the average after `steps`."""
    left = 1.0
    for step in range(recipe.ema_every, steps + 1, recipe.ema_every):
        left *= decay_at(recipe, step)
        if left < _NOTHING:
            break
    return left
